import BackupModel
import TestSupport
import Testing

@testable import Engines

@Suite("MongoDB cluster backup: every way out gives the balancer back", .serialized, .timeLimit(.minutes(15)))
struct ClusterFaultTests {
    @Test("cancelled, crashed, refused, lapsed: what was on is on again, and what was off stays off")
    func waysOut() async throws {
        try await withTestDirectory("cluster") { directory in
            var options = ShardedClusterOptions()
            options.mongo.parameters["enableTestCommands"] = "1"
            let cluster = try await ShardedCluster.start(options, in: directory)
            try await Transfers.prepare(cluster)
            let session = try await ClusterSession(cluster, in: directory)
            for step in ["balancer noted", "balancer stopped", "read", "finished"] {
                try await cancelled(at: step, cluster, session)
            }
            try await wrongShards(cluster, session)
            try await lapsed(cluster, session)
            try await crashed(cluster, session)
            try await refused(cluster, session)
            try await turnedOn(cluster, session)
            try await moveThatDoesNotEnd(cluster, session)
            try await offBefore(cluster, directory)
            try await insideChange(cluster, directory)
            try await wholeChange(cluster, directory)
            await cluster.kill()
        }
    }

    private func isAsBefore(_ cluster: ShardedCluster, _ job: ClusterSession.Job) async throws {
        #expect(try await cluster.balancerStatus().mode == "full")
        #expect(try job.engine.balancerNotes.all() == [])
        #expect(try await !job.member.isLocked())
    }

    private func fresh(_ job: ClusterSession.Job) -> ClusterSession.Job {
        ClusterSession.Job(
            name: job.name,
            member: job.member,
            rig: job.rig,
            context: BackupContext(jobID: "job-\(job.name)"),
            spec: job.spec
        )
    }

