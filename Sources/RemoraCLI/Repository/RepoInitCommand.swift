import ArgumentParser
import ObjectStorage
import Repository

/// `remora repo init`.
struct RepoInitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make a repository in an empty place."
    )

    @OptionGroup var repository: RepositoryOptions
    @OptionGroup var output: OutputOptions

    /// `-o json`.
    struct Answer: Codable, Sendable, Hashable {
        var id: String
        var location: String
        var version: Int
    }

    func run() async throws {
        let store = try repository.store()
        let made = try await Repository.initialize(at: store, password: try repository.password(isNew: true))
        let answer = Answer(id: made.id, location: store.location, version: made.version)
        try output.show(answer) {
            var page = Page()
            page.add("made repository \("\(answer.id.prefix(10))", .bold) in \(answer.location)")
            page.add("  Without its password nothing in it can ever be read: keep a copy elsewhere.")
            return page
        }
    }
}
