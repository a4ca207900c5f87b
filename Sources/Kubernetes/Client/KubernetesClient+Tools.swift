import HTTPClient

/// A token of a service account, and until when it is good.
public struct AccountToken: Sendable {
    /// The token itself.
    public var token: String
    /// When the server says that it ends, as it wrote it; empty when it didn't say.
    public var expires: String

    /// Makes one.
    public init(token: String, expires: String) {
        self.token = token
        self.expires = expires
    }
}

/// What tools of people ask for, and controllers don't.
extension KubernetesClient {
    /// What the server says of itself: `gitVersion`, `major`, `minor` and more (`/version`).
    public func version() async throws(KubernetesError) -> JSONTree {
        try await perform(Call("GET", "/version", "read the server's version", .harmless))
    }

    /// What would become of an object if it were created; nothing is kept (`dryRun=All`).
    ///
    /// - Returns: the object with what defaults and webhooks made of it.
    public func tryCreate(
        _ object: KubernetesObject,
        as resource: APIResource
    ) async throws(KubernetesError) -> KubernetesObject {
        try await create(object, as: resource, fieldManager: nil) { $0.path += "?dryRun=All" }
    }

    /// What would become of an object if it were changed; nothing is kept (`dryRun=All`).
    public func tryPatch(
        merging tree: JSONTree,
        into resource: APIResource,
        name: String,
        namespace: String
    ) async throws(KubernetesError) -> KubernetesObject {
        let place = try ResourcePath(resource, namespace: namespace, name: name)
        var call = Call("PATCH", place.path + "?dryRun=All", "patch \(place.summary)", .harmless)
        call.contentType = MediaType.mergePatch
        call.body = tree
        return KubernetesObject(try await perform(call))
    }

    /// A short-lived token of a service account (TokenRequest API).
    ///
    /// - Parameters:
    ///   - account: the service account.
    ///   - namespace: its namespace.
    ///   - audience: for whom; no other server accepts it.
    ///   - seconds: how long it is to be good; the server may change it, and takes no less than 600.
    /// - Returns: the token.
    /// - Throws: `.forbidden` for who may not make one, among others.
    public func requestToken(
        of account: String,
        in namespace: String,
        audience: String,
        seconds: Int
    ) async throws(KubernetesError) -> AccountToken {
        let place = try ResourcePath(.serviceAccounts, namespace: namespace, name: account, subresource: "token")
        var call = Call("POST", place.path, "make a \(place.summary)", .harmless)
        call.body = [
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": ["audiences": [.string(audience)], "expirationSeconds": .integer(Int64(seconds))],
        ]
        let answer = try await perform(call)
        guard let token = answer[path: "status", "token"]?.string, !token.isEmpty else {
            throw KubernetesError(.malformedAnswer, "cannot make a \(place.summary): the answer holds none")
        }
        return AccountToken(token: token, expires: answer[path: "status", "expirationTimestamp"]?.string ?? "")
    }

    /// The last lines of a container's log.
    ///
    /// - Parameters:
    ///   - pod: the pod.
    ///   - namespace: its namespace.
    ///   - container: which of its containers.
    ///   - lines: at most so many.
    ///   - isPrevious: of its life before the present one.
    /// - Returns: the lines, each with its time in front.
    /// - Throws: `.notFound` when there is no such pod, among others.
    public func log(
        ofPod pod: String,
        in namespace: String,
        container: String,
        lines: Int,
        isPrevious: Bool = false
    ) async throws(KubernetesError) -> String {
        let place = try ResourcePath(.pods, namespace: namespace, name: pod, subresource: "log")
        let query = ResourcePath.query([
            ("container", container), ("tailLines", "\(lines)"), ("previous", isPrevious ? "true" : nil),
            ("timestamps", "true"),
        ])
        var call = Call("GET", place.path + query, "read the \(place.summary)", .harmless)
        call.accept = "*/*"
        call.largestAnswer = 16 << 20
        let (client, request) = try await prepare(call)
        let response: HTTPResponse
        do {
            response = try await client.send(request)
        } catch {
            throw .transport(error, summary: call.summary)
        }
        guard (200..<300).contains(response.status) else {
            _ = try Answer.judge(
                status: response.status,
                headers: response.headers,
                body: response.body,
                summary: call.summary,
                host: configuration.server
            )
            return ""
        }
        return String(decoding: response.body, as: UTF8.self)
    }
}
