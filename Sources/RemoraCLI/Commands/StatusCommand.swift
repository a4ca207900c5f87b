import ArgumentParser
import BackupModel

/// `remora status`.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "How well everything is protected: problems first, on one screen."
    )

    @Argument(help: "Only this target.")
    var target: String?

    @OptionGroup var namespace: NamespaceOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let client = try connection.client()
        var status = try await client.status()
        if let target {
            let key = try Finder.target(target, namespace: namespace.namespace, among: status.targets)
            status.targets.removeAll { $0.namespace != key.namespace || $0.name != key.name }
            status.running.removeAll { $0.namespace != key.namespace || $0.target != key.name }
        } else if let namespace = namespace.namespace {
            status.targets.removeAll { $0.namespace != namespace }
            status.running.removeAll { $0.namespace != namespace }
        }
        var page = StatusPage(status: status, url: client.url, clock: Surroundings.current.clock)
        if !output.isJSON { page.failures = try await failures(status, client) }
        try output.show(status) { page.make() }
    }

    /// Why the last backup of a target failed is the first thing somebody wants to know.
    private func failures(_ status: StatusView, _ client: CoordinatorClient) async throws -> [ResourceKey: SessionView]
    {
        let failed = status.targets.filter { $0.lastPhase == .failed }
        guard !failed.isEmpty else { return [:] }
        var result: [ResourceKey: SessionView] = [:]
        for session in try await client.sessions(namespace: nil, kind: .backup, limit: 200)
        where session.phase == .failed {
            let key = ResourceKey(namespace: session.namespace, name: session.target)
            if result[key] == nil { result[key] = session }
        }
        return result
    }
}
