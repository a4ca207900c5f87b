import ArgumentParser
import BackupModel

/// `remora backup`.
struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Back up a target now.",
        discussion: "Returns at once with the session's name, unless told to wait."
    )

    @Argument(help: "The BackupConfiguration, or a target that has only one.")
    var name: String

    @Option(help: "How to make it consistent, instead of what the configuration says.")
    var consistency: Choice<Consistency>?

    @OptionGroup var waiting: WaitOptions
    @OptionGroup var namespace: NamespaceOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let client = try connection.client()
        let key = try await Finder(client: client, namespace: namespace.namespace).configuration(name)
        let request = BackupRequest(
            namespace: key.namespace,
            configuration: key.name,
            consistency: consistency?.value,
            requestedBy: Surroundings.current.requester
        )
        try await waiting.conclude(try await client.backUp(request), client, output)
    }
}
