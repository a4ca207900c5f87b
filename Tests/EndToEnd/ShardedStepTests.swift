import Foundation
import TestSupport
import Testing

/// Processes that die between two messages of the agent protocol while a whole cluster is backed up, one after the other
/// on one cluster; what is held up by storage is in `ShardedFaultTests`.
///
/// A case stops the world at its step, so each fault happens exactly there. What must hold afterwards is the same for all:
/// `ShardedStepRig.expectAllWell`.
@Suite("steps of a sharded backup", .serialized)
struct ShardedStepTests {
    /// One fault, from the start of a backup to the moment when everything has healed; returns the session.
    typealias Fault = @Sendable (ShardedStepRig) async throws -> String

    @Test("whoever dies, at whatever step: the backup is good in the end, nothing stays locked, the balancer runs")
    func everyStep() async throws {
        let faults =
            agentFaults + coordinatorFaults + [
                ("the config server loses its primary while another member is locked", configPrimaryLost)
            ]
        // One alone, for whoever looks for a failure: a part of its name.
        let wanted = ProcessInfo.processInfo.environment["REMORA_FAULT"] ?? ""
        let chosen = faults.filter { wanted.isEmpty || $0.0.contains(wanted) }
        try #require(!chosen.isEmpty, "no fault is called \(wanted)")
        try await withShardedStepRig("e2e-sharded-steps") { rig in
            for (name, fault) in chosen {
                do {
                    let session = try await fault(rig)
                    try await rig.expectAllWell(after: session, name)
                } catch {
                    throw TestSupportError("\(name): \(error)")
                }
            }
        }
    }

    // MARK: Agents

    private var agentFaults: [(String, Fault)] {
        [
            ("agent killed when it has noted the balancer, and not stopped it", agentBeforeBalancerStop),
            ("agent killed when it has noted the lock, and not asked for it", agentBeforeLock),
            ("agent killed in the middle of its dump, and it stays away", agentDumping),
            ("agent told to end (SIGTERM) in the middle of its dump", agentTold),
            ("agent killed before its permit to publish", agentBeforePermit),
            ("agent killed when its snapshot is stored and not reported", agentBeforeReport),
        ]
    }

    private func agentBeforeBalancerStop(_ rig: ShardedStepRig) async throws -> String {
        rig.control.obey(holding("/heartbeat"))
        let session = try await rig.deployment.startBackup()
        try await eventually("the balancer is noted") { try rig.hasNote("balancer", "cfg") }
        #expect(try await rig.cluster.balancerStatus().mode == "full", "stopped before the coordinator knew")
        try await rig.restartAgent(of: session, at: "cfg") { rig.control.release() }
        return session
    }

    private func agentBeforeLock(_ rig: ShardedStepRig) async throws -> String {
        rig.control.obey(holdingAllButTheFirst("/heartbeat"))
        let session = try await rig.deployment.startBackup()
        try await eventually("the lock is noted") { try rig.hasNote("lock", "rsA") }
        let member = try await rig.worker(of: session, at: "rsA").member
        #expect(try await !member.isLocked(), "locked before the coordinator knew")
        #expect(try await rig.cluster.balancerStatus().mode == "off")
        try await rig.restartAgent(of: session, at: "rsA") { rig.control.release() }
        return session
    }

    /// Nobody starts it again before the backup is over: another member's agent must unlock over the network.
    private func agentDumping(_ rig: ShardedStepRig) async throws -> String {
        let session = try await rig.stalledBackup()
        let (agent, member) = try await rig.worker(of: session, at: "rsA")
        await agent.kill()
        #expect(try await member.isLocked(), "a lock outlives its client")
        try await eventually("another agent releases it", within: .seconds(120)) { try await !member.isLocked() }
        try await rig.stall(false)
        let end = try await rig.deployment.waitForEnd(of: session, within: .seconds(180))
        #expect(end["phase"].string == "Succeeded", "\(end)")
        let locks = try await rig.deployment.json("locks").elements
        #expect(locks.contains { $0["host"].string == member.address && $0["releaseJobID"] != .null }, "\(locks)")
        try await agent.launch()
        return session
    }

    /// As Kubernetes ends every pod: nothing may be left for whoever comes next.
    private func agentTold(_ rig: ShardedStepRig) async throws -> String {
        let session = try await rig.stalledBackup()
        let (agent, member) = try await rig.worker(of: session, at: "rsA")
        async let ending = agent.stop(grace: .seconds(40))
        // The server doesn't answer the dump any more; the lock must not wait for that.
        try await eventually("the lock is gone, while the dump still waits", within: .seconds(10)) {
            try await !member.isLocked()
        }
        try await rig.stall(false)
        let status = await ending
        #expect(status?.succeeded == true, "it failed, or had to be killed: \(String(describing: status))")
        #expect(try !rig.hasNote("lock", "rsA"))
        try await agent.launch()
        return session
    }

