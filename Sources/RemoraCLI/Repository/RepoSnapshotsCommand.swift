import ArgumentParser
import Repository

/// `remora repo snapshots`.
struct RepoSnapshotsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshots",
        abstract: "The snapshots of a repository, newest first."
    )

    @OptionGroup var repository: RepositoryOptions
    @OptionGroup var output: OutputOptions

    /// One of `-o json`'s array.
    struct Answer: Codable, Sendable, Hashable {
        var id: String
        var time: String
        var hostname: String
        var username: String
        var paths: [String]
        var tags: [String]
        var programVersion: String
        /// Of all files, if the program that made it noted it.
        var bytes: UInt64?
        /// Those the repository did not have.
        var bytesAdded: UInt64?

        init(_ id: SnapshotID, _ snapshot: Snapshot) {
            self.id = id.hex
            time = snapshot.time.description
            hostname = snapshot.hostname
            username = snapshot.username
            paths = snapshot.paths
            tags = snapshot.tags
            programVersion = snapshot.programVersion
            bytes = snapshot.summary?.totalBytesProcessed
            bytesAdded = snapshot.summary?.dataAdded
        }
    }

    func run() async throws {
        let snapshots = try await repository.open().snapshots().reversed()
        let clock = Surroundings.current.clock
        try output.show(snapshots.map { Answer($0.id, $0.snapshot) }) {
            var page = Page()
            guard !snapshots.isEmpty else {
                page.add("no snapshots")
                return page
            }
            var table = Table([
                .text("ID"), .text("TAKEN"), .text("HOST"), .text("PATHS"), .number("SIZE"), .number("NEW"),
                .text("TAGS"),
            ])
            for (id, snapshot) in snapshots {
                table.add(
                    "\(id.short, .bold)",
                    "\(clock.timeAndAge(Moment(snapshot.time)))",
                    "\(snapshot.hostname)",
                    "\(snapshot.paths.joined(separator: " "))",
                    "\(snapshot.summary.map { Format.bytes($0.totalBytesProcessed) } ?? "")",
                    "\(snapshot.summary.map { Format.bytes($0.dataAdded) } ?? "")",
                    "\(snapshot.tags.joined(separator: " "))"
                )
            }
            page.add(table)
            return page
        }
    }
}
