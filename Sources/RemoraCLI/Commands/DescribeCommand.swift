import ArgumentParser
import BackupModel

/// `remora describe`.
struct DescribeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "describe",
        abstract: "Everything about one session: what is wrong first."
    )

    @Argument(help: "The session: NAME, NAMESPACE/NAME, or latest.")
    var session: String

    @OptionGroup var namespace: NamespaceOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    /// Lines of each failed pod's log.
    private static let lastLines = 10

    func run() async throws {
        let client = try connection.client()
        let session = try await Finder(client: client, namespace: namespace.namespace).session(session)
        let lastLines = output.isJSON ? [:] : await failedLogs(session, client)
        try output.show(session) {
            SessionPage.make(session, lastLines: lastLines, clock: Surroundings.current.clock)
        }
    }

    private func failedLogs(_ session: SessionView, _ client: CoordinatorClient) async -> [String: [PodLogLine]] {
        let key = ResourceKey(namespace: session.namespace, name: session.name)
        var result: [String: [PodLogLine]] = [:]
        for pod in Set(session.hosts.filter { $0.failure != nil }.map(\.pod)) {
            do {
                var lines: [PodLogLine] = []
                for try await line in try await client.logs(key, pod: pod, level: "info", follow: false) {
                    lines.append(line)
                    if lines.count > Self.lastLines { lines.removeFirst() }
                }
                result[pod] = lines
            } catch {
                Surroundings.current.console.warn("can't show the log of \(pod): \(CommandFailure(describing: error))")
            }
        }
        return result
    }
}
