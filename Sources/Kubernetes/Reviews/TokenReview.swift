/// Somebody as the API server knows him.
public struct UserInfo: Sendable, Hashable {
    /// Like `system:serviceaccount:shop:mongo` or a person's name.
    public var username: String
    /// The identity that a new account of the same name doesn't share; may be empty.
    public var uid: String
    /// The groups that he belongs to.
    public var groups: [String]
    /// What else is known, such as the pod that a token is bound to.
    public var extra: [String: [String]]

    /// Makes one.
    public init(username: String, uid: String = "", groups: [String] = [], extra: [String: [String]] = [:]) {
        self.username = username
        self.uid = uid
        self.groups = groups
        self.extra = extra
    }

    init(_ tree: JSONTree) {
        username = tree["username"]?.string ?? ""
        uid = tree["uid"]?.string ?? ""
        groups = tree["groups"]?.array?.compactMap(\.string) ?? []
        extra = tree["extra"]?.object?.mapValues { $0.array?.compactMap(\.string) ?? [] } ?? [:]
    }

    /// Namespace and name of the service account; nil for anybody else.
    public var serviceAccount: ObjectKey? {
        let parts = username.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == "system", parts[1] == "serviceaccount" else { return nil }
        return ObjectKey(namespace: String(parts[2]), name: String(parts[3]))
    }

    /// The pod that the token is bound to.
    public var podName: String? { extra["authentication.kubernetes.io/pod-name"]?.first }
    /// That pod's identity.
    public var podUID: String? { extra["authentication.kubernetes.io/pod-uid"]?.first }
    /// The node that the pod runs on.
    public var nodeName: String? { extra["authentication.kubernetes.io/node-name"]?.first }
}

/// Whose token it is.
public struct TokenReview: Sendable, Hashable {
    /// Whether the token is good for one of the audiences that were asked for.
    public var isAuthenticated: Bool
    /// Those of them that it is good for.
    public var audiences: [String]
    /// Its owner.
    public var user: UserInfo
    /// Why it isn't good; may be empty.
    public var reason: String
}

extension KubernetesClient {
    /// Asks whose token it is.
    ///
    /// A server that ignores the audiences says nothing about them: such a token isn't authenticated, since it may have
    /// been given to somebody else.
    ///
    /// - Parameters:
    ///   - token: never written into a message.
    ///   - audiences: at least one of these the token must be meant for; empty for the API server's own.
    /// - Returns: the answer; a token that isn't good is no error.
    /// - Throws: `.forbidden` when we may not ask, among others.
    public func reviewToken(_ token: String, audiences: [String]) async throws(KubernetesError) -> TokenReview {
        var spec: JSONTree = ["token": .string(token)]
        if !audiences.isEmpty { spec["audiences"] = .array(audiences.map { .string($0) }) }
        let status = try await review(.tokenReviews, spec: spec, summary: "review a token")
        let named = status["audiences"]?.array?.compactMap(\.string) ?? []
        let isGood = status["authenticated"]?.bool ?? false
        let isMeant = audiences.isEmpty || !Set(named).isDisjoint(with: audiences)
        return TokenReview(
            isAuthenticated: isGood && isMeant,
            audiences: named,
            user: UserInfo(status["user"] ?? .null),
            reason: status["error"]?.string ?? (isGood && !isMeant ? "the token is meant for another audience" : "")
        )
    }

    /// Asks a question; the server keeps nothing of it, so that it can be asked again.
    func review(_ resource: APIResource, spec: JSONTree, summary: String) async throws(KubernetesError) -> JSONTree {
        let place = try ResourcePath(resource, namespace: nil)
        var call = Call("POST", place.path, summary, .harmless)
        call.body = ["apiVersion": .string(resource.apiVersion), "kind": .string(resource.kind), "spec": spec]
        guard let status = try await perform(call)["status"], status.object != nil else {
            throw KubernetesError(.malformedAnswer, "cannot \(summary): the answer has no status")
        }
        return status
    }
}
