import BSON
import BackupModel
import Repository

/// One backup of one member, from the first look at it to the files of the snapshot.
struct BackupRun: Sendable {
    /// What was read, and how it became exact.
    struct Reading: Sendable {
        var collections: [DumpRun.Collection]
        var consistency: Consistency
        var guarantee: Guarantee
        var cut: ClusterTime?
        var oplog: OplogDump.Slice?
        var lock: MongoDBManifest.Lock?
        var warnings: [String] = []
        /// Where the oplog has to begin that leads on from what was read.
        var position: OplogPosition?
        /// The member's rollbacks before it was read.
        var rollbacks: Int64?
        /// The group's place in its cluster.
        var cluster: MongoDBManifest.Cluster?
    }

    let engine: MongoDBEngine
    let spec: BackupSpec
    let context: any JobContext
    let member: MemberAssessment
    let plan: BackupPlan
    let store: ChunkStore
    let progress: DumpProgress
    let chunkKey: [UInt8]
    let readers: Int
    /// The part in a backup of a whole cluster; nil for a group by itself.
    let cluster: ClusterJob?

    func log(_ level: JobLogLevel, _ message: String) { context.log(level, "backup", message) }

    /// Reads everything by the plan.
    func read() async throws -> Reading {
        guard let cluster else {
            var reading = try await readGroup()
            tellLoneliness(&reading)
            return reading
        }
        try await cluster.settle()
        var reading = try await readGroup()
        try await complete(&reading, cluster)
        return reading
    }

    private func readGroup() async throws -> Reading {
        switch plan.consistency {
        case .lock: try await readLocked()
        case .oplog: try await readWithOplog()
        case .snapshot: try await readAtOneTime()
        case .none: try await readFuzzy()
        }
    }

    // MARK: Without a lock

    private func readFuzzy() async throws -> Reading {
        let collections = try await dump(isLocked: { false }, hasOplog: false)
        let isStandalone = member.role == .standalone
        return Reading(
            collections: collections,
            consistency: .none,
            guarantee: isStandalone ? .node : .fuzzy,
            warnings: [
                isStandalone
                    ? "\(member.host) is a standalone: the dump is exact only if nothing was written while it was read"
                    : "read without lock and without oplog, as asked for: the dump is fuzzy"
            ]
        )
    }

    /// Reads while the member goes on, and takes the oplog along that makes good what changed meanwhile.
    func readWithOplog() async throws -> Reading {
        var lastHazard = ""
        for attempt in 1...max(1, engine.tuning.schemaRetries) {
            let connection = try engine.connect()
            let position: OplogPosition
            do throws(MongoError) {
                position = try await self.position(connection)
            } catch {
                throw MongoDBFailure.failed("finding the start of the oplog", error, host: member.host)
            }
            let rollbacks = await rollbackID(connection)
            await cluster?.ready(position.applied.time)
            log(.info, "reading \(member.host) without a lock, oplog from \(position.start)")
            let collections = try await dump(isLocked: { false }, hasOplog: true)
            await engine.tuning.pause("read")
            let slice = try await oplogDump.run(from: position)
            try await checkRollback(connection, since: rollbacks)
            if slice.hazards.isEmpty {
                return Reading(
                    collections: collections,
                    consistency: .oplog,
                    guarantee: .groupCut,
                    cut: slice.cut,
                    oplog: slice,
                    position: position,
                    rollbacks: rollbacks
                )
            }
            lastHazard = slice.hazards.joined(separator: ", ")
            log(.warning, "attempt \(attempt) can't be made exact because of \(lastHazard): reading again")
        }
        throw MongoDBFailure.schemaChanged(lastHazard)
    }

    // MARK: Under a lock

