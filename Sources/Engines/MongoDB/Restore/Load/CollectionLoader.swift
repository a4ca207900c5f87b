import BSON
import BackupModel
import Repository

/// Writes the documents of collections, several messages at once, straight from the repository's chunks.
struct CollectionLoader: Sendable {
    /// Where chunks come from.
    let snapshot: SnapshotReader
    /// Connections to the primary.
    let pool: ConnectionPool
    /// The primary.
    let target: RestoreTarget
    /// Counts and tells.
    let progress: RestoreProgress
    /// Whether the oplog decides between documents of the same `_id`: the data was read while it changed.
    let isFuzzy: Bool
    /// Whether the server knows `bypassEmptyTsReplacement`.
    let sparesZeroTimestamps: Bool
    /// Messages under way at once, for one collection.
    let streams: Int

    /// Chunks fetched ahead, per collection: chunks have 1 MiB on average and at most 4, and each is copied twice on its
    /// way into a message, so this and `streams` are what the memory is made of.
    private static let prefetch = 2
    /// Bytes that each stream may have under way on average; a run is larger only when it is a single large document, of
    /// which fewer are sent at once.
    private static let bytesUnderWay: Int64 = 4 << 20

    /// Writes all documents of a collection.
    ///
    /// - Throws: `JobFailure` that names the namespace, and the `_id` where a single document was refused.
    func load(_ planned: PlannedCollection, from file: SnapshotFile) async throws -> LoadedContent {
        var framer = DocumentFramer()
        var loaded = LoadedContent()
        let namespace = planned.dataTarget
        // The order of a capped collection is part of its data.
        let streams = planned.metadata.isCapped ? 1 : streams
        try await withThrowingTaskGroup(of: LoadedRun.self) { group in
            var underWay = 0
            var bytes: Int64 = 0
            var index = 0
            for try await chunk in snapshot.chunks(of: file, prefetch: Self.prefetch) {
                let run = try Self.frame(chunk, &framer, file)
                if run.isEmpty { continue }
                let mostBytes = Int64(streams) * Self.bytesUnderWay - Int64(run.count)
                while underWay == streams || (underWay > 0 && bytes > mostBytes), let done = try await group.next() {
                    loaded.add(done)
                    underWay -= 1
                    bytes -= done.read.bytes
                }
                let place = index
                group.addTask { try await write(run, place, to: namespace, file) }
                underWay += 1
                bytes += Int64(run.count)
                index += 1
            }
            while let done = try await group.next() { loaded.add(done) }
        }
        do throws(BSONError) {
            try framer.finish()
        } catch {
            throw RestoreFailure.damagedSnapshot("\(file.path): \(error)")
        }
        return loaded
    }

    private static func frame(_ chunk: [UInt8], _ framer: inout DocumentFramer, _ file: SnapshotFile) throws -> [UInt8]
    {
        do throws(BSONError) {
            return try framer.push(chunk)
        } catch {
            throw RestoreFailure.damagedSnapshot("\(file.path): \(error)")
        }
    }

    private func write(_ bytes: [UInt8], _ index: Int, to namespace: Namespace, _ file: SnapshotFile) async throws
        -> LoadedRun
    {
        let run: PreparedRun
        do throws(BSONError) {
            run = try await PreparedRun.prepare(bytes, sparesZeroTimestamps: sparesZeroTimestamps)
        } catch {
            throw RestoreFailure.damagedSnapshot("\(file.path): \(error)")
        }
        var loaded = LoadedRun(index: index, crc: run.crc, read: run.checksum, content: run.checksum)
        try await pool.use { connection in
            let writer = RunWriter(
                connection: connection,
                target: target,
                namespace: namespace,
                run: run,
                isFuzzy: isFuzzy,
                sparesZeroTimestamps: sparesZeroTimestamps
            )
            for part in run.parts {
                try Task.checkCancellation()
                if part.hasZeroTimestamps {
                    try await writer.writeWithZeroTimestamps(part.range, &loaded)
                } else {
                    try await writer.insert(part.range, &loaded)
                }
            }
        }
        progress.add(bytes: run.checksum.bytes, documents: run.checksum.documents)
        return loaded
    }
}
