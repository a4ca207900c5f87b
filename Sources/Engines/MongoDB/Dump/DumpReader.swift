import BSON
import BackupModel

/// Reads one partition of one collection through a connection of its own, batch after batch, the next one being
/// fetched while the last one is cut into chunks.
///
/// A cursor that breaks is taken up again after the last document that was read.
struct DumpReader {
    /// What to read.
    struct Job: Sendable {
        var source: Namespace
        var averageDocument: Int
        var order: ScanOrder
        /// Read what there was at this time; nil reads what there is.
        var time: ClusterTime?
        /// Read from here; nil reads from the start.
        var start: PartitionBoundary?
        /// Read up to the first strong document beyond this; nil reads to the end.
        var end: PartitionBoundary?
        var startSeam: DumpSeam?
        var endSeam: DumpSeam?

        /// Whether a single document is larger than any usual chunk: few such readers go at once.
        var hasLargeDocuments: Bool { averageDocument >= DocumentChunker.maximum }
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
    /// - Throws: `PartitionsDisagree` when the collection must be read again in one piece; `RecordsRefused` when it must
    ///   be read in another order; `SnapshotLost` when the time of the job can't be read any more; `JobFailure`.
    @concurrent
    mutating func read(_ job: Job) async throws -> Content {
        var scan = DumpScan(
            chunker: DocumentChunker(key: chunkKey, namespace: job.source.description),
            startSeam: job.startSeam,
            boundary: job.end,
            endSeam: job.endSeam,
            pool: store.pool
        )
        var connection = connection
        let (_, chunks) = try await store.storing { put in
            var position = ScanPosition(job.order, start: job.start, end: job.end)
            var retries = 0
            while !scan.isFinished {
                do {
                    try await follow(job, from: &position, &scan, connection, put)
                    guard !scan.isFinished else { break }
                    switch position.endCursor() {
                    case .boundary: scan.passBoundary()
                    case .more: continue
                    case .collection: if let chunk = try scan.finish() { try await put(chunk) }
                    }
                } catch let error as MongoError {
                    try Task.checkCancellation()
                    if job.time != nil, Self.losesSnapshot(error) {
                        throw SnapshotLost(reason: "\(job.source) can't be read any more as it was: \(error)")
                    }
                    if job.order == .records, !position.hasBegun, Self.isRefusal(error) {
                        throw RecordsRefused(reason: "\(error)")
                    }
                    if try await isOver(error, job) {
                        if let chunk = try scan.finish() { try await put(chunk) }
                        break
                    }
                    guard retries < engine.tuning.cursorRetries, Self.isPassing(error) else {
                        throw MongoDBFailure.failed("reading \(job.source)", error, host: connection.host)
                    }
                    // Nobody knows where such a read was.
                    if job.order == .natural, position.hasBegun { throw PartitionsDisagree() }
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

    /// Opens a cursor at `position` and reads until the partition or the cursor ends.
    private func follow(
        _ job: Job,
        from position: inout ScanPosition,
        _ scan: inout DumpScan,
        _ connection: MongoConnection,
        _ put: (FilledChunk) async throws -> Void
    ) async throws {
        var size = max(1, min(100_000, engine.tuning.batchBytes / max(16, job.averageDocument)))
        let find = position.command(job.source, batchSize: size, at: job.time)
        var batch = try await connection.open(job.source.database, find)
        // One that was dropped since is answered as an empty one, without an error.
        if let time = job.time, batch.readTime != time.bits {
            throw SnapshotLost(reason: "\(job.source) is no longer there as it was")
        }
        if job.order == .records, !position.hasBegun, batch.resumeToken == nil {
            throw RecordsRefused(reason: "it sends no resume token")
        }
        scan.passOver(position.passedOver)
        while true {
            try Task.checkCancellation()
            let batchSize = size
            if batch.cursorID == 0 {
                _ = try await take(batch, job, &position, &scan, put)
                return
            }
            if batch.byteCount > Self.mostAhead {
                // Large documents: while they are stored no others come.
                let count = try await take(batch, job, &position, &scan, put)
                size = Self.size(after: batch, count, engine.tuning) ?? size
                batch.forgetDocuments()
                if scan.isFinished { return try await connection.close(batch) }
                batch = try await connection.next(after: batch, batchSize: size)
                continue
            }
            let current = batch
            // While this batch is cut into chunks the server prepares the next one.
            async let upcoming = connection.next(after: current, batchSize: batchSize)
            let count = try await take(current, job, &position, &scan, put)
            if scan.isFinished {
                let last = try await upcoming
                try await connection.close(last)
                return
            }
            size = Self.size(after: current, count, engine.tuning) ?? size
            batch = try await upcoming
        }
    }

    /// Bytes of a batch beside which another one may lie in memory.
    private static let mostAhead = 4 << 20

    /// Documents for a batch of the usual size, going by one of `count`; nil when it had none.
    private static func size(after batch: MongoBatch, _ count: Int, _ tuning: MongoDBTuning) -> Int? {
        count > 0 ? max(1, min(100_000, tuning.batchBytes / max(16, batch.byteCount / count))) : nil
    }

    /// Hands one batch to the scan and its chunks, one by one, to the store; returns how many documents it had.
    private func take(
        _ batch: MongoBatch,
        _ job: Job,
        _ position: inout ScanPosition,
        _ scan: inout DumpScan,
        _ put: (FilledChunk) async throws -> Void
    ) async throws -> Int {
        let before = scan.seen
        var place = BatchPlace()
        do {
            while let chunk = try scan.take(batch, from: &place) { try await put(chunk) }
            try position.pass(token: batch.resumeToken, last: job.order == .identifiers ? scan.lastSeen : nil)
        } catch let error as BSONError {
            throw MongoError(.badReply, "\(job.source) holds a document that can't be read: \(error)")
        }
        let count = scan.seen - before
        progress.add("dump \(job.source)", bytes: Int64(batch.byteCount), documents: Int64(count))
        return count
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

    /// Whether the server can't read at a point of history that it could read at before.
    private static func losesSnapshot(_ error: MongoError) -> Bool {
        [
            MongoError.ServerCode.snapshotTooOld, MongoError.ServerCode.snapshotUnavailable,
            MongoError.ServerCode.namespaceNotFound, MongoError.ServerCode.queryPlanKilled,
        ].contains(error.code)
    }

    /// Whether the server doesn't want this kind of scan; whatever else it may mean comes again in the other order.
    private static func isRefusal(_ error: MongoError) -> Bool {
        guard error.kind == .server, !isPassing(error) else { return false }
        return ![
            MongoError.ServerCode.unauthorized, MongoError.ServerCode.namespaceNotFound,
            MongoError.ServerCode.queryPlanKilled, MongoError.ServerCode.keyNotFound,
        ].contains(error.code)
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

/// The server doesn't scan a collection by record ids.
struct RecordsRefused: Error {
    var reason: String
}
