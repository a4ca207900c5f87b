import TestSupport
import Testing

/// What goes wrong while a whole cluster is backed up: every process killed at the steps where it matters.
///
/// The store holds back an upload of one group, so the step that it belongs to lasts until the fault has happened.
@Suite("faults while a sharded cluster is backed up", .serialized)
struct ShardedFaultTests {
    @Test(
        "agents and the coordinator are killed at every step, and a primary steps down: the session comes to a good end, nothing stays locked or stopped"
    )
    func everyStep() async throws {
        try await withTestDirectory("e2e-sharded-faults-storage") { directory in
            let storage = try await SeaweedFS.start(in: directory)
            try await storage.makeBucket("backups")
            let proxy = try FaultProxy(before: storage.port)
            try await withShardedRig(
                "e2e-sharded-faults",
                repository: s3Backend(storage, endpoint: proxy.endpoint),
                configuration: "  retryConfig:\n    maxRetry: 3\n    delay: 1s",
                storageSecret: storage.environment,
                coordinatorArguments: ["--lease-seconds", "6"]
            ) { sharded in
                let rig = ShardedFaultRig(sharded: sharded, storage: storage, proxy: proxy)
                for (index, group) in ["rsA", "rsB"].enumerated() {
                    try await Bulk.fill(sharded.cluster.shard(group), megabytes: 120, into: "random\(index)")
                }
                // Nothing of it is stored yet, so uploads begin while members are locked.
                try await rig.prove("a shard's agent while it dumps", "rsA", "data", isLocked: true) { agent in
                    await agent.kill()
                    try await agent.launch()
                }
                try await Bulk.fill(sharded.cluster.shard("rsB"), megabytes: 120, into: "more")
                try await rig.prove("the coordinator while members are locked", "rsB", "data", isLocked: true) { _ in
                    await sharded.deployment.coordinator.kill()
                    try await sharded.deployment.startCoordinator()
                }
                try await Bulk.fill(sharded.cluster.shard("rsA"), megabytes: 120, into: "still-more")
                try await rig.prove("a primary that steps down", "rsA", "data", isLocked: true) { _ in
                    try await sharded.cluster.shard("rsA").stepDown()
                }
                try await Bulk.fill(sharded.cluster.shard("rsB"), megabytes: 120, into: "the-last")
                try await rig.prove("the config server's agent", of: "cfg", "rsB", "data", isLocked: true) { agent in
                    await agent.kill()
                    try await agent.launch()
                }
                try await rig.prove("a shard's agent whose dump has ended", "rsB", "index") { agent in
                    await agent.kill()
                    try await agent.launch()
                }
                try await rig.prove("a shard's agent that may publish", "rsA", "snapshots") { agent in
                    await agent.kill()
                    try await agent.launch()
                }
                try await rig.prove("the coordinator when a shard may publish", "rsB", "snapshots") { _ in
                    await sharded.deployment.coordinator.kill()
                    try await sharded.deployment.startCoordinator()
                }
            }
            proxy.end()
            await storage.kill()
        }
    }
}

/// A sharded rig before a store that can be made to wait.
private struct ShardedFaultRig {
    let sharded: ShardedDeployment
    let storage: SeaweedFS
    let proxy: FaultProxy

    /// Runs a backup, lets `fault` happen while the upload of one group's `folder` is held back, and checks what must hold.
    ///
    /// The agent that `fault` gets is that of the same group, or of `other`.
    func prove(
        _ what: String,
        of other: String? = nil,
        _ group: String,
        _ folder: String,
        isLocked: Bool = false,
        _ fault: (_ agent: Server) async throws -> Void
    ) async throws {
        let known = try await sharded.deployment.json("snapshots").elements.count
        let held = proxy.injected["hold", default: 0]
        proxy.obey { $0.method == "PUT" && $0.path.contains("/shop/\(group)/\(folder)/") ? .hold : nil }
        let session = try await sharded.deployment.startBackup()
        let pod = try await eventually("\(what): \(group) waits for its \(folder)", within: .seconds(90)) {
            guard proxy.injected["hold", default: 0] > held else { return String?.none }
            let jobs = try await sharded.deployment.json("describe", session)["hosts"].elements
            return jobs.last { $0["group"].string == other ?? group }?["pod"].string
        }
        if isLocked {
            #expect(try await sharded.lockedMember() != nil, "\(what): nothing was locked")
            #expect(try await sharded.cluster.balancerStatus().mode == "off", "\(what): the balancer was on")
        } else {
            // No lock waits for storage once its dump has ended, nor for another group's.
            try await eventually("\(what): nothing is locked while an upload waits", within: .seconds(60)) {
                try await sharded.lockedMember() == nil
            }
        }
        let agent = try #require(sharded.allAgents.first { $0.name == "agent \(pod)" })
        try await fault(agent)
        proxy.release()
        let end = try await sharded.deployment.waitForEnd(of: session, within: .seconds(240))
        #expect(end["phase"].string == "Succeeded", "\(what): \(end)")
        try await expectGood(what, backups: known + 1)
    }

    /// What must hold after every fault.
    private func expectGood(_ what: String, backups: Int) async throws {
        #expect(try await sharded.lockedMember() == nil, "\(what): a member is locked")
        #expect(try await sharded.cluster.balancerStatus().mode == "full", "\(what): the balancer is off")
        let locks = try await sharded.deployment.json("locks").elements
        #expect(!locks.isEmpty && locks.allSatisfy { $0["endedAt"] != .null }, "\(what): \(locks)")
        let snapshots = try await sharded.deployment.json("snapshots").elements
        #expect(snapshots.count == backups, "\(what): \(snapshots.count) backups")
        #expect(snapshots.first?["groups"].elements.count == 3, "\(what): \(snapshots)")
        #expect(snapshots.first?["guarantee"].string == "cluster-cut", "\(what): \(snapshots)")
        for group in ["cfg", "rsA", "rsB"] {
            let restic = Restic(
                repository: "s3:\(storage.endpoint)/backups/remora/demo/shop/\(group)",
                password: Deployment.repositoryPassword,
                environment: storage.environment
            )
            // A session is known to have succeeded before its lock files are removed.
            try await eventually("\(what): no lock file is left in \(group)", within: .seconds(60)) {
                try await restic.run("list", "locks", "--no-lock").text == ""
            }
            try await restic.check()
        }
    }
}
