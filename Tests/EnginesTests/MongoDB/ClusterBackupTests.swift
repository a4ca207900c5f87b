import BSON
import BackupModel
import Repository
import TestSupport
import Testing

@testable import Engines

@Suite("MongoDB cluster backup", .serialized, .timeLimit(.minutes(15)))
struct ClusterBackupTests {
    /// Restores each shard's part of `bank` beside the other on one server and compares the two halves.
    static func checkBank(_ session: ClusterSession, _ backups: [String: BackupRig.Backup]) async throws
        -> [Int32: Set<Int>]
    {
        let server = try await SharedServers.standalone()
        let client = try server.client()
        var transfers: [Int32: Set<Int>] = [:]
        var total = 0
        for (side, job) in session.shards.enumerated() {
            let backup = try #require(backups[job.name])
            try await job.rig.repository.loadIndex()
            let snapshot = try await job.rig.repository.reader(
                of: #require(try await job.rig.repository.snapshots().first).id
            )
            let name = SharedServers.uniqueName("half")
            let context = RecordingContext()
            _ = try await MongoDBEngine(RestoreRig.configuration(server)).restore(
                RestoreSpec(
                    snapshotID: backup.id,
                    selection: NamespaceSelection(
                        include: ["bank.*"],
                        renames: [.init(from: "bank.*", to: "\(name).*")]
                    )
                ),
                from: snapshot,
                context: context
            )
            let documents = try await client.find(in: "transfers", of: name)
            transfers[Int32(side)] = Set(documents.compactMap { $0["_id.n"]?.int })
            total += try await client.find(in: "accounts", of: name).reduce(0) { $0 + ($1["balance"]?.int ?? 0) }
            try await client.command(#"{"dropDatabase": 1}"#, on: name)
        }
        #expect(total == Transfers.accounts * 1000, "\(session.log)")
        #expect(transfers[0] == transfers[1], "\(session.log)")
        return transfers
    }

    private func check(
        _ session: ClusterSession,
        _ cut: ClusterTime,
        _ backups: [String: BackupRig.Backup]
    ) async throws {
        for job in [session.config] + session.shards {
            let backup = try #require(backups[job.name])
            #expect(backup.result.guarantee == .clusterCut)
            #expect(backup.result.cut == cut)
            let files = try await job.rig.restore(backup)
            let manifest = try BackupRig.manifest(files)
            #expect(manifest.cut == cut)
            #expect(manifest.cluster?.role == (job.name == "cfg" ? .configServer : .shard))
            #expect(manifest.cluster?.shard == (job.name == "cfg" ? nil : job.name))
            #expect(manifest.cluster?.shards.map(\.name) == ["rsA", "rsB"])
            let oplog = files["oplog.bson"] ?? []
            var documents = BSONDocumentSequence(oplog.span.bytes)
            while let place = try documents.next() {
                let entry = try OplogEntry(oplog.span.bytes, at: place.lowerBound)
                if entry.operation.time <= cut { continue }
                // Behind the cut only commits of what was committed by then.
                guard case .commitTransaction(let time?) = try OplogCommand(entry.operation) else {
                    Issue.record("\(job.name) has an entry at \(entry.operation.time), behind \(cut)")
                    continue
                }
                #expect(time <= cut)
            }
            let config = manifest.namespaces.filter { $0.namespace.hasPrefix("config.") }.map(\.namespace)
            if job.name == "cfg" {
                #expect(Set(["config.shards", "config.databases", "config.collections"]).isSubset(of: config))
                #expect(manifest.cluster?.balancerWasOn == true)
            } else {
                #expect(Set(config).isSubset(of: ["config.rangeDeletions"]))
                #expect(manifest.cluster?.balancerWasOn == nil)
            }
        }
    }

    @Test("three members a group, locked: one cut under transfers; the config server's lock lasts to the shards' end")
    func locked() async throws {
        try await withTestDirectory("cluster") { directory in
            let cluster = try await ShardedCluster.start(
                ShardedClusterOptions(shards: 2, members: 3, configMembers: 3),
                in: directory
            )
            try await Transfers.prepare(cluster)
            let transfers = Transfers(cluster)
            await transfers.start()
            try await eventually("transfers go on") { await transfers.count > 3 }
            var session = try await ClusterSession(cluster, in: directory)
            let configContext = session.config.context
            let configMember = session.config.member
            for index in session.shards.indices {
                session.shards[index].tuning = { tuning in
                    tuning.pause = { step in
                        guard step == "locked" else { return }
                        do {
                            // While shards read: the balancer is off, and the config server's member locked.
                            #expect(try await cluster.balancerStatus().mode == "off")
                            #expect(try await configMember.isLocked())
                            #expect(configContext.meeting.milestones.map(\.stage) == [.ready])
                        } catch {
                            Issue.record("\(error)")
                        }
                    }
                }
            }
            for job in [session.config] + session.shards {
                let status = await job.engine.inspect()
                #expect(status.problems == [])
                #expect(status.sharding?.isConfigServer == (job.name == "cfg"))
                #expect(status.sharding?.shard == (job.name == "cfg" ? nil : job.name))
                #expect(status.sharding?.shards.map(\.name) == (job.name == "cfg" ? ["rsA", "rsB"] : []))
                #expect(status.sharding?.clusterID.count == 24)
            }
            let (cut, backups) = try await session.run()
            #expect(try await cluster.balancerStatus().mode == "full")
            try await atOneTime(cluster, directory)
            try await transfers.stop()
            try await check(session, cut, backups)
            for job in [session.config] + session.shards {
                #expect(backups[job.name]?.result.consistency == .lock, "\(job.context.log)")
                #expect(backups[job.name]?.result.lock?.endReason == "dump finished")
                #expect(try await !job.member.isLocked())
                let points = job.context.meeting.milestones
                #expect(points.map(\.stage) == [.ready, .finished] && points[0].point == points[1].point)
            }
            let reports = session.config.context.balancers
            #expect(reports.first?.isStopped == true && reports.last?.isStopped == false)
            let halves = try await Self.checkBank(session, backups)
            #expect((halves[0]?.count ?? 0) > 3)
            try await lockFails(cluster, directory)
            try await primarySteps(cluster, directory)
            await cluster.kill()
        }
    }

    /// Without any lock, every group is read at the same time of the cluster.
    private func atOneTime(_ cluster: ShardedCluster, _ directory: TestDirectory) async throws {
        let session = try await ClusterSession(cluster, in: directory, consistency: .snapshot)
        let (cut, backups) = try await session.run()
        #expect(try await cluster.balancerStatus().mode == "full")
        try await check(session, cut, backups)
        for job in [session.config] + session.shards {
            #expect(backups[job.name]?.result.consistency == .snapshot, "\(job.context.log)")
            #expect(backups[job.name]?.result.warnings == [], "\(job.context.log)")
            #expect(job.context.meeting.milestones.map(\.point) == [cut, cut])
            #expect(job.context.lastLock == nil)
        }
        let halves = try await Self.checkBank(session, backups)
        #expect((halves[0]?.count ?? 0) > 3)
    }

    /// A lock that somebody else holds on the config server's member ends the session, and the balancer is back.
    private func lockFails(_ cluster: ShardedCluster, _ directory: TestDirectory) async throws {
        let session = try await ClusterSession(cluster, in: directory)
        let foreign = try session.config.member.client()
        var config = session.config
        config.tuning = { tuning in
            tuning.pause = { step in
                guard step == "balancer stopped" else { return }
                do {
                    try await foreign.command(#"{"fsync": 1, "lock": true}"#)
                } catch {
                    Issue.record("\(error)")
                }
            }
        }
        let failure = await #expect(throws: JobFailure.self) {
            try await config.rig.backUp(config.engine, config.spec, context: config.context)
        }
        #expect(failure?.code == "foreignLock")
        #expect(try await cluster.balancerStatus().mode == "full")
        #expect(config.context.meeting.milestones.isEmpty)
        try await foreign.command(#"{"fsyncUnlock": 1}"#)
    }

    /// The config server gets another primary while its balancer is off: it is found, and told to go on.
    private func primarySteps(_ cluster: ShardedCluster, _ directory: TestDirectory) async throws {
        var session = try await ClusterSession(cluster, in: directory, consistency: .oplog)
        let config = cluster.config
        session.config.tuning = { tuning in
            tuning.pause = { step in
                guard step == "finished" else { return }
                do {
                    try await config.stepDown()
                } catch {
                    Issue.record("\(error)")
                }
            }
        }
        let (cut, backups) = try await session.run()
        try await check(session, cut, backups)
        // The first answer may still come from the old primary.
        try await eventually("the balancer is back") { try await cluster.balancerStatus().mode == "full" }
        #expect(session.config.context.balancers.last?.isStopped == false)
    }

    @Test("one member a group, unlocked: transactions held between prepare and commit are whole by their timestamps")
    func prepared() async throws {
        try await withTestDirectory("cluster") { directory in
            let cluster = try await ShardedCluster.start(in: directory)
            try await Transfers.prepare(cluster)
            var connections: [WireConnection] = []
            for name in cluster.shardNames { connections.append(try await cluster.wireConnection(to: name)) }
            let held = try await (0..<2).asyncMap { index -> (CrossShardTransaction, UInt64) in
                let transaction = CrossShardTransaction(session: SessionIdentifier(), number: 1)
                for (side, name) in cluster.shardNames.enumerated() {
                    try await Transfers.run(transaction, index + 1, side, name, connections[side])
                }
                return (transaction, try await transaction.prepare())
            }
            var session = try await ClusterSession(cluster, in: directory)
            session.onCut = { cut in
                // Both are prepared everywhere and decided nowhere. The first was committed before the cut, the second
                // behind it, and their entries come long after it.
                let later = UInt64(cut.t + 1) << 32 | 1
                Task {
                    try await Task.sleep(for: .seconds(2))
                    try await held[0].0.commitPrepared(at: held[0].1)
                    try await cluster.advance(to: later)
                    try await held[1].0.commitPrepared(at: later)
                }
                return cut
            }
            let (cut, backups) = try await session.run()
            #expect(cut > ClusterTime(bits: held[0].1))
            try await check(session, cut, backups)
            for job in session.shards {
                #expect(job.context.log.contains("2 transactions were prepared at"))
                #expect(backups[job.name]?.result.consistency == .oplog)
                #expect(try #require(backups[job.name]?.result.oplogEnd) > cut)
            }
            let halves = try await Self.checkBank(session, backups)
            #expect(halves[0] == [1])
            #expect(try await cluster.balancerStatus().mode == "full")
            try await alone(cluster, session)
            await cluster.kill()
        }
    }

    /// One shard by itself: possible, and said so.
    private func alone(_ cluster: ShardedCluster, _ session: ClusterSession) async throws {
        let job = session.shards[0]
        let backup = try await job.rig.backUp(job.engine, BackupSpec())
        #expect(backup.result.guarantee == .groupCut)
        #expect(backup.result.warnings.contains { $0.contains("only this group was backed up") })
    }
}

extension ShardedCluster {
    /// Writes an entry to a shard's oplog; its time is behind all that was written there before.
    func noteTime(on shard: String) async throws -> UInt64 {
        let reply = try await shardClient(shard).command(#"{"appendOplogNote": 1, "data": {"test": 1}}"#)
        return reply["operationTime"]?.timestamp ?? 0
    }

    /// Brings the clocks of all shards behind a time.
    func advance(to time: UInt64) async throws {
        for name in shardNames {
            try await eventually("the clock of \(name) is behind \(time >> 32)") {
                try await noteTime(on: name) > time
            }
        }
    }
}

extension Sequence where Self: Sendable {
    fileprivate func asyncMap<Value>(_ transform: (Element) async throws -> Value) async throws -> [Value] {
        var result: [Value] = []
        for element in self { result.append(try await transform(element)) }
        return result
    }
}
