import ArgumentParser
import Repository

/// `remora repo ls`.
struct RepoLsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "The files of a snapshot."
    )

    @Argument(help: "The beginning of the snapshot's id, or latest.")
    var snapshot: String

    @Argument(help: "Only what is at or below this path.")
    var path: String?

    @OptionGroup var repository: RepositoryOptions
    @OptionGroup var output: OutputOptions

    /// One of `-o json`'s array.
    struct Answer: Codable, Sendable, Hashable {
        var path: String
        var type: String
        var size: UInt64
        var modified: String
    }

    func run() async throws {
        let repository = try await repository.open()
        let id = try await repository.findSnapshot(snapshot)
        try await repository.loadIndex()
        let all = try await repository.files(of: id).entries
        let wanted = (path ?? "").split(separator: "/").joined(separator: "/")
        let entries = all.filter { wanted.isEmpty || $0.path == wanted || $0.path.hasPrefix(wanted + "/") }
        guard !entries.isEmpty || wanted.isEmpty else {
            throw CommandFailure(.notFound, "there is nothing at '\(wanted)' in snapshot \(id.short)")
        }
        let answers = entries.map {
            Answer(
                path: $0.path,
                type: $0.node.kind.description,
                size: $0.node.size,
                modified: $0.node.modified.description
            )
        }
        try output.show(answers) {
            var table = Table([.number("SIZE"), .text("PATH")])
            for answer in answers {
                let isDirectory = answer.type == "dir"
                table.add("\(isDirectory ? "" : Format.bytes(answer.size))", "\(answer.path)\(isDirectory ? "/" : "")")
            }
            var page = Page()
            page.add(table)
            return page
        }
    }
}
