import ArgumentParser
import BackupModel
import Foundation
import Glibc

/// `remora report`.
struct ReportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Collect what explains a failure into one file, without secrets.",
        discussion: """
            A tar file with our objects, events, what matters of pods, the coordinator's status, what the doctor says, \
            the ends of logs, and versions. Of secrets it holds names and the names of entries, never a value; \
            environment variables' values, tokens, keys, and whatever equals a value of a secret are taken out. Look \
            into it before you send it: tar -xOf FILE | less
            """
    )

    @Option(help: ArgumentHelp("Where it goes; if left out: remora-report-TIME.tar here.", valueName: "file"))
    var file: String?

    @Option(help: "The last lines of each log, 1 to 100000.")
    var logLines = 2000

    @OptionGroup var namespace: NamespaceOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    /// `-o json`.
    struct Answer: Codable, Sendable, Hashable {
        var file: String
        var bytes: Int
        var contents: [String]
        /// What could not be collected.
        var gaps: [String]
    }

    func validate() throws {
        guard (1...100_000).contains(logLines) else { throw ValidationError("--log-lines is 1 to 100000.") }
    }

    func run() async throws {
        let surroundings = Surroundings.current
        let cluster = try Cluster.open(connection.cluster, surroundings)
        let route: any CoordinatorRoute =
            connection.coordinator == nil ? KubernetesRoute(cluster, surroundings) : try connection.route()
        var facts = FactGatherer(cluster: cluster, coordinator: CoordinatorClient(route), clock: surroundings.clock)
        facts.namespace = namespace.namespace
        let (bundle, secrets) = await ReportGatherer(facts: facts, logLines: logLines).gather()
        let now = surroundings.clock.now()
        let name = "remora-report-\(now.description.prefix(19).replacing(":", with: "").replacing("-", with: ""))"
        let (bytes, contents) = bundle.archive(secrets: secrets, folder: name, time: now)
        let path = file ?? "\(name).tar"
        try Self.write(bytes, to: path)
        let answer = Answer(file: path, bytes: bytes.count, contents: contents, gaps: bundle.gaps)
        try output.show(answer) {
            var page = Page()
            page.add(
                "\(path, .bold): \(Format.bytes(Int64(bytes.count))), \(Format.count(Int64(contents.count), "file"))"
            )
            for gap in bundle.gaps { page.add("  \("!", .caution) \(gap)") }
            page.add("  look into it before you send it  tar -xOf \(path) | less")
            return page
        }
    }

    /// Writes a file that only its owner can read, and that wasn't there.
    private static func write(_ bytes: [UInt8], to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            let reason = errno == EEXIST ? "it exists" : String(cString: strerror(errno))
            throw CommandFailure(
                .usage,
                "can't write the report to \(path): \(reason)",
                hint: "--file names another place"
            )
        }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let reason = String(cString: strerror(errno))
                close(descriptor)
                unlink(path)
                throw CommandFailure(.failed, "can't write the report to \(path): \(reason)")
            }
            rest = rest.dropFirst(count)
        }
        guard close(descriptor) == 0 else {
            throw CommandFailure(.failed, "can't write the report to \(path): \(String(cString: strerror(errno)))")
        }
    }
}