    private func agentBeforePermit(_ rig: ShardedStepRig) async throws -> String {
        let session = try await rig.backup(held: holding("/prepare-commit"), by: rig.control, times: 3)
        try await rig.restartAgent(of: session, at: "rsA") { rig.control.release() }
        return session
    }

    private func agentBeforeReport(_ rig: ShardedStepRig) async throws -> String {
        let session = try await rig.backup(held: holding("/complete"), by: rig.control, times: 3)
        try await rig.restartAgent(of: session, at: "rsB") { rig.control.release() }
        return session
    }

    // MARK: The coordinator

    private var coordinatorFaults: [(String, Fault)] {
        [
            ("coordinator killed before it knows of the lock that is asked for", coordinatorBeforeLock),
            ("coordinator killed under locks and dumps, and it stays away", coordinatorGone),
            ("coordinator killed before it permits to publish", coordinatorBeforePermit),
            ("coordinator killed after its permit, whose answer is lost", coordinatorAfterPermit),
            ("coordinator killed while it writes the manifest", coordinatorAtManifest),
        ]
    }

    private func coordinatorBeforeLock(_ rig: ShardedStepRig) async throws -> String {
        rig.control.obey(holdingAllButTheFirst("/heartbeat"))
        let session = try await rig.deployment.startBackup()
        try await eventually("the lock is noted") { try rig.hasNote("lock", "rsA") }
        try await rig.restartCoordinator { rig.control.release() }
        return session
    }

    private func coordinatorGone(_ rig: ShardedStepRig) async throws -> String {
        let session = try await rig.stalledBackup()
        await rig.deployment.coordinator.kill()
        try await eventually("the agents let go by themselves", within: .seconds(120)) {
            guard try await rig.sharded.lockedMember() == nil else { return false }
            return try await rig.cluster.balancerStatus().mode == "full"
        }
        try await rig.deployment.startCoordinator()
        try await rig.stall(false)
        return session
    }

    private func coordinatorBeforePermit(_ rig: ShardedStepRig) async throws -> String {
        let session = try await rig.backup(held: holding("/prepare-commit"), by: rig.control, times: 3)
        try await rig.restartCoordinator { rig.control.release() }
        return session
    }

    private func coordinatorAfterPermit(_ rig: ShardedStepRig) async throws -> String {
        let lost = rig.control.injected["lost answer", default: 0]
        rig.control.obey { request in
            guard request.path.hasSuffix("/prepare-commit") else { return nil }
            return request.attempt == 1 ? .loseAnswer : .hold
        }
        let session = try await rig.deployment.startBackup()
        try await eventually("the permits are given, and lost") {
            rig.control.injected["lost answer", default: 0] == lost + 3
        }
        try await rig.restartCoordinator { rig.control.release() }
        return session
    }

    private func coordinatorAtManifest(_ rig: ShardedStepRig) async throws -> String {
        let rule: FaultProxy.Rule = {
            $0.method == "PUT" && $0.path.contains("/sessions/") && $0.path.contains(".json") ? .hold : nil
        }
        let session = try await rig.backup(held: rule, by: rig.storage, times: 1)
        // What the dead coordinator had sent arrives all the same: its successor must find it, or wins.
        try await rig.restartCoordinator { rig.storage.release() }
        return session
    }

    // MARK: The config server

    /// The locked member is missing for the election: without being unlocked there is no primary, and so no way to give
    /// the balancer back.
    private func configPrimaryLost(_ rig: ShardedStepRig) async throws -> String {
        let session = try await rig.stalledBackup()
        let locked = try await rig.worker(of: session, at: "cfg").member
        let primary = try await rig.cluster.config.primary()
        await primary.kill()
        try await eventually("the locked member is unlocked, and there is a primary again", within: .seconds(120)) {
            guard try await !locked.isLocked() else { return false }
            return try await rig.cluster.config.findPrimary() != nil
        }
        try await rig.stall(false)
        let end = try await rig.deployment.waitForEnd(of: session, within: .seconds(180))
        #expect(end["phase"].string == "Succeeded", "\(end)")
        try await primary.start()
        try await rig.cluster.config.waitUntilInSync()
        return session
    }

    // MARK: Rules

    /// Holds what writes to such a path.
    private func holding(_ part: String) -> FaultProxy.Rule {
        { $0.method != "GET" && $0.method != "HEAD" && $0.path.contains(part) ? .hold : nil }
    }

    /// Holds what such a path belongs to all jobs but the one that was seen first: that of the config server, for whom
    /// the others wait.
    private func holdingAllButTheFirst(_ end: String) -> FaultProxy.Rule {
        let first = Remembered()
        return { $0.path.hasSuffix(end) && !first.isFirst($0.path) ? .hold : nil }
    }
}
