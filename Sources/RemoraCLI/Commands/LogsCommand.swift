import ArgumentParser
import BackupModel
import Engines

/// `remora logs`.
struct LogsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "The logs of a session's jobs: live while it runs, from the archive afterwards."
    )

    @Argument(help: "The session: NAME, NAMESPACE/NAME, or latest.")
    var session: String

    @Option(help: "Only this pod.")
    var pod: String?

    @Flag(name: .shortAndLong, help: "Go on until the session is over.")
    var follow = false

    @Option(help: "Only lines of this level and above.")
    var level = Choice(JobLogLevel.info)

    @OptionGroup var namespace: NamespaceOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let surroundings = Surroundings.current
        let console = surroundings.console
        let client = try connection.client()
        let session = try await Finder(client: client, namespace: namespace.namespace).session(session)
        let key = ResourceKey(namespace: session.namespace, name: session.name)
        let isJSON = output.isJSON
        let namesPod = pod == nil
        let show: (PodLogLine) throws -> Void = { line in
            if isJSON {
                console.write(try WireJSON.encode(line) + [UInt8(ascii: "\n")])
            } else {
                console.print(LogText.line(line, clock: surroundings.clock, namesPod: namesPod))
            }
        }
        guard follow else {
            for try await line in try await client.logs(key, pod: pod, level: level.value.rawValue, follow: false) {
                try show(line)
                try console.checkOutput()
            }
            return
        }
        try await LogTail(client: client, key: key, pod: pod, level: level.value.rawValue).run(show)
    }
}
