import ArgumentParser
import BackupModel

/// `remora sessions`.
struct SessionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sessions",
        abstract: "Backups and restores, newest first."
    )

    @Option(help: "Only backups or only restores.")
    var kind: Choice<SessionView.Kind>?

    @Option(help: "At most so many, 1 to 1000.")
    var limit = 20

    @OptionGroup var namespace: NamespaceOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (1...1000).contains(limit) else { throw ValidationError("--limit is 1 to 1000.") }
    }

    func run() async throws {
        let sessions = try await connection.client()
            .sessions(namespace: namespace.namespace, kind: kind?.value, limit: limit)
        try output.show(sessions) { SessionsPage.make(sessions, clock: Surroundings.current.clock) }
    }
}
