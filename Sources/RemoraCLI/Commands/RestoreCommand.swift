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

    @Option(help: "Only this group (replica set or shard) of a sharded backup, into a target that has one group.")
    var group: String?

    @Option(
        help: ArgumentHelp(
            "Which group of a sharded backup goes into which of the target, if they are called differently; may be given "
                + "again.",
            valueName: "from=to"
        )
    )
    var map: [String] = []

    @Option(help: "How: a Task that restores, where the target is of a kind that Remora doesn't know itself.")
    var task: String?

    @Option(help: ArgumentHelp("A parameter of that task; may be given again.", valueName: "name=value"))
    var param: [String] = []

    @OptionGroup var selection: SelectionOptions
    @OptionGroup var waiting: WaitOptions
    @OptionGroup var namespace: NamespaceOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if group != nil, !map.isEmpty { throw ValidationError("--group takes one group, --map all: give one of them.") }
        _ = try groups()
        _ = try parameters()
    }

    /// `--param`, parsed.
    func parameters() throws -> [TaskReference.Parameter] {
        if task == nil, !param.isEmpty { throw ValidationError("--param is for the Task that --task names.") }
        return try param.map { text in
            guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
                throw ValidationError("'\(text)' is no parameter; it looks like 'database=shop'.")
            }
            return TaskReference.Parameter(
                name: String(text[..<equals]),
                value: String(text[text.index(after: equals)...])
            )
        }
    }

    /// `--map`, parsed.
    func groups() throws -> [String: String] {
        var groups: [String: String] = [:]
        for text in map {
            let parts = text.split(separator: "=", omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
                throw ValidationError("'\(text)' maps no group; it looks like 'rs-a=rs-b'.")
            }
            guard groups.updateValue(String(parts[1]), forKey: String(parts[0])) == nil else {
                throw ValidationError("group '\(parts[0])' is mapped twice.")
            }
        }
        return groups
    }

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
        request.group = group
        if !map.isEmpty { request.groups = try groups() }
        let parameters = try parameters()
        request.task = task.map { TaskReference(name: $0, params: parameters.isEmpty ? nil : parameters) }
        if selection.noUsers { request.usersAndRoles = false }
        request.requestedBy = Surroundings.current.requester
        try await waiting.conclude(try await client.restore(request), client, output)
    }
}
