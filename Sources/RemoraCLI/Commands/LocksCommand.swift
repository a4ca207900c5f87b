import ArgumentParser
import BackupModel

/// `remora locks`.
struct LocksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "locks",
        abstract: "Locks that jobs hold or held on database members."
    )

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let locks = try await connection.client().locks()
        try output.show(locks) { SnapshotsPage.make(locks, clock: Surroundings.current.clock) }
    }
}
