import BSON
import BackupModel
import Repository

/// Stores the oplog between a point before everything that was read and one behind it: what makes a dump exact that
/// was read while it changed.
struct OplogDump: Sendable {
    /// What was stored.
    struct Slice: Sendable {
        /// The point to which data and oplog together restore.
        var cut: ClusterTime
        /// Where it begins, which may be before the first entry that is kept.
        let start: ClusterTime
        fileprivate(set) var inspection: OplogInspection
        fileprivate var chunks: [StoredChunk]
        /// Commits behind the cut of transactions that were committed by then, and the time of the last of them.
        fileprivate(set) var lateCommits: (count: Int64, last: ClusterTime)?

        /// Changes that no replay makes good; the dump must be read again.
        var hazards: [String] { inspection.hazards }

        private var size: Int { chunks.reduce(0) { $0 + $1.bytes } }

        var file: SnapshotFile {
            SnapshotFile(path: OplogDump.fileName, size: UInt64(size), content: chunks.map(\.id))
        }

        /// Nil when nothing was written meanwhile.
        var record: MongoDBManifest.Oplog? {
            let count = inspection.count + (lateCommits?.count ?? 0)
            guard count > 0, let last = lateCommits?.last ?? inspection.last else { return nil }
            return MongoDBManifest.Oplog(
                start: inspection.firstKept ?? last,
                end: last,
                count: count,
                bytes: Int64(size),
                crc64: chunks.checksum.description
            )
        }
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
            let slice = try await chained(position, to: end.time, nil, connection)
            guard slice.inspection.last == end.time else { throw MongoDBFailure.rolledBack(host) }
            return slice
        } catch let error as MongoError {
            throw MongoDBFailure.failed("reading the oplog", error, host: host)
        }
    }

    /// Stores the slice from `position` to exactly `cut`, going on from what is stored already.
    ///
    /// The majority and the member must be behind `cut` already, so that nothing before it can change any more; the
    /// group may have no entry at `cut` itself. A transaction over several shards counts when its *commit timestamp* is
    /// not behind the cut, which all shards see alike. One that was prepared before the cut may be decided long after
    /// it: that is waited for, and if it was committed at a time before the cut, its commit's entry is stored, too,
    /// behind all others.
    ///
    /// - Throws: `JobFailure` with `oplogOverflow`, or `cutNotReached` when a prepared transaction stays undecided.
    func extend(_ slice: Slice?, from position: OplogPosition, to cut: ClusterTime) async throws -> Slice {
        do {
            let connection = try engine.connect(timeout: engine.configuration.socketTimeoutMilliseconds)
            var slice = try await chained(position, to: cut, slice, connection)
            slice.cut = cut
            try await decide(&slice, connection)
            return slice
        } catch let error as MongoError {
            throw MongoDBFailure.failed("reading the oplog", error, host: host)
        }
    }

    /// Reads to `end`, from as far back as transactions in the slice need.
    private func chained(
        _ position: OplogPosition,
        to end: ClusterTime,
        _ stored: Slice?,
        _ connection: MongoConnection
    ) async throws -> Slice {
        var start = stored?.start ?? position.start
        var stored = stored
        progress.step("read the oplog from \(stored?.cut ?? start) to \(end)")
        // A head can have a head before it, never itself: this ends at the oldest open transaction.
        for _ in 0..<100 {
            let slice = try await read(position, from: start, to: end, after: stored, connection)
            guard let missing = slice.inspection.missingHead else { return slice }
            context.log(.info, "oplog", "a transaction begins at \(missing), before \(start): reading from there")
            start = missing
            stored = nil
        }
        throw MongoDBFailure.oplogOverflow(host, "transactions chain back without end")
    }

    private func read(
        _ position: OplogPosition,
        from start: ClusterTime,
        to end: ClusterTime,
        after stored: Slice?,
        _ connection: MongoConnection
    ) async throws -> Slice {
        let chunker = DocumentChunker(key: chunkKey, namespace: "local.oplog.rs")
        let lower: BSONDocument =
            if let stored { ["$gt": .timestamp(stored.cut.bits), "$lte": .timestamp(end.bits)] } else {
                ["$gte": .timestamp(start.bits), "$lte": .timestamp(end.bits)]
            }
        let (inspection, chunks) = try await store.storing { put in
            var inspection =
                stored?.inspection
                ?? OplogInspection(from: start, applied: position.applied.time, layout: position.layout)
            var memory: ChunkMemory?
            var batch = try await connection.open(
                "local",
                [
                    "find": "oplog.rs", "filter": ["ts": .document(lower)], "readConcern": ["level": "majority"],
                    "batchSize": 2_000,
                ]
            )
            while true {
                try Task.checkCancellation()
                // One chunk at a time, so that few of them lie in memory.
                var place: Int?
                repeat {
                    var filled: FilledChunk?
                    try batch.withDocuments(from: place) { span, walk in
                        place = nil
                        while filled == nil, let range = try walk.next() {
                            guard let identity = try inspection.inspect(span, range) else { continue }
                            let chunk = memory ?? store.pool.take()
                            memory = chunk
                            span.extracting(range).withUnsafeBytes { chunk.append($0) }
                            let effect = chunker.end(span, identity: identity, documentLength: range.count)
                            guard DocumentChunker.isCut(size: chunk.count, effect) else { continue }
                            filled = FilledChunk(chunk)
                            memory = nil
                            place = range.upperBound
                        }
                    }
                    if let filled { try await put(filled) }
                } while place != nil
                progress.add("oplog", bytes: 0, documents: 0)
                if batch.cursorID == 0 { break }
                batch = try await connection.next(after: batch, batchSize: 10_000)
            }
            if let memory { try await put(FilledChunk(memory)) }
            return inspection
        }
        guard let last = inspection.last, inspection.first == start else {
            let found = inspection.first.map { "the first entry left is \($0)" } ?? "no entry is left"
            throw MongoDBFailure.oplogOverflow(host, "it must begin at \(start), but \(found)")
        }
        if let stored, try await !hasEntry(at: stored.cut, connection) {
            // Entries go in their order: with this one still there, none behind it was missing.
            throw MongoDBFailure.oplogOverflow(host, "it must go on from \(stored.cut), which is no longer there")
        }
        return Slice(cut: last, start: start, inspection: inspection, chunks: (stored?.chunks ?? []) + chunks)
    }

    private func hasEntry(at time: ClusterTime, _ connection: MongoConnection) async throws(MongoError) -> Bool {
        try await !connection.all(
            "local",
            [
                "find": "oplog.rs", "filter": ["ts": .timestamp(time.bits)], "limit": 1, "singleBatch": true,
                "projection": ["ts": 1],
            ]
        ).isEmpty
    }

    /// Waits for the decision on every transaction that was prepared in the slice, and stores the commits that count.
    private func decide(_ slice: inout Slice, _ connection: MongoConnection) async throws {
        guard !slice.inspection.prepared.isEmpty else { return }
        progress.step("wait for prepared transactions")
        context.log(
            .info,
            "oplog",
            "\(slice.inspection.prepared.count) transactions were prepared at \(slice.cut) and not decided: reading on"
        )
        let deadline = ContinuousClock.now + engine.tuning.preparedWait
        var last = slice.cut
        var commits: [(time: ClusterTime, bytes: [UInt8])] = []
        while true {
            let state = try await ReplicationState(asking: connection)
            let end = min(state.committed, state.applied.time)
            if end > last {
                let entries = try await connection.all(
                    "local",
                    [
                        "find": "oplog.rs",
                        "filter": [
                            "ts": ["$gt": .timestamp(last.bits), "$lte": .timestamp(end.bits)], "op": "c",
                            "$or": [
                                ["o.commitTransaction": ["$exists": true]], ["o.abortTransaction": ["$exists": true]],
                            ],
                        ],
                        "readConcern": ["level": "majority"],
                    ]
                )
                for document in entries {
                    let entry = try OplogEntry(document.bytes.span.bytes, at: 0)
                    guard let id = entry.transaction?.id, slice.inspection.decide(id),
                        case .commitTransaction(let committed?) = try OplogCommand(entry.operation),
                        committed <= slice.cut
                    else { continue }
                    commits.append((entry.operation.time, document.bytes))
                }
                last = end
            }
            if slice.inspection.prepared.isEmpty { break }
            guard ContinuousClock.now < deadline else {
                throw MongoDBFailure.cutNotReached(
                    host,
                    slice.cut,
                    "\(slice.inspection.prepared.count) transactions that were prepared before it are still not decided"
                )
            }
            try await Task.sleep(for: .milliseconds(100))
        }
        guard let final = commits.last?.time else { return }
        let bytes = commits.flatMap(\.bytes)
        slice.chunks += try await store.stored(bytes)
        slice.lateCommits = (Int64(commits.count), final)
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
