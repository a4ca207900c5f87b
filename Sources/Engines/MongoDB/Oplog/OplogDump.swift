import BSON
import BackupModel
import Repository

/// Stores the oplog between a point before everything that was read and one behind it: what makes a dump exact that
/// was read while it changed.
struct OplogDump: Sendable {
    /// What was stored.
    struct Slice: Sendable {
        var file: SnapshotFile
        /// Nil when nothing was written meanwhile.
        var record: MongoDBManifest.Oplog?
        /// The point to which data and oplog together restore.
        var cut: ClusterTime
        /// Changes that no replay makes good; the dump must be read again.
        var hazards: [String]
    }

    static let fileName = "oplog.bson"

    let engine: MongoDBEngine
    let store: ChunkStore
    let progress: DumpProgress
    let context: any JobContext
    let chunkKey: [UInt8]
    let host: String

    /// Stores the slice from `position` to the newest operation that the member has applied now.
    ///
    /// - Throws: `JobFailure` with `oplogOverflow`, `notMajorityCommitted`, `rolledBack`, …
    func run(from position: OplogPosition) async throws -> Slice {
        do {
            let connection = try engine.connect(timeout: engine.configuration.socketTimeoutMilliseconds)
            let end = try await ReplicationState(asking: connection).applied
            progress.step("wait for the majority at \(end.time)")
            try await MajorityWait(engine: engine, host: host).until(end.time, connection)
            progress.step("read the oplog from \(position.start) to \(end.time)")
            var start = position.start
            // A head can have a head before it, never itself: this ends at the oldest open transaction.
            for _ in 0..<100 {
                let (slice, missing) = try await read(position, from: start, to: end, connection)
                guard let missing else { return slice }
                context.log(.info, "oplog", "a transaction begins at \(missing), before \(start): reading from there")
                start = missing
            }
            throw MongoDBFailure.oplogOverflow(host, "transactions chain back without end")
        } catch let error as MongoError {
            throw MongoDBFailure.failed("reading the oplog", error, host: host)
        }
    }

    private func read(
        _ position: OplogPosition,
        from start: ClusterTime,
        to end: OpTime,
        _ connection: MongoConnection
    ) async throws -> (Slice, missing: ClusterTime?) {
        let chunker = DocumentChunker(key: chunkKey, namespace: "local.oplog.rs")
        let (inspection, chunks) = try await store.storing { put in
            var inspection = OplogInspection(from: start, applied: position.applied.time)
            var buffer: [UInt8] = []
            var batch = try await connection.open(
                "local",
                [
                    "find": "oplog.rs",
                    "filter": ["ts": ["$gte": .timestamp(start.bits), "$lte": .timestamp(end.time.bits)]],
                    "readConcern": ["level": "majority"], "batchSize": 2_000,
                ]
            )
            while true {
                try Task.checkCancellation()
                var filled: [FilledChunk] = []
                try batch.withDocuments { span, walk in
                    while let range = try walk.next() {
                        guard let identity = try inspection.inspect(span, range) else { continue }
                        span.extracting(range).withUnsafeBytes { buffer.append(contentsOf: $0) }
                        let effect = chunker.end(span, identity: identity, documentLength: range.count)
                        guard DocumentChunker.isCut(size: buffer.count, effect) else { continue }
                        filled.append(FilledChunk(bytes: buffer, documents: 0))
                        buffer = []
                    }
                }
                for chunk in filled { try await put(chunk) }
                progress.add("oplog", bytes: 0, documents: 0)
                if batch.cursorID == 0 { break }
                batch = try await connection.next(after: batch, batchSize: 10_000)
            }
            if !buffer.isEmpty { try await put(FilledChunk(bytes: buffer, documents: 0)) }
            return inspection
        }
        guard let last = inspection.last, inspection.first == start else {
            let found = inspection.first.map { "the first entry left is \($0)" } ?? "no entry is left"
            throw MongoDBFailure.oplogOverflow(host, "it must begin at \(start), but \(found)")
        }
        guard last == end.time else { throw MongoDBFailure.rolledBack(host) }
        let size = chunks.reduce(0) { $0 + $1.bytes }
        let record = MongoDBManifest.Oplog(
            start: inspection.firstKept ?? last,
            end: last,
            count: inspection.count,
            bytes: Int64(size),
            crc64: chunks.checksum.description
        )
        let file = SnapshotFile(path: Self.fileName, size: UInt64(size), content: chunks.map(\.id))
        let slice = Slice(
            file: file,
            record: inspection.count > 0 ? record : nil,
            cut: last,
            hazards: inspection.hazards
        )
        return (slice, inspection.missingHead)
    }
}

/// Waits until the majority of a set has what a dump holds: until then a new primary could take it back.
struct MajorityWait: Sendable {
    let engine: MongoDBEngine
    let host: String

    /// Returns when the member knows that the majority has reached `point`.
    ///
    /// - Throws: `JobFailure` with `notMajorityCommitted`.
    func until(_ point: ClusterTime, _ connection: MongoConnection) async throws {
        let deadline = ContinuousClock.now + engine.tuning.majorityWait
        while true {
            do throws(MongoError) {
                if try await ReplicationState(asking: connection).committed >= point { return }
            } catch {
                throw MongoDBFailure.failed("asking how far the majority is", error, host: host)
            }
            guard ContinuousClock.now < deadline else { throw MongoDBFailure.notMajorityCommitted(host, point) }
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}