    private func readLocked() async throws -> Reading {
        guard let config = member.facts.config else {
            throw MongoDBFailure.notLockable(member.host, "its replica set configuration could not be read")
        }
        let lock = try MemberLock(
            engine,
            host: member.host,
            freezes: plan.freezes,
            budget: plan.budget,
            context: context
        )
        context.log(.info, "lock", "locking \(member.host) for at most \(seconds(plan.budget))")
        let grant = try await lock.take()
        context.log(
            .info,
            "lock",
            "locked \(member.host) at \(grant.point.time), granted after \(seconds(grant.acquisition))"
        )
        let watch = LockWatch(
            lock: lock,
            engine: engine,
            context: context,
            config: config,
            grant: grant,
            budget: plan.budget,
            oplogShare: spec.lockBudgetOplogShare
        )
        let reading = try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await watch.run() }
            defer { group.cancelAll() }
            do {
                return try await read(under: lock, grant)
            } catch {
                let reason = error is CancellationError || Task.isCancelled ? "cancelled" : "dump failed"
                await lock.release(reason: reason)
                throw error
            }
        }
        guard let reading else {
            return try await readWithOplog()
        }
        return reading
    }

    /// Reads under the lock for as long as it lasts, and without it to the end; nil when it must be read anew.
    private func read(under lock: MemberLock, _ grant: MemberLock.Grant) async throws -> Reading? {
        await cluster?.ready(grant.point.time)
        await engine.tuning.pause("locked")
        let connection = try engine.connect()
        let position: OplogPosition
        do throws(MongoError) {
            position = try await self.position(connection)
        } catch {
            throw MongoDBFailure.failed("finding the start of the oplog", error, host: member.host)
        }
        let rollbacks = await rollbackID(connection)
        let collections = try await dump(isLocked: { await lock.isHeld }, hasOplog: true)
        await engine.tuning.pause("read")
        // Seen now, because the config server's lock may end by its budget while the shards go on reading.
        let wasCovered = cluster?.holdsLock == true ? await lock.isIntact : false
        if wasCovered { try await cluster?.holdUntilOthersFinished(lock) }
        let ending = await lock.release(reason: "dump finished")
        if let failure = ending.failure { throw failure }
        var reading = Reading(
            collections: collections,
            consistency: .lock,
            guarantee: .groupCut,
            lock: MongoDBManifest.Lock(
                host: member.host,
                point: grant.point.time,
                acquisitionMs: Int64(milliseconds(grant.acquisition)),
                heldMs: Int64(milliseconds(ending.held)),
                coveredWholeDump: wasCovered || ending.wasIntact && ending.reason == "dump finished",
                endReason: ending.reason
            ),
            // Under the lock nothing was applied: its point is where the oplog leads on from.
            position: OplogPosition(start: position.start, applied: grant.point, layout: position.layout),
            rollbacks: rollbacks
        )
        if reading.lock?.coveredWholeDump == true {
            reading.cut = grant.point.time
            progress.step("wait for the majority at \(grant.point.time)")
            try await MajorityWait(engine: engine, host: member.host).until(grant.point.time, connection)
        } else {
            let why = ending.reason == "dump finished" ? "somebody else released the lock" : ending.reason
            reading.warnings.append("the lock ended before the dump (\(why)): the oplog makes it exact at a later cut")
            log(.warning, "the lock ended early (\(why)): closing the gap by the oplog from \(position.start)")
            let slice = try await oplogDump.run(
                from: OplogPosition(start: position.start, applied: grant.point, layout: position.layout)
            )
            if !slice.hazards.isEmpty {
                log(
                    .warning,
                    "\(slice.hazards.joined(separator: ", ")) while it was read: reading again without a lock"
                )
                return nil
            }
            reading.oplog = slice
            reading.cut = slice.cut
        }
        try await checkRollback(connection, since: rollbacks)
        return reading
    }

    // MARK: Parts

    private func dump(isLocked: @escaping @Sendable () async -> Bool, hasOplog: Bool) async throws
        -> [DumpRun.Collection]
    {
        try await dump(catalog(), isLocked: isLocked, hasOplog: hasOplog)
    }

    /// Everything that is to be read, by name.
    func catalog() async throws -> [CatalogEntry] {
        progress.step("read the catalog")
        do {
            let entries = try await CatalogReader.read(
                engine.connect(timeout: 60_000),
                spec.selection,
                keepsLayout: cluster != nil
            )
            progress.begin(total: entries.reduce(0) { $0 + $1.estimatedBytes })
            return entries
        } catch let error as MongoError {
            throw MongoDBFailure.failed("reading the catalog", error, host: member.host)
        }
    }

    /// Reads these, as they are or as they were at a point of history.
    func dump(
        _ entries: [CatalogEntry],
        at time: ClusterTime? = nil,
        isLocked: @escaping @Sendable () async -> Bool,
        hasOplog: Bool
    ) async throws -> [DumpRun.Collection] {
        let run = DumpRun(
            engine: engine,
            store: store,
            progress: progress,
            context: context,
            chunkKey: chunkKey,
            readers: readers,
            time: time,
            isLocked: isLocked,
            hasOplog: hasOplog
        )
        return try await run.run(entries)
    }

    private func position(_ connection: MongoConnection) async throws(MongoError) -> OplogPosition {
        var position = try await OplogPosition(asking: connection)
        if cluster != nil { position.layout = try await LayoutTracker(asking: connection) }
        return position
    }

    var oplogDump: OplogDump {
        OplogDump(
            engine: engine,
            store: store,
            progress: progress,
            context: context,
            chunkKey: chunkKey,
            host: member.host
        )
    }

    /// Fails when the member has rolled back since; where we may not ask, term and time of the oplog's end must do.
    func checkRollback(_ connection: MongoConnection, since before: Int64?) async throws {
        guard let before, let now = await rollbackID(connection) else { return }
        if now != before { throw MongoDBFailure.rolledBack(member.host) }
    }

    /// Counts the member's rollbacks; nil where we may not ask.
    func rollbackID(_ connection: MongoConnection) async -> Int64? {
        do throws(MongoError) {
            return try await connection.command("admin", ["replSetGetRBID": 1])["rbid"]?.integer
        } catch {
            if error.code != MongoError.ServerCode.unauthorized {
                log(.debug, "the rollback id could not be read: \(error)")
            }
            return nil
        }
    }
}

extension OplogPosition {
    init(start: ClusterTime, applied: OpTime, layout: LayoutTracker = LayoutTracker()) {
        self.start = start
        self.applied = applied
        self.layout = layout
    }
}
