import BackupModel
import Engines
import Repository
import Synchronization

/// An engine without a database: it does what the test says, through the same contract as a real one.
final class FakeEngine: Engine {
    struct Counts: Sendable {
        var leftovers = 0
        var backups = 0
        var restores = 0
        var releases = 0
        var cleanedUp = 0
    }

    /// The only data of every backup.
    static let stored = Array("{\"hello\":\"world\"}".utf8)

    typealias Backup = @Sendable (any JobContext) async throws -> Void

    let name = "fake"
    let counts = Mutex(Counts())
    let status = Mutex(MemberStatus(isReachable: true))
    let leftovers: @Sendable () async throws -> [String]
    let work: Backup
    /// What a backup does when its data is stored.
    let afterStoring: Backup

    /// - Parameters:
    ///   - work: what a job does before it succeeds; for backups, restores and releases alike.
    ///   - afterStoring: what a backup does when its data is stored.
    init(_ work: @escaping Backup = { _ in }, afterStoring: @escaping Backup = { _ in }) {
        leftovers = { [] }
        self.work = work
        self.afterStoring = afterStoring
    }

    init(leftovers: @escaping @Sendable () async throws -> [String]) {
        self.leftovers = leftovers
        work = { _ in }
        afterStoring = { _ in }
    }

    var seen: Counts { counts.withLock { $0 } }

    func inspect() async -> MemberStatus { status.withLock { $0 } }

    func releaseLeftovers() async throws -> [String] {
        counts.withLock { $0.leftovers += 1 }
        return try await leftovers()
    }

    func backUp(_ spec: BackupSpec, into writer: SnapshotWriter, context: any JobContext) async throws -> BackupOutput {
        counts.withLock { $0.backups += 1 }
        context.log(.info, "dump", "begin")
        try await worked(context)
        let bytes = Self.stored
        let blob = try await writer.store(bytes, as: .data)
        try await afterStoring(context)
        context.report(
            JobProgress(step: "dump", bytesDone: Int64(bytes.count), bytesTotal: Int64(bytes.count), objects: 1)
        )
        let file = SnapshotFile(path: "shop/orders.bson", size: UInt64(bytes.count), content: [blob.id])
        return BackupOutput(
            files: [file],
            result: BackupResult(
                engine: name,
                group: "rs0",
                host: "127.0.0.1:1",
                serverVersion: "1.0",
                guarantee: .node,
                consistency: .none,
                namespaces: 1,
                documents: 1,
                bytes: Int64(bytes.count)
            )
        )
    }

    func restore(
        _ spec: RestoreSpec,
        from snapshot: SnapshotReader,
        context: any JobContext
    ) async throws -> RestoreResult {
        counts.withLock { $0.restores += 1 }
        try await worked(context)
        var result = RestoreResult(host: "127.0.0.1:1")
        result.documents = Int64(snapshot.files.count)
        return result
    }

    func release(_ spec: ReleaseSpec, context: any JobContext) async throws {
        counts.withLock { $0.releases += 1 }
        try await worked(context)
    }

    private func worked(_ context: any JobContext) async throws {
        defer { counts.withLock { $0.cleanedUp += 1 } }
        try await work(context)
    }
}