    private func cancelled(at step: String, _ cluster: ShardedCluster, _ session: ClusterSession) async throws {
        let (reached, continuation) = AsyncStream.makeStream(of: Void.self)
        var job = fresh(session.config)
        job.tuning = { tuning in
            tuning.pause = { now in
                guard now == step else { return }
                continuation.yield()
                // Ended by the cancellation, which is what is asked of it.
                try? await Task.sleep(for: .seconds(60))
            }
        }
        job.context.onRecorded = { context in
            // Only the balancer's report counts here: when a member is locked, it is off already.
            guard context.balancers.count == 1, context.lastLock == nil else { return }
            #expect(context.balancers[0].isStopped)
            let mode = try await cluster.balancerStatus().mode
            #expect(mode == "full")
        }
        let running = job
        let task = Task {
            try await running.rig.backUp(running.engine, running.spec, context: running.context)
        }
        for await _ in reached { break }
        if step != "balancer noted" { #expect(try await cluster.balancerStatus().mode == "off") }
        task.cancel()
        await #expect(throws: CancellationError.self, "\(step): \(job.context.log)") { try await task.value }
        try await isAsBefore(cluster, job)
        #expect(job.context.balancers.last?.isStopped == false)
    }

    private func wrongShards(_ cluster: ShardedCluster, _ session: ClusterSession) async throws {
        let job = fresh(session.config)
        var spec = job.spec
        spec.cluster?.shards.append(.init(name: "rsZ", replicaSet: "rsZ"))
        let failure = await #expect(throws: JobFailure.self) {
            try await job.rig.backUp(job.engine, spec, context: job.context)
        }
        #expect(failure?.code == "layoutChanged" && failure?.message.contains("rsZ") == true)
        try await isAsBefore(cluster, job)
        // A shard that is taken for a config server.
        let shard = fresh(session.shards[0])
        let wrong = await #expect(throws: JobFailure.self) {
            try await shard.rig.backUp(shard.engine, job.spec, context: shard.context)
        }
        #expect(wrong?.code == "wrongGroup")
    }

    private func lapsed(_ cluster: ShardedCluster, _ session: ClusterSession) async throws {
        var job = fresh(session.config)
        let context = job.context
        job.tuning = { tuning in
            tuning.pause = { step in
                guard step == "read" else { return }
                context.lapse()
                do {
                    try await eventually("the balancer is back") {
                        try await cluster.balancerStatus().mode == "full"
                    }
                } catch {
                    Issue.record("\(error)")
                }
            }
        }
        context.meeting.direct(JobDirective(othersFinished: true))
        let running = job
        async let backup = running.rig.backUp(running.engine, running.spec, context: context)
        let point = try #require(try await context.meeting.reached(.finished).point)
        context.meeting.direct(JobDirective(othersFinished: true, cut: point))
        // The cut stands: no change of the layout falls on it. That the balancer was on is told.
        #expect(try await backup.result.warnings.contains { $0.contains("turned on before") })
        #expect(context.balancers.last?.endReason == "lease lapsed")
        try await isAsBefore(cluster, job)
    }

    private func crashed(_ cluster: ShardedCluster, _ session: ClusterSession) async throws {
        let job = fresh(session.config)
        try await cluster.stopBalancer()
        let note = BalancerNote(jobID: "dead", configServer: "cfg", hosts: [], autoSplitWasOn: false, since: 1)
        try job.engine.balancerNotes.write(note)
        let said = try await job.engine.releaseLeftovers()
        #expect(said == ["the balancer of cfg is on again, which job dead left off"])
        try await isAsBefore(cluster, job)
        func splits() async throws -> Bool? {
            let filter = #"{"_id": "autosplit"}"#
            return try await cluster.configClient().find(in: "settings", of: "config", filter: filter).first?[
                "enabled"
            ]?
            .bool
        }
        #expect(try await splits() == false)
        #expect(try await job.engine.releaseLeftovers() == [])

        // By another agent, which has only what the one that stopped it reported.
        for evidence in [note.evidence, nil] {
            try await cluster.stopBalancer()
            let spec = ReleaseSpec(host: "other", ownerJobID: "gone", kind: .balancer, evidence: evidence)
            try await job.engine.release(spec, context: job.context)
            try await isAsBefore(cluster, job)
            #expect(try await splits() == (evidence == nil))
        }
        #expect(job.context.balancers.last?.isStopped == false)
    }

    private func refused(_ cluster: ShardedCluster, _ session: ClusterSession) async throws {
        let admin = try cluster.configClient()
        func setRoles(_ roles: String) async throws {
            try await admin.command(
                #"{"updateUser": "\#(MongoUser.remora.name)", "roles": \#(roles), "writeConcern": {"w": "majority"}}"#
            )
        }
        let job = fresh(session.config)
        let before = try await admin.command(#"{"usersInfo": "\#(MongoUser.remora.name)"}"#)
        let roles = try #require(before["users"]?.documents?.first?["roles"]?.documents).map(\.json)
        try await setRoles(#"["backup", "clusterMonitor", "hostManager"]"#)
        let failure = await #expect(throws: JobFailure.self) {
            try await job.rig.backUp(job.engine, job.spec, context: job.context)
        }
        #expect(failure?.code == "missingPrivilege")
        #expect(failure?.message.contains("action internal") == true)
        #expect(failure?.message.contains("system.sharding_ddl_coordinators") == true)
        #expect(await job.engine.inspect().problems.contains { $0.contains("no backup of the whole cluster") })
        try await setRoles("[\(roles.joined(separator: ", "))]")
        try await isAsBefore(cluster, job)
    }

    /// Somebody who turns it on whenever it is off: the backup gives up, and the balancer is on.
    private func turnedOn(_ cluster: ShardedCluster, _ session: ClusterSession) async throws {
        var job = fresh(session.config)
        job.tuning = { tuning in
            tuning.balancerWait = .seconds(1)
            tuning.pause = { step in
                guard step == "balancer stopped" else { return }
                do {
                    try await cluster.startBalancer()
                } catch {
                    Issue.record("\(error)")
                }
            }
        }
        let failure = await #expect(throws: JobFailure.self) {
            try await job.rig.backUp(job.engine, job.spec, context: job.context)
        }
        #expect(failure?.code == "balancerBusy" && failure?.message.contains("turns it on again") == true)
        try await isAsBefore(cluster, job)
    }

    /// A chunk that the balancer moves and that doesn't arrive, as on a slow shard: the backup fails instead of warning.
    private func moveThatDoesNotEnd(_ cluster: ShardedCluster, _ session: ClusterSession) async throws {
        let donor = try cluster.shardClient("rsA")
        func hang(_ mode: String) async throws {
            try await donor.command(#"{"configureFailPoint": "moveChunkHangAtStep3", "mode": "\#(mode)"}"#)
        }
        try await cluster.shardCollection("bank.moves", key: #"{"_id": 1}"#)
        try await hang("alwaysOn")
        var job = fresh(session.config)
        do {
            try await cluster.addToZone("far", shard: "rsB")
            let (min, max) = (#"{"_id": {"$minKey": 1}}"#, #"{"_id": {"$maxKey": 1}}"#)
            try await cluster.setZone("far", of: "bank.moves", from: min, to: max)
            try await eventually("the balancer moves the chunk", within: .seconds(60)) {
                try await donor.count("migrationCoordinators", of: "config") > 0
            }
            job.tuning = { $0.balancerWait = .seconds(1) }
            let failure = await #expect(throws: JobFailure.self) {
                try await job.rig.backUp(job.engine, job.spec, context: job.context)
            }
            #expect(failure?.code == "balancerBusy", "\(String(describing: failure))")
            let reason = failure?.message ?? ""
            #expect(reason.contains("is still being moved") || reason.contains("its round doesn't end"), "\(reason)")
        } catch {
            try await hang("off")
            throw error
        }
        try await hang("off")
        try await isAsBefore(cluster, job)
        try await eventually("the chunk arrives", within: .seconds(60)) {
            try await cluster.chunks(of: "bank.moves").first?.shard == "rsB"
        }
        try await cluster.dropCollection("bank.moves")
    }

    /// A cut that falls between the first and the last step of a move is no cut.
    private func insideChange(_ cluster: ShardedCluster, _ directory: TestDirectory) async throws {
        var session = try await ClusterSession(cluster, in: directory)
        let shard = try cluster.shardClient("rsA")
        session.onCut = { _ in
            // What a donor writes before the first step; nobody runs this one, so it stays.
            let reply = try await shard.command(
                #"{"insert": "migrationCoordinators", "documents": [{"_id": 1, "nss": "bank.accounts"}]}"#,
                on: "config"
            )
            return ClusterTime(bits: reply["operationTime"]?.timestamp ?? 0)
        }
        let running = session
        let failure = await #expect(throws: JobFailure.self) { try await running.run() }
        #expect(failure?.code == "layoutChanged", "\(session.log)")
        #expect(failure?.message.contains("a move of a chunk of bank.accounts") == true)
        #expect(failure?.isRetryable == true)
        try await isAsBefore(cluster, session.config)
        try await shard.command(
            #"{"delete": "migrationCoordinators", "deletes": [{"q": {"_id": 1}, "limit": 1}]}"#,
            on: "config"
        )
    }

    /// A collection that is dropped on all shards before the cut is gone on all of them: that is no reason to fail.
    private func wholeChange(_ cluster: ShardedCluster, _ directory: TestDirectory) async throws {
        var session = try await ClusterSession(cluster, in: directory)
        session.onCut = { cut in
            try await cluster.dropCollection("bank.transfers")
            // However long the drop took: the cut is behind its last step on every shard.
            var end = cut.bits
            for name in cluster.shardNames { end = max(end, try await cluster.noteTime(on: name)) }
            try await cluster.advance(to: end)
            return ClusterTime(bits: end)
        }
        let (cut, backups) = try await session.run()
        for job in [session.config] + session.shards {
            #expect(backups[job.name]?.result.cut == cut, "\(job.context.log)")
        }
        #expect(session.config.context.log.contains("dropCollection bank.transfers"))
        try await isAsBefore(cluster, session.config)
    }

    private func offBefore(_ cluster: ShardedCluster, _ directory: TestDirectory) async throws {
        try await cluster.stopBalancer()
        let session = try await ClusterSession(cluster, in: directory)
        let (_, backups) = try await session.run()
        #expect(backups.count == 3)
        #expect(try await cluster.balancerStatus().mode == "off")
        #expect(session.config.context.balancers.allSatisfy { !$0.isStopped && !$0.wasOn })
        try await cluster.startBalancer()
    }
}
