import ArgumentParser
import BackupModel

/// `remora restore`.
struct RestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Restore a backup into a target.",
        discussion: """
            A target that holds any of the backup's collections is refused, unless --drop says to drop them or --rename \
            puts them elsewhere. Returns at once with the session's name, unless told to wait.
            """
    )

    @Argument(help: "The target (AppBinding) to restore into.")
    var target: String

    @Option(help: ArgumentHelp("What to restore: a session, a snapshot's id, or latest.", valueName: "backup"))
    var from: String

    @Option(help: "The target whose backup is taken, if it is another one.")
    var source: String?

    @Option(help: "The Repository it is in, NAME or NAMESPACE/NAME; if left out: that of the target's configuration.")
    var repository: String?

    @OptionGroup var selection: SelectionOptions
    @OptionGroup var waiting: WaitOptions
    @OptionGroup var namespace: NamespaceOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let client = try connection.client()
        let key = try await Finder(client: client, namespace: namespace.namespace).target(target)
        var request = RestoreRequest(namespace: key.namespace, target: key.name, from: from)
        request.source = source
        request.repository = repository.map { text in
            ResourceKey(text).map { ResourceReference(name: $0.name, namespace: $0.namespace) }
                ?? ResourceReference(name: text)
        }
        request.conflict = selection.conflict
        if !selection.include.isEmpty { request.include = selection.include }
        if !selection.exclude.isEmpty { request.exclude = selection.exclude }
        let renames = try selection.renames()
        if !renames.isEmpty { request.renames = renames }
        if selection.noUsers { request.usersAndRoles = false }
        request.requestedBy = Surroundings.current.requester
        try await waiting.conclude(try await client.restore(request), client, output)
    }
}
