import BackupModel

/// Finds what a person means by a name, and in which namespace it is.
struct Finder: Sendable {
    let client: CoordinatorClient
    /// `-n`.
    let namespace: String?

    // MARK: Sessions

    /// The session of a name, `namespace/name`, or `latest`.
    func session(_ text: String) async throws -> SessionView {
        if text == "latest" {
            guard let newest = try await client.sessions(namespace: namespace, limit: 1).first else {
                throw CommandFailure(.notFound, "there are no sessions yet", hint: "remora backup NAME makes one")
            }
            // Lists leave out what happened.
            return try await client.session(ResourceKey(namespace: newest.namespace, name: newest.name))
        }
        if let key = ResourceKey(text) { return try await client.session(key) }
        if let namespace { return try await client.session(ResourceKey(namespace: namespace, name: text)) }
        let namespaces = try await namespaces()
        var found: [SessionView] = []
        for namespace in namespaces {
            do {
                found.append(try await client.session(ResourceKey(namespace: namespace, name: text)))
            } catch let failure as CommandFailure where failure.status == .notFound {
                continue
            }
        }
        switch found.count {
        case 1: return found[0]
        case 0:
            throw CommandFailure(.notFound, "there is no session '\(text)'", hint: "remora sessions lists them")
        default:
            let names = found.map(\.namespace).joined(separator: ", ")
            throw CommandFailure(
                .usage,
                "there is a session '\(text)' in several namespaces: \(names)",
                hint: "give -n"
            )
        }
    }

    /// Every namespace that has a target or a session.
    private func namespaces() async throws -> [String] {
        let status = try await client.status()
        let all = Set(status.targets.map(\.namespace) + status.running.map(\.namespace))
        if !all.isEmpty { return all.sorted() }
        // All objects may be gone, while the history is still there.
        return Set(try await client.sessions(namespace: nil, limit: 1000).map(\.namespace)).sorted()
    }

    // MARK: Configurations and targets

    /// The configuration of this name, or the only one of the target of this name.
    func configuration(_ name: String) async throws -> ResourceKey {
        let targets = try await client.status().targets
        return try Self.configuration(name, namespace: namespace, among: targets)
    }

    /// As above: a function of what there is.
    static func configuration(_ text: String, namespace: String?, among all: [TargetView]) throws -> ResourceKey {
        let (namespace, name) = split(text, namespace)
        let targets = all.filter { namespace == nil || $0.namespace == namespace }
        var found = Set(
            targets.filter { $0.configurations.contains(name) }
                .map { ResourceKey(namespace: $0.namespace, name: name) }
        )
        if found.isEmpty {
            for target in targets where target.name == name {
                guard target.configurations.count == 1 else {
                    if target.configurations.isEmpty { continue }
                    throw CommandFailure(
                        .usage,
                        "target \(target.namespace)/\(name) has several BackupConfigurations: "
                            + target.configurations.joined(separator: ", "),
                        hint: "name one of them"
                    )
                }
                found.insert(ResourceKey(namespace: target.namespace, name: target.configurations[0]))
            }
        }
        let known = all.flatMap { target in target.configurations.map { "\(target.namespace)/\($0)" } }
        return try one(of: found, "BackupConfiguration", text, known: known)
    }

    /// The target of this name.
    func target(_ name: String) async throws -> ResourceKey {
        try Self.target(name, namespace: namespace, among: try await client.status().targets)
    }

    /// As above: a function of what there is.
    static func target(_ text: String, namespace: String?, among all: [TargetView]) throws -> ResourceKey {
        let (namespace, name) = split(text, namespace)
        let found = Set(
            all.filter { $0.name == name && (namespace == nil || $0.namespace == namespace) }
                .map { ResourceKey(namespace: $0.namespace, name: $0.name) }
        )
        return try one(of: found, "target", text, known: all.map { "\($0.namespace)/\($0.name)" })
    }

    private static func split(_ text: String, _ namespace: String?) -> (String?, String) {
        guard let key = ResourceKey(text) else { return (namespace, text) }
        return (key.namespace, key.name)
    }

    private static func one(
        of found: Set<ResourceKey>,
        _ kind: String,
        _ text: String,
        known: [String]
    ) throws -> ResourceKey {
        if let only = found.first, found.count == 1 { return only }
        guard found.isEmpty else {
            let names = found.map(\.namespace).sorted().joined(separator: ", ")
            throw CommandFailure(
                .usage,
                "there is a \(kind) '\(text)' in several namespaces: \(names)",
                hint: "give -n"
            )
        }
        let list = Set(known).sorted()
        throw CommandFailure(
            .notFound,
            "there is no \(kind) '\(text)'",
            hint: list.isEmpty
                ? "there is none at all: remora status says what is wrong"
                : "there is: \(list.prefix(10).joined(separator: ", "))\(list.count > 10 ? ", …" : "")"
        )
    }
}
