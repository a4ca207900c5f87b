import BSON
import BackupModel

extension BackupRun {
    /// Reads everything at one point of the member's history, without a lock; by the oplog where that can't be done.
    func readAtOneTime() async throws -> Reading {
        let reason: String
        do {
            return try await HistoryWindow(engine: engine, host: member.host, context: context)
                .raised(to: .seconds(spec.lockBudgetSeconds)) { try await readHistory() }
        } catch let lost as SnapshotLost {
            reason = lost.reason
        } catch let error as MongoError {
            throw MongoDBFailure.failed("reading at one point of its history", error, host: member.host)
        }
        log(.warning, "the read at one point of history is given up, because \(reason): reading anew, with the oplog")
        var reading = try await readWithOplog()
        reading.warnings.append(
            "read with the oplog instead of at one point of history (consistency 'snapshot'), because \(reason)"
        )
        return reading
    }

    /// Reads catalog and data of one point, and proves that no change of the schema came between the two.
    ///
    /// - Throws: `SnapshotLost`, `MongoError`, `JobFailure`.
    private func readHistory() async throws -> Reading {
        let connection = try engine.connect(timeout: 60_000)
        let rollbacks = await rollbackID(connection)
        let before = try await OplogPosition(asking: connection)
        let entries = try await catalog()
        let after = try await ReplicationState(asking: connection).applied.time
        let time = cluster?.part.readAt ?? after
        if let cluster {
            try await cluster.reach(time)
        } else {
            progress.step("wait for the majority at \(time)")
            try await MajorityWait(engine: engine, host: member.host).until(time, connection)
        }
        let position = try await position(of: time, before, connection)
        await cluster?.ready(time)
        log(.info, "reading \(member.host) as it was at \(time), without a lock")
        await engine.tuning.pause("time chosen")

        var collections = try await dump(
            entries.filter { !isUnreadable($0) },
            at: time,
            isLocked: { true },
            hasOplog: false
        )
        await engine.tuning.pause("read")
        // What has no history is made exact by the oplog, and then everything is so only at its end.
        let others = entries.filter(isUnreadable)
        if !others.isEmpty {
            collections += try await dump(others, isLocked: { false }, hasOplog: true)
            collections.sort { $0.entry.namespace < $1.entry.namespace }
        }
        let span = (min(before.applied.time, time), max(after, time))
        try await checkSchema(after: span.0, through: span.1, connection)
        try await checkRollback(connection, since: rollbacks)
        var reading = Reading(
            collections: collections,
            consistency: .snapshot,
            guarantee: .groupCut,
            cut: time,
            position: position,
            rollbacks: rollbacks
        )
        guard !others.isEmpty else { return reading }
        let names = others.map(\.namespace.description).joined(separator: ", ")
        log(.info, "capped collections have no history, so the oplog is taken along: \(names)")
        let slice = try await oplogDump.run(from: position)
        if let hazard = slice.hazards.first { throw SnapshotLost(reason: "of \(hazard)") }
        reading.oplog = slice
        reading.cut = slice.cut
        return reading
    }

    /// Whether the server keeps no history of a collection: of capped ones only since 8.0.
    private func isUnreadable(_ entry: CatalogEntry) -> Bool {
        let major = member.facts.version.split(separator: ".").first.flatMap { Int($0) } ?? 0
        return entry.isCapped && major < 8
    }

    /// Where the oplog leads on from `time`, given the position of a moment near it.
    private func position(of time: ClusterTime, _ near: OplogPosition, _ connection: MongoConnection) async throws
        -> OplogPosition
    {
        var position = near
        position.applied.time = time
        if near.start > time {
            // A point that another group has chosen need not have an entry here.
            let entries = try await connection.all(
                "local",
                [
                    "find": "oplog.rs", "filter": ["ts": ["$lte": .timestamp(time.bits)]], "sort": ["$natural": -1],
                    "limit": 1, "singleBatch": true, "projection": ["ts": 1],
                ]
            )
            guard let entry = entries.first?["ts"]?.timestamp else {
                throw SnapshotLost(reason: "the oplog of \(member.host) no longer reaches back to \(time)")
            }
            position.start = ClusterTime(bits: entry)
        }
        if cluster != nil {
            do throws(MongoError) {
                position.layout = try await LayoutTracker(asking: connection, at: time)
            } catch {
                guard
                    error.code == MongoError.ServerCode.snapshotUnavailable
                        || error.code == MongoError.ServerCode.snapshotTooOld
                else { throw error }
                throw SnapshotLost(reason: "what was under way in the cluster at \(time) can't be read: \(error)")
            }
        }
        return position
    }

    /// Looks for changes of the schema that came between the catalog and the data, or took a name away meanwhile.
    private func checkSchema(
        after start: ClusterTime,
        through end: ClusterTime,
        _ connection: MongoConnection
    ) async throws {
        let now = try await ReplicationState(asking: connection).applied.time
        let first = try await connection.all(
            "local",
            [
                "find": "oplog.rs", "sort": ["$natural": 1], "limit": 1, "singleBatch": true,
                "projection": ["ts": 1],
            ]
        ).first?["ts"]?.timestamp
        guard let first, ClusterTime(bits: first) <= start else {
            throw SnapshotLost(reason: "the oplog of \(member.host) no longer tells what was changed since \(start)")
        }
        var changes = SchemaChanges(after: start, through: end)
        let entries = try await connection.all(
            "local",
            ["find": "oplog.rs", "filter": .document(changes.filter(to: now))]
        )
        for entry in entries { try changes.take(try OplogEntry(entry.bytes.span.bytes, at: 0).operation) }
        if let change = changes.found.first { throw SnapshotLost(reason: change) }
    }
}
