import Kubernetes
import Synchronization

/// Who asks.
public struct Identity: Sendable, Hashable {
    /// Like `system:serviceaccount:shop:default`.
    public var username: String
    /// Of a service account: its object's.
    public var uid: String
    /// Groups, `system:authenticated` included.
    public var groups: [String]
    /// What the credential says besides, such as `authentication.kubernetes.io/pod-name`.
    public var extra: [String: [String]]

    /// Makes an identity; the groups of a service account are added.
    public init(username: String, uid: String = "", groups: [String] = [], extra: [String: [String]] = [:]) {
        self.username = username
        self.uid = uid
        var groups = groups
        let parts = username.split(separator: ":")
        if parts.count == 4, username.hasPrefix("system:serviceaccount:") {
            groups += ["system:serviceaccounts", "system:serviceaccounts:\(parts[2])"]
        }
        if !groups.contains("system:authenticated"), username != "system:anonymous" {
            groups.append("system:authenticated")
        }
        self.groups = groups
        self.extra = extra
    }

    /// May do anything.
    public static let admin = Identity(username: "kubernetes-admin", groups: ["system:masters"])

    var isServiceAccount: Bool { username.hasPrefix("system:serviceaccount:") }

    /// As reviews show it.
    var tree: JSONTree {
        var tree: JSONTree = ["username": .string(username), "groups": .array(groups.map { .string($0) })]
        if !uid.isEmpty { tree["uid"] = .string(uid) }
        if !extra.isEmpty { tree["extra"] = .object(extra.mapValues { .array($0.map { .string($0) }) }) }
        return tree
    }
}

/// One request on its way through the server.
struct Call: Sendable {
    var info: RequestInfo
    var query: Query
    var accept: String
    var contentType: String
    var userAgent: String
    var identity: Identity
    var body: [UInt8]
    let notes = CallNotes()

    var isDryRun: Bool { query["dryRun"] == "All" }

    /// Who is written into `managedFields`.
    var manager: String {
        if let given = query["fieldManager"], !given.isEmpty { return given }
        let prefix = userAgent.prefix { $0 != "/" }
        return prefix.isEmpty ? "unknown" : String(prefix.prefix(128))
    }
}

/// What is collected while a request is carried out.
final class CallNotes: Sendable {
    private let texts = Mutex<(warnings: [String], audit: [String: String])>(([], [:]))

    var warnings: [String] { texts.withLock { $0.warnings } }
    var audit: [String: String] { texts.withLock { $0.audit } }

    func warn(_ text: String) {
        texts.withLock { if !$0.warnings.contains(text) { $0.warnings.append(text) } }
    }

    func annotate(_ key: String, _ value: String) {
        texts.withLock { $0.audit[key] = value }
    }
}

/// What a call is answered with.
struct Reply: Sendable {
    enum Content: Sendable {
        case bytes([UInt8])
        case watch(WatchStream)
    }

    var status = 200
    var contentType = "application/json"
    var headers: [(String, String)] = []
    var content: Content

    static func json(_ tree: JSONTree, status: Int = 200) -> Reply {
        Reply(status: status, content: .bytes(tree.bytes + [0x0A]))
    }

    static func text(_ text: String, status: Int = 200) -> Reply {
        Reply(status: status, contentType: "text/plain; charset=utf-8", content: .bytes(Array(text.utf8)))
    }

    static func failure(_ error: APIError) -> Reply {
        var reply = Reply.json(error.status, status: error.code)
        if let seconds = error.retryAfter { reply.headers.append(("Retry-After", String(seconds))) }
        if error.code == 401 { reply.headers.append(("WWW-Authenticate", "Bearer realm=\"kubernetes\"")) }
        return reply
    }
}
