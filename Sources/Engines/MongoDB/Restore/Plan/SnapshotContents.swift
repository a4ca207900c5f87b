import BSON
import BackupModel
import Repository

/// A snapshot, understood: what is in it and what is promised of it.
///
/// Nothing of the data has been read.
struct SnapshotContents: Sendable {
    /// Where the bytes come from.
    let snapshot: SnapshotReader
    /// Collections, users and roles.
    let catalog: DumpedCatalog
    /// What is known besides.
    let facts: SnapshotFacts
    /// `oplog.bson`, unless it is empty.
    let oplog: SnapshotFile?
    private let files: [ExactText: SnapshotFile]

    /// Metadata files read at once.
    private static let readers = 8

    /// Finds out what a snapshot holds.
    ///
    /// - Parameters:
    ///   - snapshot: to be understood.
    ///   - layout: whether a cluster's routing table is wanted, too.
    /// - Returns: what it holds.
    /// - Throws: `JobFailure` when it isn't a dump, or a metadata file is missing or damaged.
    static func open(_ snapshot: SnapshotReader, layout: Bool = false) async throws -> SnapshotContents {
        let files = Dictionary(snapshot.files.map { (ExactText($0.path), $0) }) { first, _ in first }
        let directory = try DumpDirectory(paths: files.keys.map(\.text))
        let facts = try await Self.facts(snapshot, directory)
        let metadata = try await Self.metadata(snapshot, directory.entries.compactMap(\.metadataPath))
        let promised = Dictionary(facts.promised.map { (ExactText(directory.root + $0.key.text), $0.value) }) {
            first,
            _ in first
        }
        for (path, content) in promised where content.bytes > 0 && files[path] == nil {
            throw RestoreFailure.damagedSnapshot("the manifest names \(path.text), which is not in the snapshot")
        }
        let oplog = directory.oplogPath.flatMap { files[ExactText($0)] }
        if let told = facts.oplog, told.entries > 0, oplog == nil {
            throw RestoreFailure.damagedSnapshot(
                "the manifest tells of \(told.entries) oplog entries, and there is no oplog.bson"
            )
        }
        return SnapshotContents(
            snapshot: snapshot,
            catalog: try DumpedCatalog(
                entries: directory.entries,
                metadata: metadata,
                promised: promised,
                layout: layout
            ),
            facts: facts,
            oplog: oplog.flatMap { $0.size > 0 ? $0 : nil },
            files: files
        )
    }

    /// The file at a path that the catalog gave.
    func file(_ path: String) throws -> SnapshotFile {
        guard let file = files[ExactText(path)] else {
            throw RestoreFailure.damagedSnapshot("\(path) is not in the snapshot")
        }
        return file
    }

    /// Throws unless every byte that the plan needs is known to the repository's index, and sizes are as promised.
    func check(_ plan: RestorePlan) throws {
        for collection in plan.collections {
            guard let path = collection.dataPath else {
                if let promised = collection.promised, promised.documents > 0 {
                    throw RestoreFailure.damagedSnapshot(
                        "the documents of \(collection.source) are not in the snapshot"
                    )
                }
                continue
            }
            let file = try file(path)
            try checkBlobs(file)
            if let promised = collection.promised, promised.bytes != Int64(clamping: file.size) {
                throw RestoreFailure.damagedSnapshot(
                    "\(path) has \(file.size) bytes, and the manifest says \(promised.bytes)"
                )
            }
        }
        for dumped in [plan.users, plan.roles] {
            if let path = dumped?.dataPath { try checkBlobs(try file(path)) }
        }
        if let oplog {
            try checkBlobs(oplog)
            if let told = facts.oplog, told.bytes != Int64(clamping: oplog.size) {
                throw RestoreFailure.damagedSnapshot(
                    "\(oplog.path) has \(oplog.size) bytes, and the manifest says \(told.bytes)"
                )
            }
        }
    }

    private func checkBlobs(_ file: SnapshotFile) throws {
        for blob in file.content where !snapshot.repository.contains(blob, .data) {
            throw RestoreFailure.damagedSnapshot(
                "chunk \(blob) of \(file.path) is not in the repository's index: run restic check on it"
            )
        }
    }

    private static func facts(_ snapshot: SnapshotReader, _ directory: DumpDirectory) async throws -> SnapshotFacts {
        if let path = directory.manifestPath {
            return try SnapshotFacts(manifest: try await read(snapshot, path), path: path)
        }
        var facts = SnapshotFacts()
        if let path = directory.preludePath {
            let text = try await read(snapshot, path)
            do throws(BSONError) {
                let prelude = try ExtendedJSON.parse(text)
                facts.serverVersion = prelude["ServerVersion"]?.string.flatMap { ServerVersion($0) }
            } catch {
                throw RestoreFailure.damagedSnapshot("\(path) is not what mongodump writes: \(error)")
            }
        }
        return facts
    }

    private static func metadata(_ snapshot: SnapshotReader, _ paths: [String]) async throws
        -> [ExactText: CollectionMetadata]
    {
        try await withThrowingTaskGroup(of: (String, CollectionMetadata).self) { group in
            var result: [ExactText: CollectionMetadata] = [:]
            var underWay = 0
            for path in paths {
                if underWay == readers, let (path, metadata) = try await group.next() {
                    result[ExactText(path)] = metadata
                    underWay -= 1
                }
                group.addTask { (path, try CollectionMetadata.parse(try await read(snapshot, path), path: path)) }
                underWay += 1
            }
            while let (path, metadata) = try await group.next() { result[ExactText(path)] = metadata }
            return result
        }
    }

    private static func read(_ snapshot: SnapshotReader, _ path: String) async throws -> [UInt8] {
        do {
            return try await snapshot.read(path)
        } catch let error as RepositoryError {
            throw RestoreFailure.unreadable(error, path)
        }
    }
}
