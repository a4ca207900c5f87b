import ArgumentParser
import BackupModel

/// `remora version`.
struct VersionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version",
        abstract: "The version of this program, and of the coordinator if it answers."
    )

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    /// `-o json`.
    struct Answer: Codable, Sendable, Hashable {
        var client: String
        var coordinator: String?
        var coordinatorURL: String?
    }

    func run() async throws {
        var answer = Answer(client: RemoraVersion.current)
        var problem: String?
        do {
            let client = try connection.client()
            answer.coordinatorURL = client.url
            answer.coordinator = try await client.status(timeout: .seconds(3)).version
        } catch {
            // This command has its answer without a coordinator.
            problem = CommandFailure(describing: error).message
        }
        let shown = answer
        let reason = problem
        try output.show(shown) {
            var page = Page()
            page.add([
                ("remora", "\(shown.client)"),
                (
                    "coordinator",
                    shown.coordinator.map { "\($0) at \(shown.coordinatorURL ?? "")" } ?? "\(reason ?? "", .dim)"
                ),
            ])
            return page
        }
    }
}
