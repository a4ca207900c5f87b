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

    @Flag(help: "Only show what it would do now: members and why, last run's times, what is unsafe.")
    var plan = false

    @OptionGroup var waiting: WaitOptions
    @OptionGroup var namespace: NamespaceOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if plan, waiting.wait || waiting.follow {
            throw ValidationError(
                "--plan begins nothing, so there is nothing to wait for: leave --wait and --follow out"
            )
        }
    }

    func run() async throws {
        let client = try connection.client()
        let key = try await Finder(client: client, namespace: namespace.namespace).configuration(name)
        let request = BackupRequest(
            namespace: key.namespace,
            configuration: key.name,
            consistency: consistency?.value,
            requestedBy: Surroundings.current.requester
        )
        if plan {
            let view = try await client.plan(request)
            try output.show(view) { PlanPage.make(view) }
            if let obstacle = view.obstacles.first {
                throw CommandFailure(.refused, "the backup could not begin now: \(obstacle)")
            }
            return
        }
        try await waiting.conclude(try await client.backUp(request), client, output)
    }
}
