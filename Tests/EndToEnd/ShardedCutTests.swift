import TestSupport
import Testing

/// Faults in the middle, and the proof that what comes back was true at one moment.
@Suite("the cut of a sharded backup holds", .serialized)
struct ShardedCutTests {
    @Test(
        "in every way of backup, though an agent is killed and a primary steps down; restores are interrupted and repeated"
    )
    func cutHolds() async throws {
        try await withShardedStepRig("e2e-sharded-cut") { rig in
            let bank = BankWorkload(rig.cluster)
            try await bank.start()
            var backups: [String] = []
            for consistency in ["lock", "snapshot", "oplog"] {
                backups.append(try await interruptedBackup(rig, bank, consistency))
            }
            let written = try await bank.stop()
            #expect(written.transfers > 0)

            let interruptions: [(String, Interruption)] = [
                ("an agent is killed", agentKilled), ("a primary steps down", primaryStepsDown),
                ("the coordinator is killed", coordinatorKilled),
            ]
            for (backup, (name, interrupt)) in zip(backups, interruptions) {
                do {
                    try await interruptedRestore(rig, backup, interrupt)
                } catch {
                    throw TestSupportError("\(name) while \(backup) is restored: \(error)")
                }
                let contradictions = try await BankWorkload.contradictions(in: rig.cluster)
                #expect(contradictions == [], "\(backup), \(name)")
            }
        }
    }

    // MARK: Backup

    /// A backup that loses, in the middle of a dump, the agent of one shard and the shard's primary; returns its session.
    private func interruptedBackup(
        _ rig: ShardedStepRig,
        _ bank: BankWorkload,
        _ consistency: String
    ) async throws -> String {
        try await rig.stall(true)
        // A shard of one member can't be locked, and who insists on a lock is refused: unsaid, locks are taken where
        // they can be.
        let options = consistency == "lock" ? [] : ["--consistency", consistency]
        let session = try await rig.deployment.startBackup(options)
        try await eventually("\(consistency): the dump of rsA stands still", within: .seconds(60)) {
            let pod = try await rig.deployment.attempt(of: session, at: "rsA")?["pod"].string
            guard pod != nil else { return false }
            return try await rig.isStalled(rig.worker(of: session, at: "rsA").member)
        }
        // The bank goes on all the while; so most of what it writes is in nobody's dump but comes by the oplog.
        let before = bank.progress
        try await eventually("the bank went on", within: .seconds(60)) {
            bank.progress.transfers > before.transfers && bank.progress.counted > before.counted
        }
        try await rig.restartAgent(of: session, at: "rsA")
        try await rig.cluster.shard("rsA").stepDown()
        try await rig.stall(false)
        let end = try await rig.deployment.waitForEnd(of: session, within: .seconds(240))
        try #require(end["phase"].string == "Succeeded", "\(consistency): \(end)")
        let attempts = end["hosts"].elements.filter { $0["group"].string == "rsA" }
        #expect(attempts.count > 1, "\(consistency): \(attempts)")
        let snapshot = try await rig.deployment.json("snapshots")[0]
        #expect(snapshot["session"].string == session, "\(consistency): \(snapshot)")
        #expect(snapshot["guarantee"].string == "cluster-cut", "\(consistency): \(snapshot)")
        #expect(try await rig.sharded.lockedMember() == nil, "\(consistency)")
        #expect(try await rig.cluster.balancerStatus().mode == "full", "\(consistency)")
        return session
    }

    // MARK: Restore

    /// What happens in the middle of a restore; returns whether the restore survives it.
    private typealias Interruption = (ShardedStepRig, _ session: String) async throws -> Bool

    /// A restore that stands still in the middle of a shard's documents when `interrupt` happens; one that failed says
    /// what to do, which is done.
    private func interruptedRestore(
        _ rig: ShardedStepRig,
        _ backup: String,
        _ interrupt: Interruption
    ) async throws {
        try await rig.stall(true, .inserts)
        let view = try await rig.deployment.json("restore", "shop", "--from", backup, "--drop")
        let session = try #require(view["name"].string)
        try await eventually("the restore of rsA stands still", within: .seconds(60)) {
            try await rig.isStalled(rig.cluster.shard("rsA").primary(), .inserts)
        }
        let survives = try await interrupt(rig, session)
        try await rig.stall(false, .inserts)
        let end = try await rig.deployment.waitForEnd(of: session, within: .seconds(240))
        try await eventually("the balancer is back", within: .seconds(60)) {
            try await rig.cluster.balancerStatus().mode == "full"
        }
        try await rig.deployment.waitUntilConnected(rig.sharded.allAgents, within: .seconds(120))
        try await rig.cluster.waitUntilInSync()
        if survives {
            try #require(end["phase"].string == "Succeeded", "\(end)")
            return
        }
        #expect(end["phase"].string == "Failed", "\(end)")
        let message = end["message"].string ?? ""
        #expect(message.contains("part of the backup") || message.contains("partially restored"), "\(message)")
        #expect(message.contains("repeat the restore"), "says what to do: \(message)")
        let again = try await rig.deployment.remora("restore", "shop", "--from", backup, "--drop", "--wait")
        try #require(again.status.succeeded, "\(again.text)\(again.errorText)")
        #expect(try await rig.cluster.balancerStatus().mode == "full")
        try await rig.cluster.waitUntilInSync()
    }

    private func agentKilled(_ rig: ShardedStepRig, _ session: String) async throws -> Bool {
        try await rig.restartAgent(of: session, at: "rsA")
        return false
    }

    private func primaryStepsDown(_ rig: ShardedStepRig, _ session: String) async throws -> Bool {
        try await rig.cluster.shard("rsA").stepDown()
        return false
    }

    private func coordinatorKilled(_ rig: ShardedStepRig, _ session: String) async throws -> Bool {
        try await rig.restartCoordinator {}
        return true
    }
}
