import Foundation
import Synchronization
import TestSupport
import Testing

/// A sharded cluster, agents, coordinator and storage, where a test can stop the world at every step of a backup.
///
/// The agents reach the coordinator, and everybody the storage, through proxies that hold what a rule names. Reads of one
/// collection stand still inside its servers when they are told to. So a step is not a matter of luck or of time.
final class ShardedStepRig: Sendable {
    /// The collection whose reads can be made to stand still, on the shard `rsA`.
    static let slowNamespace = "slow.items"

    let sharded: ShardedDeployment
    /// Before the coordinator, for the agents only.
    let control: FaultProxy
    /// Before the storage, for everybody of ours; restic goes straight to it.
    let storage: FaultProxy
    private let seaweed: SeaweedFS

    var cluster: ShardedCluster { sharded.cluster }
    var deployment: Deployment { sharded.deployment }

    /// Starts config servers and a shard `rsA` of three members each, which are locked, and a shard `rsB` of one, which
    /// can't be.
    static func start(in directory: TestDirectory) async throws -> ShardedStepRig {
        let seaweed = try await SeaweedFS.start(in: directory)
        try await seaweed.makeBucket("backups")
        let storage = try FaultProxy(before: seaweed.port)
        let port = try Ports.free()
        let control = try FaultProxy(before: port)
        var options = ShardedClusterOptions(shards: 2, members: 3, configMembers: 3)
        options.shardMembers[1] = [ReplicaSetMember()]
        options.mongo.parameters["enableTestCommands"] = "1"
        let cluster = try await ShardedCluster.start(options, in: directory)
        try await cluster.createDatabase("slow", primary: "rsA")
        try await cluster.createDatabase("quick", primary: "rsB")
        for namespace in [slowNamespace, "quick.items"] {
            let documents = (0..<1000).map { number in
                TestDocument {
                    $0.int64("_id", Int64(number))
                    $0.string("text", "\(namespace) \(number)")
                }
            }
            try await cluster.insert(documents, into: namespace)
        }
        try await cluster.waitUntilInSync()
        let sharded = try await ShardedDeployment.start(
            beside: cluster,
            in: directory,
            repository: s3Backend(seaweed, endpoint: storage.endpoint),
            configuration: "  retryConfig:\n    maxRetry: 3\n    delay: 1s",
            storageSecret: seaweed.environment,
            coordinatorArguments: ["--lease-seconds", "6", "--max-disconnected-seconds", "18"],
            port: port,
            agentURL: control.endpoint
        )
        return ShardedStepRig(sharded, control, storage, seaweed)
    }

    private init(_ sharded: ShardedDeployment, _ control: FaultProxy, _ storage: FaultProxy, _ seaweed: SeaweedFS) {
        self.sharded = sharded
        self.control = control
        self.storage = storage
        self.seaweed = seaweed
    }

    /// Ends everything.
    func stop() async {
        control.end()
        storage.end()
        await sharded.stop()
        await cluster.kill()
        await seaweed.kill()
    }

    // MARK: Who and where

    /// The agent that works on a group in a session, and its member.
    func worker(of session: String, at group: String) async throws -> (agent: Server, member: MongoServer) {
        let attempt = try await deployment.attempt(of: session, at: group)
        let pod = attempt?["pod"].string ?? ""
        let set = try #require(cluster.groups.first { $0.options.name == group })
        let index = try #require(pod.split(separator: "-").last.flatMap { Int($0) }, "\(group) has no attempt")
        let agent = try #require(sharded.agents[group]?[index])
        return (agent, set.members[index])
    }

    /// Whether a group's agent has a note of that kind (`lock`, `balancer`) on disk.
    func hasNote(_ kind: String, _ group: String) throws -> Bool {
        let pods = (sharded.agents[group] ?? []).indices.map { "\(group.lowercased())-\($0)" }
        return try pods.contains { pod in
            try FileManager.default.contentsOfDirectory(atPath: deployment.directory.appending("agent-\(pod)"))
                .contains { $0.hasPrefix("mongodb-\(kind)-") && $0.hasSuffix(".json") }
        }
    }

    // MARK: Standing still

