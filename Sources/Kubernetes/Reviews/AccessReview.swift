/// Something that somebody may or may not do.
public struct AccessQuestion: Sendable, Hashable {
    /// Like `get` or `restore`.
    public var verb: String
    /// The API group; empty for the core group.
    public var group: String
    /// The plural, like `backupsessions`.
    public var resource: String
    /// Like `log`; nil for the object itself.
    public var subresource: String?
    /// Nil for all namespaces, or for what lives in none.
    public var namespace: String?
    /// Nil for all objects.
    public var name: String?

    /// Makes a question.
    public init(
        verb: String,
        _ resource: APIResource,
        subresource: String? = nil,
        namespace: String? = nil,
        name: String? = nil
    ) {
        self.verb = verb
        group = resource.group
        self.resource = resource.plural
        self.subresource = subresource
        self.namespace = namespace
        self.name = name
    }

    var tree: JSONTree {
        var tree: JSONTree = ["verb": .string(verb), "group": .string(group), "resource": .string(resource)]
        if let subresource { tree["subresource"] = .string(subresource) }
        if let namespace { tree["namespace"] = .string(namespace) }
        if let name { tree["name"] = .string(name) }
        return tree
    }
}

/// The answer to an ``AccessQuestion``.
public struct AccessAnswer: Sendable, Hashable {
    /// Whether it is allowed.
    public var isAllowed: Bool
    /// Why or why not; may be empty.
    public var reason: String

    init(_ status: JSONTree) {
        isAllowed = status["allowed"]?.bool ?? false && status["denied"]?.bool != true
        reason = status["reason"]?.string ?? status["evaluationError"]?.string ?? ""
    }
}

extension KubernetesClient {
    /// Asks whether somebody may do something (SubjectAccessReview).
    public func reviewAccess(
        of user: UserInfo,
        to question: AccessQuestion
    ) async throws(KubernetesError) -> AccessAnswer {
        var spec: JSONTree = ["user": .string(user.username), "resourceAttributes": question.tree]
        if !user.uid.isEmpty { spec["uid"] = .string(user.uid) }
        if !user.groups.isEmpty { spec["groups"] = .array(user.groups.map { .string($0) }) }
        if !user.extra.isEmpty {
            spec["extra"] = .object(user.extra.mapValues { .array($0.map { .string($0) }) })
        }
        let summary = "review whether \(user.username) may \(question.verb) \(question.resource)"
        return AccessAnswer(try await review(.subjectAccessReviews, spec: spec, summary: summary))
    }

    /// Asks whether we ourselves may do something (SelfSubjectAccessReview).
    public func reviewOwnAccess(to question: AccessQuestion) async throws(KubernetesError) -> AccessAnswer {
        let spec: JSONTree = ["resourceAttributes": question.tree]
        let summary = "review whether we may \(question.verb) \(question.resource)"
        return AccessAnswer(try await review(.selfSubjectAccessReviews, spec: spec, summary: summary))
    }
}
