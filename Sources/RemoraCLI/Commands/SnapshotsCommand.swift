import ArgumentParser
import BackupModel

/// `remora snapshots`.
struct SnapshotsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshots",
        abstract: "The backups that exist, newest first: what `restore --from` takes."
    )

    @Argument(help: "Only of this target.")
    var target: String?

    @OptionGroup var namespace: NamespaceOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let client = try connection.client()
        var key: ResourceKey?
        if let target { key = try await Finder(client: client, namespace: namespace.namespace).target(target) }
        let backups = try await client.snapshots(namespace: key?.namespace ?? namespace.namespace, target: key?.name)
        try output.show(backups) { SnapshotsPage.make(backups, clock: Surroundings.current.clock) }
    }
}