    /// Where a server can be made to stand still, by the names of its fail points.
    enum StandStill: String {
        case reads = "waitInFindBeforeMakingBatch"
        case inserts = "hangDuringBatchInsert"
    }

    /// Makes what reads the slow collection (or writes it) stand still in the servers of `rsA`, or go on.
    func stall(_ isStalled: Bool, _ what: StandStill = .reads) async throws {
        let mode = isStalled ? #""alwaysOn""# : #""off""#
        for member in try cluster.shard("rsA").members where member.server.isRunning {
            try await member.client().command(
                """
                {"configureFailPoint": "\(what.rawValue)", "mode": \(mode),
                 "data": {"nss": "\(Self.slowNamespace)", "shouldCheckForInterrupt": true}}
                """
            )
        }
    }

    /// Whether something stands still in a member of `rsA`.
    func isStalled(_ member: MongoServer, _ what: StandStill = .reads) async throws -> Bool {
        let operations = try await member.client().command(#"{"currentOp": 1, "failpointMsg": "\#(what.rawValue)"}"#)
        return operations["inprog"]?.documents?.isEmpty == false
    }

    /// A backup that has come to this: the config server's member is locked and keeps its lock, `rsA`'s is locked and in
    /// the middle of its dump, `rsB` has ended its dump and waits for the cut.
    func stalledBackup() async throws -> String {
        try await stall(true)
        let session = try await deployment.startBackup()
        try await eventually("the backup stands still in the middle of \(Self.slowNamespace)") {
            let events = try await deployment.json("describe", session)["events"].elements
            guard events.contains(where: { $0["type"].string == "JobFinished" && said($0, "rsB") }) else {
                return false
            }
            guard try await worker(of: session, at: "cfg").member.isLocked() else { return false }
            let member = try await worker(of: session, at: "rsA").member
            guard try await member.isLocked() else { return false }
            return try await isStalled(member)
        }
        return session
    }

    private func said(_ event: JSONValue, _ word: String) -> Bool { event["message"].string?.contains(word) == true }

    /// A backup that has come to where `proxy` holds so many requests by `rule`.
    func backup(held rule: @escaping FaultProxy.Rule, by proxy: FaultProxy, times: Int) async throws -> String {
        let before = proxy.injected["hold", default: 0]
        proxy.obey(rule)
        let session = try await deployment.startBackup()
        try await eventually("the backup is held", within: .seconds(120)) {
            proxy.injected["hold", default: 0] >= before + times
        }
        return session
    }

    // MARK: Crashes

    /// Kills the agent that works on a group, lets `heal` go before, and starts it again, as Kubernetes would.
    func restartAgent(of session: String, at group: String, heal: () -> Void = {}) async throws {
        let agent = try await worker(of: session, at: group).agent
        await agent.kill()
        heal()
        try await agent.launch()
    }

    /// The same with the coordinator.
    func restartCoordinator(heal: () -> Void) async throws {
        await deployment.coordinator.kill()
        heal()
        try await deployment.startCoordinator()
    }

    // MARK: What must hold

    /// What must hold after every fault, when everything has healed.
    ///
    /// - Parameters:
    ///   - session: the one that was interrupted; all retries are allowed to it, so it must succeed.
    ///   - fault: what happened, for messages.
    /// - Throws: `TestSupportError` for what can't be asked or never becomes true.
    func expectAllWell(after session: String, _ fault: String) async throws {
        let end = try await deployment.waitForEnd(of: session, within: .seconds(180))
        #expect(end["phase"].string == "Succeeded", "\(fault): \(end)")
        try await expectNothingHeld(fault)
        try await deployment.waitUntilConnected(sharded.allAgents, within: .seconds(120))

        let known = try await deployment.json("snapshots").elements.count
        let next = try await deployment.remora("backup", "shop", "--wait")
        try #require(next.status.succeeded, "the next backup: \(next.text)\(next.errorText)")
        try await expectNothingHeld(fault)
        let snapshots = try await deployment.json("snapshots").elements
        #expect(snapshots.count == known + 1, "\(fault)")
        try await expectOrder(of: try #require(snapshots.first?["session"].string))
        try await expectGoodRepositories()
    }

    /// The balancer was off before anything was locked, the config server before the shards; and everything ended in the
    /// opposite order, by the ledger.
    ///
    /// The config server has no lock where it could not spare a member.
    private func expectOrder(of session: String) async throws {
        let records = try await deployment.json("locks").elements.filter { $0["session"].string == "demo/\(session)" }
        let locks = records.filter { $0["kind"].string == "lock" }
        let levels = [
            records.filter { $0["kind"].string == "balancer" }, locks.filter { $0["group"].string == "cfg" },
            locks.filter { $0["group"].string != "cfg" },
        ]
        #expect(!levels[0].isEmpty && !levels[2].isEmpty, "\(records)")
        let present = levels.filter { !$0.isEmpty }
        for (outer, inner) in zip(present, present.dropFirst()) {
            let (begins, ends) = (outer.compactMap { $0["since"].string }, outer.compactMap { $0["endedAt"].string })
            #expect(begins.max() ?? "" <= inner.compactMap { $0["since"].string }.min() ?? "", "\(records)")
            #expect(inner.compactMap { $0["endedAt"].string }.max() ?? "" <= ends.min() ?? "", "\(records)")
        }
    }

    /// No member is locked, the balancer runs, and the coordinator knows it.
    private func expectNothingHeld(_ fault: String) async throws {
        // The coordinator learns from a look at the member, or by sending somebody, that a lock is gone whose agent died.
        try await eventually("every lock of the ledger has ended", within: .seconds(90), every: .milliseconds(200)) {
            try await deployment.json("locks").elements.allSatisfy { $0["endedAt"] != .null }
        }
        let locked = try await sharded.lockedMember()
        #expect(locked == nil, "\(fault): \(locked?.address ?? "") is locked")
        #expect(try await cluster.balancerStatus().mode == "full", "\(fault)")
        for group in cluster.groups.map(\.options.name) {
            #expect(try !hasNote("lock", group), "\(fault): a lock note of \(group) is left")
            #expect(try !hasNote("balancer", group), "\(fault): a balancer note of \(group) is left")
        }
    }

    /// Every manifest has a snapshot of every group, which restic finds, in repositories that restic calls whole.
    private func expectGoodRepositories() async throws {
        let backups = try await deployment.json("snapshots").elements
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for group in cluster.groups.map(\.options.name) {
                tasks.addTask { try await self.expectGoodRepository(group, backups) }
            }
            try await tasks.waitForAll()
        }
    }

    private func expectGoodRepository(_ group: String, _ backups: [JSONValue]) async throws {
        let restic = Restic(
            repository: "s3:\(seaweed.endpoint)/backups/remora/demo/shop/\(group)",
            password: Deployment.repositoryPassword,
            environment: seaweed.environment
        )
        let listed = try await restic.run("snapshots", "--json", "--no-lock").text
        for backup in backups {
            let part = backup["groups"].elements.first { $0["group"].string == group }
            let id = try #require(part?["snapshotID"].string, "a backup without a snapshot of \(group): \(backup)")
            #expect(listed.contains(id), "the snapshot \(id) of \(group) is not there: \(backup)")
        }
        // A session is known to have succeeded before its lock files are removed.
        try await eventually("no lock file is left in \(group)") {
            try await restic.run("list", "locks", "--no-lock").text == ""
        }
        try await restic.check()
    }
}

/// What a rule of a proxy saw first.
final class Remembered: Sendable {
    private let value = Mutex<String?>(nil)

    /// Whether this was the first there was.
    func isFirst(_ text: String) -> Bool {
        value.withLock { value in
            if value == nil { value = text }
            return value == text
        }
    }
}

/// Runs a test on a rig of its own and ends it; a failure shows what everybody said.
func withShardedStepRig(_ name: String, _ body: (ShardedStepRig) async throws -> Void) async throws {
    try await withTestDirectory(name) { directory in
        let rig = try await ShardedStepRig.start(in: directory)
        do {
            try await body(rig)
        } catch {
            let logs = rig.sharded.logs()
            await rig.stop()
            throw TestSupportError("\(error)\n\(logs)")
        }
        await rig.stop()
    }
}
