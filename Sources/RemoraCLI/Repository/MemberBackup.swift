import BackupModel
import Engines
import ObjectStorage
import Repository

/// One backup of one member, from the engine to the committed snapshot.
struct MemberBackup: Sendable {
    var spec: BackupSpec
    /// `hostname` of the snapshot; nil: the group, or the member of a standalone.
    var snapshotHost: String?
    var tags: [String]

    /// Opens the repository, or makes one where there is none, which is said aloud: the location may be misspelt.
    static func openOrMake(
        at store: any ObjectStore,
        password: RepositoryPassword,
        _ job: LocalJob
    ) async throws -> Repository {
        job.report(step: "open repository")
        do {
            return try await Repository.open(at: store, password: password)
        } catch let error as RepositoryError where error.code == .notARepository {
            let repository = try await Repository.initialize(at: store, password: password)
            job.log(.info, "repository", "made a new repository in \(store.location)")
            return repository
        }
    }

    /// Dumps the member and commits the snapshot; the caller has written a lock, which holds when `permission` has returned.
    ///
    /// Order: lock, index, permission, packs and index (durable after `flush`), snapshot. What fails before the last step leaves data
    /// that nothing refers to.
    func run(
        _ engine: any Engine,
        into repository: Repository,
        after permission: @escaping @Sendable () async throws -> Void,
        _ job: LocalJob
    ) async throws -> BackupResult {
        job.report(step: "read repository index")
        var summary = SnapshotSummary(backupStart: .now(), backupEnd: .now())
        try await repository.loadIndex()
        let writer = repository.makeWriter(after: permission)
        do {
            let output = try await engine.backUp(spec, into: writer, context: job)
            job.report(step: "upload the rest")
            let tree = try await writer.storeTree(output.files)
            try await writer.flush()
            try Task.checkCancellation()
            job.report(step: "publish")
            summary.fill(writer.statistics, output.files)
            var result = output.result
            let id = try await writer.commit(
                Snapshot(
                    time: .now(),
                    tree: tree,
                    paths: ["/\(engine.name)"],
                    hostname: snapshotHost ?? (result.group == "standalone" ? result.host : result.group),
                    tags: tags,
                    programVersion: "remora \(RemoraVersion.current)",
                    summary: summary
                )
            )
            result.snapshotID = id.hex
            result.bytesAdded = Int64(clamping: writer.statistics.bytesAdded)
            result.bytesStored = Int64(clamping: writer.statistics.bytesStored)
            return result
        } catch {
            writer.abandon()
            throw error
        }
    }
}

extension SnapshotSummary {
    fileprivate mutating func fill(_ statistics: WriterStatistics, _ files: [SnapshotFile]) {
        backupEnd = .now()
        filesNew = UInt64(files.count)
        dataBlobs = statistics.newDataBlobs
        treeBlobs = statistics.newTreeBlobs
        dataAdded = statistics.bytesAdded
        dataAddedPacked = statistics.bytesStored
        totalFilesProcessed = UInt64(files.count)
        totalBytesProcessed = files.reduce(0) { $0 + $1.size }
    }
}
