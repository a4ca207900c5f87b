import ArgumentParser

/// `remora repo`: straight on a repository, with nothing else alive.
struct RepoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repo",
        abstract: "Work straight on a repository: no coordinator, no cluster, only its URL and password.",
        subcommands: [
            RepoSnapshotsCommand.self, RepoLsCommand.self, RepoDumpCommand.self, RepoRestoreCommand.self,
            RepoCheckCommand.self, RepoBackupCommand.self, RepoInitCommand.self,
        ]
    )

    /// Runs what holds locks or writes files: a signal makes it give everything back and end as cancelled.
    static func run<Result: Sendable>(
        _ what: String,
        _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        let console = Surroundings.current.console
        return try await Interruption.cancelling(
            notice: { console.note("stopping in good order; Ctrl-\\ stops at once and may leave a lock") },
            ended: CommandFailure(.cancelled, "\(what) was stopped"),
            body
        )
    }
}
