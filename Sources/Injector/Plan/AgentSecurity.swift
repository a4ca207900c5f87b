import Kubernetes

/// The agent's security context: as little as its work allows.
struct AgentSecurity: Sendable, Hashable {
    let tree: JSONTree

    /// A user that nobody else has: the agent can neither trace nor signal the database.
    static let ownUser: Int64 = 65532

    /// - Throws: `InjectionError` with code `.security`.
    init(
        in pod: Pod,
        _ database: DatabaseContainer,
        _ request: InjectionRequest,
        _ namespace: NamespaceFacts,
        _ settings: InjectorSettings
    ) throws(InjectionError) {
        var context: JSONTree = [
            "allowPrivilegeEscalation": false,
            "capabilities": ["drop": ["ALL"]],
            "privileged": false,
            "readOnlyRootFilesystem": true,
            "seccompProfile": ["type": "RuntimeDefault"],
        ]
        let user = try Self.user(in: pod, database, request, settings)
        if let user = user.set {
            context["runAsUser"] = .integer(user.user)
            if let group = user.group { context["runAsGroup"] = .integer(group) }
        }
        if user.effective == 0 {
            guard settings.allowsRoot else {
                throw InjectionError(
                    .security,
                    "the database runs as root, and this installation doesn't allow agents to; set "
                        + "\(Annotation.runAs.name), or \(Annotation.dataMount.name) to none"
                )
            }
            guard namespace.podSecurity != .restricted else {
                throw InjectionError(
                    .security,
                    "the agent would have to run as root, which namespace '\(namespace.name)' forbids (Pod Security "
                        + "'restricted'); set \(Annotation.runAs.name)"
                )
            }
            guard pod.security("runAsNonRoot")?.bool != true else {
                throw InjectionError(
                    .security,
                    "the agent would have to run as root, which the pod forbids (runAsNonRoot); set \(Annotation.runAs.name)"
                )
            }
        } else {
            context["runAsNonRoot"] = true
        }
        if let options = database.container.security("seLinuxOptions")?.object {
            context["seLinuxOptions"] = .object(options)
        }
        tree = context
    }

    /// Whom to run as: what to set (nil: nothing), and who it will be (nil: the platform chooses).
    private static func user(
        in pod: Pod,
        _ database: DatabaseContainer,
        _ request: InjectionRequest,
        _ settings: InjectorSettings
    ) throws(InjectionError) -> (set: InjectionRequest.RunAs?, effective: Int64?) {
        if settings.assignsUsers { return (nil, nil) }
        if let asked = request.runAs { return (asked, asked.user) }
        if request.dataMount == .none {
            return (InjectionRequest.RunAs(user: ownUser, group: ownUser), ownUser)
        }
        // WiredTiger's files can be read by their owner only (mode 0600): the agent has to be the same user.
        let container = database.container
        if let user = container.security("runAsUser")?.integer {
            return (InjectionRequest.RunAs(user: user, group: container.security("runAsGroup")?.integer), user)
        }
        if let user = pod.security("runAsUser")?.integer { return (nil, user) }
        if let user = database.preset.user(ofImage: container.image) { return (user, user.user) }
        throw InjectionError(
            .security,
            "neither the pod nor the image '\(container.image)' tells as which user the database runs, whose files the "
                + "agent is to read; say it with \(Annotation.runAs.name)"
        )
    }
}
