import ArgumentParser
import BackupModel
import CPlatform
import Engines
import ObjectStorage
import Repository

/// `remora repo restore`.
struct RepoRestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Restore a snapshot into a database, or into a directory.",
        discussion: """
            Into a directory it becomes what mongodump writes: mongorestore --oplogReplay --dir DIR loads it too. Into a \
            database everything that was written is read back and compared with the snapshot.
            """
    )

    @Argument(help: "The beginning of the snapshot's id, or latest.")
    var snapshot: String

    @Option(
        help: ArgumentHelp("The database: mongodb://host:port of any member; the primary is found.", valueName: "url")
    )
    var to: String?

    @Option(help: ArgumentHelp("A directory that is empty or doesn't exist yet.", valueName: "directory"))
    var toDirectory: String?

    @Option(help: "Insert streams at once; 0: as many as suit the machine.")
    var parallelism = 0

    @Flag(help: "Take no lock: for a repository that a dead program left locked.")
    var noLock = false

    @Flag(name: .shortAndLong, help: "Show debug lines too.")
    var verbose = false

    @OptionGroup var selection: SelectionOptions
    @OptionGroup var repository: RepositoryOptions
    @OptionGroup var database: MongoDBOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (to == nil) != (toDirectory == nil) else {
            throw ValidationError("Give --to mongodb://… or --to-directory DIR, and not both.")
        }
        if toDirectory != nil, !selection.isEverything || selection.drop || selection.noUsers {
            throw ValidationError("--drop, --include, --exclude, --rename and --no-users go with --to mongodb://…")
        }
        guard parallelism >= 0 else { throw ValidationError("--parallelism can't be negative.") }
    }

    func run() async throws {
        remora_tune_allocator()
        if let to { try await restore(intoDatabase: to) }
        if let toDirectory { try await restore(intoDirectory: toDirectory) }
    }

    private func makeJob() -> LocalJob {
        let surroundings = Surroundings.current
        return LocalJob(
            display: .suitable(surroundings, isJSON: output.isJSON),
            clock: surroundings.clock,
            minimumLevel: verbose ? .debug : output.isJSON ? .warning : .info
        )
    }

    // MARK: Into a database

    private func restore(intoDatabase uri: String) async throws {
        let address = MongoDBOptions.address(in: uri)
        // A restore locks nothing, so it leaves no notes.
        let engine = MongoDBEngine(try database.configuration(uri, stateDirectory: ""))
        let job = makeJob()
        let (name, isLocking) = (snapshot, !noLock)
        let wanted = RestoreSpec(
            snapshotID: "",
            conflict: selection.conflict,
            selection: try selection.selection(),
            usersAndRoles: selection.isEverything && !selection.noUsers,
            parallelism: parallelism
        )
        let repository = try await repository.open()
        let result = try await RepoCommand.run("the restore into \(address)") {
            try await job.shown(as: "restoring into \(address) from \(repository.store.location)") {
                try await RepositoryLease(repository).whileReading(isLocking: isLocking) {
                    let id = try await repository.findSnapshot(name)
                    job.report(step: "read repository index")
                    try await repository.loadIndex()
                    var spec = wanted
                    spec.snapshotID = id.hex
                    return try await engine.restore(spec, from: try await repository.reader(of: id), context: job)
                }
            }
        }
        try output.show(result) {
            var page = Page()
            page.add(
                "\("restored", .good) into \(result.host) in \(Format.duration(milliseconds: result.durationMs)): \(Format.count(result.documents, "document")), \(Format.bytes(result.bytes)) in \(Format.count(Int64(result.namespaces), "collection")); every number was compared with the snapshot's"
            )
            for warning in result.warnings { page.add("  \("warning:", .caution) \(warning)") }
            return page
        }
    }

    // MARK: Into a directory

    /// `-o json` of a restore into a directory.
    struct Answer: Codable, Sendable, Hashable {
        var snapshotID: String
        var directory: String
        var files: Int
        var directories: Int
        var links: Int
        var bytes: UInt64
        /// Devices, pipes and sockets, which are not restored.
        var skipped: [String]
    }

    private func restore(intoDirectory directory: String) async throws {
        try LocalDirectory.demandEmpty(directory)
        let job = makeJob()
        let (name, isLocking) = (snapshot, !noLock)
        let repository = try await repository.open()
        let answer = try await RepoCommand.run("the restore into \(directory), which holds a part now,") {
            try await job.shown(as: "restoring into \(directory) from \(repository.store.location)") {
                try await RepositoryLease(repository).whileReading(isLocking: isLocking) {
                    let id = try await repository.findSnapshot(name)
                    job.report(step: "read repository index")
                    try await repository.loadIndex()
                    let reader = try await repository.reader(of: id)
                    let counter = ByteCounter(total: Int64(clamping: reader.files.reduce(0) { $0 + $1.size }), job)
                    let report = try await reader.restore(to: directory) { counter.add($0) }
                    return Answer(
                        snapshotID: id.hex,
                        directory: directory,
                        files: report.files,
                        directories: report.directories,
                        links: report.links,
                        bytes: report.bytes,
                        skipped: report.skipped
                    )
                }
            }
        }
        try output.show(answer) {
            var page = Page()
            page.add(
                "\("restored", .good) snapshot \(answer.snapshotID.prefix(8), .bold) into \(answer.directory): \(Format.count(Int64(answer.files), "file")), \(Format.bytes(answer.bytes))"
            )
            for path in answer.skipped { page.add("  \("warning:", .caution) \(path) is no file and was left out") }
            return page
        }
    }
}
