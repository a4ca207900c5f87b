import BSON
import BackupModel

/// Reads one partition of one collection through a connection of its own, batch after batch, the next one being
/// fetched while the last one is cut into chunks.
///
/// A cursor that breaks is taken up again after the last record that was read.
struct DumpReader {
    /// What to read.
    struct Job: Sendable {
        var source: Namespace
        var averageDocument: Int
        /// Read behind this record; nil reads from the start.
        var start: PartitionBoundary?
        /// Read up to the first strong document behind this record; nil reads to the end.
        var end: PartitionBoundary?
        var startSeam: DumpSeam?
        var endSeam: DumpSeam?
    }

    /// What was read and stored.
    struct Content: Sendable {
        var chunks: [StoredChunk]
        var documents: Int64
        var bytes: Int64
        var firstIdentity: [UInt8]?
        var lastIdentity: [UInt8]?
    }

    let engine: MongoDBEngine
    let store: ChunkStore
    let progress: DumpProgress
    let chunkKey: [UInt8]
    /// Whether a collection that vanishes is told of by an oplog that the dump takes along.
    let toleratesDrops: @Sendable () async -> Bool
    let log: @Sendable (JobLogLevel, String) -> Void
    private(set) var connection: MongoConnection

    init(
        engine: MongoDBEngine,
        store: ChunkStore,
        progress: DumpProgress,
        chunkKey: [UInt8],
        toleratesDrops: @escaping @Sendable () async -> Bool,
        log: @escaping @Sendable (JobLogLevel, String) -> Void
    ) throws {
        self.engine = engine
        self.store = store
        self.progress = progress
        self.chunkKey = chunkKey
        self.toleratesDrops = toleratesDrops
        self.log = log
        connection = try engine.connect(timeout: engine.configuration.socketTimeoutMilliseconds)
    }

    /// Reads and stores.
    ///
    /// - Throws: `PartitionsDisagree` when the collection must be read again in one piece; `JobFailure`.
    @concurrent
    mutating func read(_ job: Job) async throws -> Content {
        var scan = DumpScan(
            chunker: DocumentChunker(key: chunkKey, namespace: job.source.description),
            startSeam: job.startSeam,
            boundary: job.end,
            endSeam: job.endSeam
        )
        var connection = connection
        let (_, chunks) = try await store.storing { put in
            var position = job.start?.token
            var retries = 0
            while !scan.isFinished {
                do {
                    try await follow(job, from: &position, &scan, connection, put)
                } catch let error as MongoError {
                    try Task.checkCancellation()
                    if try await isOver(error, job) {
                        for chunk in try scan.finish() { try await put(chunk) }
                        break
                    }
                    guard retries < engine.tuning.cursorRetries, Self.isPassing(error) else {
                        throw MongoDBFailure.failed("reading \(job.source)", error, host: connection.host)
                    }
                    retries += 1
                    log(.warning, "reading \(job.source) broke off, taking it up again: \(error)")
                    try await Task.sleep(for: .milliseconds(200 * retries))
                    connection = try engine.connect(timeout: engine.configuration.socketTimeoutMilliseconds)
                }
            }
        }
        self.connection = connection
        return Content(
            chunks: chunks,
            documents: scan.documents,
            bytes: scan.bytes,
            firstIdentity: scan.firstIdentity,
            lastIdentity: scan.lastIdentity
        )
    }

    /// Opens a cursor behind `position` and reads until the partition or the collection ends.
    private func follow(
        _ job: Job,
        from position: inout BSONDocument?,
        _ scan: inout DumpScan,
        _ connection: MongoConnection,
        _ put: (FilledChunk) async throws -> Void
    ) async throws {
        var size = max(1, min(100_000, engine.tuning.batchBytes / max(16, job.averageDocument)))
        var batch = try await connection.open(job.source.database, command(job.source, position, size))
        while true {
            try Task.checkCancellation()
            let current = batch
            if current.cursorID == 0 {
                _ = try await take(current, job, &position, &scan, put)
                for chunk in try scan.finish() { try await put(chunk) }
                return
            }
            // While this batch is cut into chunks the server prepares the next one.
            let batchSize = size
            async let upcoming = connection.next(after: current, batchSize: batchSize)
            let count = try await take(current, job, &position, &scan, put)
            if scan.isFinished {
                let last = try await upcoming
                try await connection.close(last)
                return
            }
            if count > 0 {
                let average = max(16, current.byteCount / count)
                size = max(1, min(100_000, engine.tuning.batchBytes / average))
            }
            batch = try await upcoming
        }
    }

    /// Hands one batch to the scan and its chunks to the store; returns how many documents it had.
    private func take(
        _ batch: MongoBatch,
        _ job: Job,
        _ position: inout BSONDocument?,
        _ scan: inout DumpScan,
        _ put: (FilledChunk) async throws -> Void
    ) async throws -> Int {
        let before = scan.seen
        let chunks: [FilledChunk]
        do {
            chunks = try scan.take(batch)
        } catch let error as BSONError {
            throw MongoError(.badReply, "\(job.source) holds a document that can't be read: \(error)")
        }
        if let token = batch.resumeToken, RecordPosition(token) != nil { position = token }
        for chunk in chunks { try await put(chunk) }
        let count = scan.seen - before
        progress.add("dump \(job.source)", bytes: Int64(batch.byteCount), documents: Int64(count))
        return count
    }

    private func command(_ source: Namespace, _ position: BSONDocument?, _ batchSize: Int) -> BSONDocument {
        var fields: [(String, BSONValue)] = [
            ("find", .string(source.collection)), ("hint", ["$natural": 1]), ("$_requestResumeToken", true),
            ("batchSize", .integer(batchSize)),
        ]
        if let position { fields.append(("$_resumeAfter", .document(position))) }
        return BSONDocument(fields)
    }

    /// Whether the collection has gone, and that is all right.
    private func isOver(_ error: MongoError, _ job: Job) async throws -> Bool {
        switch error.code {
        case MongoError.ServerCode.keyNotFound: throw PartitionsDisagree()
        case MongoError.ServerCode.queryPlanKilled, MongoError.ServerCode.namespaceNotFound:
            guard await toleratesDrops() else { return false }
            if job.startSeam != nil || job.endSeam != nil { throw PartitionsDisagree() }
            log(.info, "\(job.source) was dropped or renamed while it was read; the oplog tells how it went on")
            return true
        default: return false
        }
    }

    /// Whether the same read can succeed a moment later.
    private static func isPassing(_ error: MongoError) -> Bool {
        switch error.kind {
        case .connection, .unreachable: true
        case .server:
            [
                MongoError.ServerCode.cursorNotFound, MongoError.ServerCode.interruptedByStateChange,
                MongoError.ServerCode.cappedPositionLost, 11_600, 91, 189, 10_107, 13_435, 13_436, 6, 7, 89,
            ].contains(error.code)
        case .authentication, .configuration, .badReply: false
        }
    }
}
