import ArgumentParser
import BackupModel

/// `remora cancel`.
struct CancelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Stop a session in good order: locks are released, nothing is published."
    )

    @Argument(help: "The session: NAME or NAMESPACE/NAME.")
    var session: String

    @Flag(help: "Wait until it is over.")
    var wait = false

    @OptionGroup var namespace: NamespaceOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let surroundings = Surroundings.current
        let client = try connection.client()
        let found = try await Finder(client: client, namespace: namespace.namespace).session(session)
        let key = ResourceKey(namespace: found.namespace, name: found.name)
        var session = try await client.cancel(key, requestedBy: surroundings.requester)
        if wait, !session.phase.isFinal {
            let display = ProgressDisplay.suitable(surroundings, isJSON: output.isJSON)
            session = try await SessionWatch(client: client, key: key, display: display, showsLogs: false).run()
        }
        let now = session
        try output.show(now) {
            var page = Page()
            page.add(
                now.phase.isFinal
                    ? SessionText.title(now) : "\(now.kind.rawValue) \("\(key)", .bold) is being stopped"
            )
            if !now.phase.isFinal { page.add("  see how it goes  remora describe \(key)") }
            return page
        }
        if wait, session.phase == .succeeded {
            throw CommandFailure(.refused, "\(session.kind.rawValue) \(key) had succeeded before it could be stopped")
        }
    }
}
