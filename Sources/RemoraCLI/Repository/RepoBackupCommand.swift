import ArgumentParser
import BackupModel
import CPlatform
import Engines
import ObjectStorage
import Repository

/// `remora repo backup`.
struct RepoBackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Back up one database member into a repository, which is made if there is none.",
        discussion: """
            No coordinator is needed, and none knows of it: the snapshot is found by `remora repo snapshots` and \
            restored by `remora repo restore`.
            """
    )

    @Option(help: ArgumentHelp("The member: mongodb://host:port", valueName: "url"))
    var from: String

    @Option(help: "How to make it consistent; if left out: what the member's role allows.")
    var consistency: Choice<Consistency>?

    @Option(help: "Seconds a lock may be held before the rest is read unlocked.")
    var lockBudget = BackupSpec().lockBudgetSeconds

    @Option(help: "Readers at once; 0: as many as suit the machine.")
    var parallelism = 0

    @Option(help: "The snapshot's host name; if left out: the replica set's name, or the member's address.")
    var snapshotHost: String?

    @Option(help: "A further tag of the snapshot; may be given again.")
    var tag: [String] = []

    @Option(help: "Directory for notes of what a crash would leave. REMORA_STATE_DIR; default: ~/.local/state/remora")
    var stateDir: String?

    @Flag(name: .shortAndLong, help: "Show debug lines too.")
    var verbose = false

    @OptionGroup var repository: RepositoryOptions
    @OptionGroup var database: MongoDBOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard lockBudget > 0 else { throw ValidationError("--lock-budget must be at least 1.") }
        guard parallelism >= 0 else { throw ValidationError("--parallelism can't be negative.") }
    }

    func run() async throws {
        remora_tune_allocator()
        let surroundings = Surroundings.current
        let address = MongoDBOptions.address(in: from)
        let state = try MemberState(base: stateDir, member: address)
        let engine = MongoDBEngine(try database.configuration(from, stateDirectory: state.directory))
        let store = try repository.store()
        let password = try repository.password()
        let display = ProgressDisplay.suitable(surroundings, isJSON: output.isJSON)
        let job = LocalJob(
            display: display,
            clock: surroundings.clock,
            minimumLevel: verbose ? .debug : output.isJSON ? .warning : .info
        )
        let request = MemberBackup(
            spec: BackupSpec(
                consistency: consistency?.value,
                lockBudgetSeconds: lockBudget,
                parallelism: parallelism
            ),
            snapshotHost: snapshotHost,
            tags: ["remora", "manual"] + tag
        )
        let result = try await RepoCommand.run("the backup of \(address)") {
            try await job.shown(as: "backing up \(address) to \(store.location)") {
                let repository = try await MemberBackup.openOrMake(at: store, password: password, job)
                return try await RepositoryLease(repository).whileWriting { permission in
                    try await request.run(engine, into: repository, after: permission, job)
                }
            }
        }
        withExtendedLifetime(state) {}
        try output.show(result) { Self.page(result, clock: surroundings.clock) }
    }

    static func page(_ result: BackupResult, clock: Clock) -> Page {
        var page = Page()
        page.add(
            "snapshot \((result.snapshotID ?? "").prefix(8), .bold) of \(result.host): \(Format.count(result.documents, "document")), \(Format.bytes(result.bytes)), \(Format.bytes(result.bytesAdded)) new, \(Format.bytes(result.bytesStored)) stored"
        )
        page.add("  \(SessionText.promise(result.guarantee, cut: result.cut, clock: clock))")
        for warning in result.warnings { page.add("  \("warning:", .caution) \(warning)") }
        return page
    }
}
