import BSON
import BackupModel

/// One job's part in the backup of a whole cluster: what it tells the other groups' jobs, and what it waits for.
///
/// - The config server's job stops the balancer, locks its member and is *ready*; the shards' jobs begin then. It keeps
///   its lock until they have all read.
/// - Each job is *finished* when it has read and unlocked, and names the earliest cut at which its group is exact.
/// - The coordinator takes the greatest of them as the cut T; every job then adds the oplog up to exactly T.
actor ClusterJob {
    nonisolated let part: ClusterPart
    nonisolated let identity: ShardIdentity
    private let engine: MongoDBEngine
    private let context: any JobContext
    private let member: MemberAssessment
    /// The balancer that this job stopped, on the config server.
    nonisolated let balancer: BalancerStop?
    private var isReady = false
    /// Ranges that waited for their deletion when the reading began, on a shard.
    private(set) var pendingRangeDeletions: Int?

    /// Checks that the member is what the session takes it for.
    ///
    /// - Throws: `JobFailure` `wrongGroup` or `missingPrivilege`.
    init(
        _ part: ClusterPart,
        _ member: MemberAssessment,
        _ engine: MongoDBEngine,
        _ context: any JobContext
    ) throws {
        guard let identity = member.facts.sharding else {
            throw MongoDBFailure.wrongGroup(member.host, "it belongs to no sharded cluster")
        }
        guard identity.isConfigServer == (part.role == .configServer) else {
            throw MongoDBFailure.wrongGroup(
                member.host,
                identity.isConfigServer ? "it is a config server" : "it is not a config server"
            )
        }
        if let name = identity.shard {
            let wanted = ShardIdentity.Shard(name: name, replicaSet: member.group)
            guard part.shards.contains(where: { $0.isExactly(wanted) }) else {
                throw MongoDBFailure.wrongGroup(member.host, "the session knows no shard \(name) on \(member.group)")
            }
        }
        let missing = member.missingClusterPrivileges
        guard missing.isEmpty else { throw MongoDBFailure.missingPrivileges(member.host, missing) }
        self.part = part
        self.identity = identity
        self.member = member
        self.engine = engine
        self.context = context
        balancer = part.role == .configServer ? BalancerStop(engine, of: member, context: context) : nil
    }

    /// Whether the member's lock outlasts the dump: that of the config server does.
    nonisolated var holdsLock: Bool { part.role == .configServer }

    // MARK: Before reading

    /// Waits until nothing changes the cluster's layout here, and on a shard for ranges that are about to be deleted.
    ///
    /// - Throws: `JobFailure` `layoutChanged` when it doesn't come to rest, or other shards are there than the session
    ///   works on.
    func settle() async throws {
        if part.role == .configServer { try await checkShards() }
        let deadline = ContinuousClock.now + engine.tuning.layoutWait
        while true {
            let changes = try await ask("asking for changes of the layout") { connection throws(MongoError) in
                try await LayoutTracker(asking: connection).changes
            }
            guard let change = changes.first else { break }
            guard ContinuousClock.now < deadline else { throw MongoDBFailure.layoutChanged(member.host, change) }
            try await Task.sleep(for: .milliseconds(200))
        }
        if part.role == .shard { try await waitForRangeDeletions() }
    }

    private func waitForRangeDeletions() async throws {
        let deadline = ContinuousClock.now + engine.tuning.rangeDeletionWait
        var isTold = false
        while true {
            let count = try await ask("asking for ranges to be deleted") { connection throws(MongoError) in
                try await connection.all(
                    "config",
                    ["find": "rangeDeletions", "projection": ["_id": 1], "readConcern": ["level": "local"]]
                ).count
            }
            pendingRangeDeletions = count
            if count == 0 || ContinuousClock.now >= deadline { return }
            if !isTold { log(.info, "waiting for \(count) ranges that are to be deleted") }
            isTold = true
            try await Task.sleep(for: .milliseconds(500))
        }
    }

    /// Compares the cluster's shards with those that the session works on.
    ///
    /// - Throws: `JobFailure` `layoutChanged`.
    func checkShards() async throws {
        let shards = try await ask("listing the shards") { connection throws(MongoError) in
            try await ShardIdentity.shards(connection)
        }
        for shard in shards where !part.shards.contains(where: { $0.isExactly(shard) }) {
            throw MongoDBFailure.layoutChanged(member.host, "there is a shard \(shard.name) on \(shard.replicaSet)")
        }
        for shard in part.shards where !shards.contains(where: { $0.isExactly(shard) }) {
            throw MongoDBFailure.layoutChanged(member.host, "the shard \(shard.name) on \(shard.replicaSet) is gone")
        }
    }

    /// Names in the log what the cluster did to its layout since the session began: harmless, since the cut has been
    /// shown to fall into none of it, and good to know.
    func tellChanges() async {
        do {
            let changes = try await ask("reading the cluster's history") { connection throws(MongoError) in
                try await connection.all(
                    "config",
                    [
                        "find": "changelog", "filter": ["time": ["$gte": .date(part.begunMs)]], "sort": ["time": 1],
                        "limit": 20, "projection": ["what": 1, "ns": 1],
                    ]
                )
            }
            guard !changes.isEmpty else { return }
            let names = changes.map { "\($0["what"]?.string ?? "?") \($0["ns"]?.string ?? "")" }
            log(.info, "the layout changed since the session began: \(names.joined(separator: ", "))")
        } catch {
            log(.debug, "the cluster's history could not be read: \(error)")
        }
    }

    // MARK: Meeting the others

    /// Lets the others begin; only the first time counts, for what is read again has been announced before.
    func ready(_ point: ClusterTime) {
        guard !isReady else { return }
        isReady = true
        context.reach(JobMilestone(.ready, point: point))
    }

    /// Waits under the lock until all shards have been read, or the lock ends by itself.
    func holdUntilOthersFinished(_ lock: MemberLock) async throws {
        log(.info, "keeping the lock until every shard has been read")
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [context] in _ = try await context.directive { $0.othersFinished } }
            group.addTask {
                // Ended by its watch; nobody tells, so it is asked.
                while await lock.isHeld { try await Task.sleep(for: .milliseconds(100)) }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// Tells from where on this group is exact, and waits for the cluster's cut while the oplog back to `start` lasts.
    ///
    /// - Throws: `JobFailure` `oplogOverflow`, or `cutNotReached` for a cut before `point`.
    func cut(after point: ClusterTime, oplogFrom start: ClusterTime) async throws -> ClusterTime {
        context.reach(JobMilestone(.finished, point: point))
        log(.info, "exact from \(point) on; waiting for the cluster's cut")
        let directive = try await withThrowingTaskGroup(of: JobDirective?.self) { group in
            group.addTask { [context] in try await context.directive { $0.cut != nil } }
            group.addTask {
                try await self.watchOplog(from: start)
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
        guard let cut = directive?.cut, cut >= point else {
            throw MongoDBFailure.cutNotReached(
                member.host,
                directive?.cut ?? point,
                "it is exact only from \(point) on"
            )
        }
        return cut
    }

    /// Fails as soon as the member's oplog has lost what is needed, so that nobody waits in vain.
    private func watchOplog(from start: ClusterTime) async throws {
        while true {
            // A member that doesn't answer may come back; whether the oplog is whole is proven when it is read.
            let connection = try? engine.connect(timeout: 3_000)
            let entries = try? await connection?.all(
                "local",
                [
                    "find": "oplog.rs", "sort": ["$natural": 1], "limit": 1, "singleBatch": true,
                    "projection": ["ts": 1], "maxTimeMS": 2_000,
                ]
            )
            if let first = entries?.first?["ts"]?.timestamp.map({ ClusterTime(bits: $0) }), first > start {
                throw MongoDBFailure.oplogOverflow(
                    member.host,
                    "it must begin at \(start), and the first entry left is \(first); the other groups are not done"
                )
            }
            try await Task.sleep(for: .seconds(5))
        }
    }

    // MARK: Reaching the cut

    /// Returns when the majority of the group, and the member, are at `cut` or behind it.
    ///
    /// The clock of a group that nobody writes to stands still: its primary is told to write a note. All groups then
    /// have the cut in their past, and nothing before it can change any more.
    func reach(_ cut: ClusterTime) async throws {
        let deadline = ContinuousClock.now + engine.tuning.majorityWait
        let primary = GroupPrimary(engine: engine, hosts: (member.set?.members ?? []).map(\.host))
        var isTold = false
        while true {
            let state = try await ask("asking how far it is") { connection throws(MongoError) in
                try await ReplicationState(asking: connection)
            }
            if state.applied.time >= cut, state.committed >= cut { return }
            guard ContinuousClock.now < deadline else {
                throw MongoDBFailure.cutNotReached(
                    member.host,
                    cut,
                    "it has applied \(state.applied.time), and the majority has \(state.committed)"
                )
            }
            if state.applied.time < cut {
                if !isTold { log(.info, "bringing the group from \(state.applied.time) to the cut \(cut)") }
                isTold = true
                try await note(cut, primary)
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    private func note(_ cut: ClusterTime, _ primary: GroupPrimary) async throws {
        do {
            try await primary.run(within: engine.tuning.majorityWait) { connection throws(MongoError) in
                // The server refuses a note for a time that it has passed already; asking first spares that.
                if try await ReplicationState(asking: connection).applied.time >= cut { return }
                do throws(MongoError) {
                    _ = try await connection.command(
                        "admin",
                        [
                            "appendOplogNote": 1, "maxClusterTime": .timestamp(cut.bits),
                            "data": ["remora": "cut", "job": .string(context.jobID)],
                        ]
                    )
                } catch {
                    if error.codeName == "StaleClusterTime" { return }
                    throw error
                }
            }
        } catch let error as MongoError {
            throw MongoDBFailure.failed("bringing the group to the cluster's cut", error, host: member.host)
        }
    }

    /// Asks the member, patiently: it may have to be reconnected to, hours after the last question.
    private func ask<Value: Sendable>(
        _ what: String,
        _ body: (MongoConnection) async throws(MongoError) -> Value
    ) async throws -> Value {
        let deadline = ContinuousClock.now + engine.tuning.silenceGrace
        while true {
            do throws(MongoError) {
                let connection = try MongoConnection(engine.configuration, socketTimeoutMilliseconds: 10_000)
                return try await body(connection)
            } catch {
                guard GroupPrimary.isPassing(error), ContinuousClock.now < deadline else {
                    throw MongoDBFailure.failed(what, error, host: member.host)
                }
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    private func log(_ level: JobLogLevel, _ message: String) { context.log(level, "cluster", message) }
}
