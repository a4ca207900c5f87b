import Foundation
import TestSupport
import Testing

/// A pod whose network is cut in the middle of a backup, cable by cable: packets get lost, and nobody is told.
@Suite("a pod that is cut off", .serialized)
struct PartitionTests {
    @Test("from the coordinator, the storage, its set: it lets go of its lock by itself, and the backup is good")
    func cutOff() async throws {
        try await withTestDirectory("e2e-partitions") { directory in
            try await withNetworkNamespace(links: ["set", "control", "storage", "test"]) { network in
                let pod = try await CutOffPod.start(in: directory, network)
                do {
                    try await proveCutFromCoordinator(pod)
                    try await proveCutFromStorage(pod)
                    try await proveCutFromSet(pod)
                } catch {
                    let logs = pod.deployment.logs(pod.agents)
                    await pod.stop()
                    throw TestSupportError("\(error)\n\(logs)")
                }
                await pod.stop()
            }
        }
    }

    /// Another member is backed up while the agent reads on, who is never allowed to publish.
    private func proveCutFromCoordinator(_ pod: CutOffPod) async throws {
        let session = try await pod.stalledBackup()
        try await pod.network.cut("control")
        try await eventually("the lock is released", within: .seconds(90)) { try await !pod.member.isLocked() }
        try await eventually("the agent says why", within: .seconds(30)) { pod.said("lease lapsed") }
        try await pod.stall(false)
        let end = try await pod.deployment.waitForEnd(of: session, within: .seconds(180))
        #expect(end["phase"].string == "Succeeded", "\(end)")
        let hosts = end["hosts"].elements
        #expect(hosts.last?["pod"].string != CutOffPod.name && hosts.first?["phase"].string == "Lost", "\(hosts)")
        try await pod.network.mend("control")
        try await pod.expectAllWell("cut off from the coordinator")
    }

    private func proveCutFromStorage(_ pod: CutOffPod) async throws {
        let session = try await pod.stalledBackup()
        try await pod.network.cut("storage")
        try await pod.stall(false)
        let end = try await pod.deployment.waitForEnd(of: session, within: .seconds(180))
        #expect(end["phase"].string == "Succeeded", "\(end)")
        let first = end["hosts"][0]
        #expect(first["pod"].string == CutOffPod.name && first["phase"].string == "Failed", "\(first)")
        #expect(first["failure"]["code"].string == "storageUnavailable", "\(first["failure"])")
        try await pod.network.mend("storage")
        try await pod.expectAllWell("cut off from the storage")
    }

    private func proveCutFromSet(_ pod: CutOffPod) async throws {
        let session = try await pod.stalledBackup()
        try await pod.network.cut("set")
        try await eventually("the lock is released", within: .seconds(90)) { try await !pod.member.isLocked() }
        try await pod.stall(false)
        try await pod.network.mend("set")
        let end = try await pod.deployment.waitForEnd(of: session, within: .seconds(180))
        #expect(end["phase"].string == "Succeeded", "\(end)")
        try await pod.expectAllWell("cut off from its set")
    }
}

/// A replica set with a hidden member, which is the one to be locked, in a network of its own with its agent.
private final class CutOffPod: Sendable {
    static let name = "mongo-2"

    let network: NetworkNamespace
    let `set`: ReplicaSet
    let deployment: Deployment
    let agents: [Server]
    private let storage: SeaweedFS

    /// The member that can be cut off.
    var member: MongoServer { self.set.members[2] }

    static func start(in directory: TestDirectory, _ network: NetworkNamespace) async throws -> CutOffPod {
        let outside = try network.link("control").outside
        let certificates = try await Certificates.make(in: directory, addresses: [outside])
        let storage = try await SeaweedFS.start(in: directory, host: "0.0.0.0")
        try await storage.makeBucket("backups")
        var options = ReplicaSetOptions(members: 2)
        options.mongo.place.host = try network.link("set").outside
        options.mongo.parameters["enableTestCommands"] = "1"
        var hidden = ReplicaSetMember.hidden
        var place = MongoPlace()
        place.host = try network.link("set").inside
        place.testHost = try network.link("test").inside
        place.network = network
        hidden.place = place
        options.members.append(hidden)
        let set = try await ReplicaSet.start(options, in: directory)
        try await DataSet.small.load(into: set.uri())
        let endpoint = "http://\(try network.link("storage").outside):\(storage.port)"
        let deployment = try Deployment(
            in: directory,
            binaries: .beside(),
            repository: s3Backend(storage, endpoint: endpoint) + "\n      retrySeconds: 5",
            configuration: "  retryConfig:\n    maxRetry: 3\n    delay: 1s",
            storageSecret: storage.environment,
            coordinatorArguments: ["--lease-seconds", "6", "--max-disconnected-seconds", "18"],
            certificates: certificates,
            host: outside
        )
        try await deployment.startCoordinator()
        let agents = try set.members.enumerated().map { index, member in
            let isInside = member === set.members[2]
            return try deployment.makeAgent(
                "mongo-\(index)",
                uri: "mongodb://\(isInside ? "127.0.0.1:\(member.port)" : member.address)/?authSource=admin",
                user: MongoUser.remora.name,
                password: MongoUser.remora.password,
                network: isInside ? network : nil
            )
        }
        for agent in agents { try await agent.launch() }
        try await deployment.waitUntilConnected(agents)
        return CutOffPod(network, set, deployment, agents, storage)
    }

    private init(
        _ network: NetworkNamespace,
        _ set: ReplicaSet,
        _ deployment: Deployment,
        _ agents: [Server],
        _ storage: SeaweedFS
    ) {
        self.network = network
        self.set = set
        self.deployment = deployment
        self.agents = agents
        self.storage = storage
    }

    func stop() async {
        await deployment.stop(agents)
        await set.kill()
        await storage.kill()
    }

    /// Makes reads of one collection stand still in the member, or go on.
    func stall(_ isStalled: Bool) async throws {
        let mode = isStalled ? #""alwaysOn""# : #""off""#
        try await member.client().command(
            """
            {"configureFailPoint": "waitInFindBeforeMakingBatch", "mode": \(mode),
             "data": {"nss": "shop.orders", "shouldCheckForInterrupt": true}}
            """
        )
    }

    /// A backup of this very member that is locked, in the middle of its dump.
    func stalledBackup() async throws -> String {
        try await stall(true)
        let session = try await deployment.startBackup()
        try await eventually("the member is locked and its dump stands still") {
            guard try await member.isLocked() else { return false }
            let operations = try await member.client().command(
                #"{"currentOp": 1, "failpointMsg": "waitInFindBeforeMakingBatch"}"#
            )
            return operations["inprog"]?.documents?.isEmpty == false
        }
        let pod = try await deployment.attempt(of: session, at: "rs0")?["pod"].string
        try #require(pod == Self.name, "\(pod ?? "nobody") was chosen")
        return session
    }

    /// Whether the agent in the pod has said that.
    func said(_ words: String) -> Bool { agents[2].logTail(lines: 500).contains(words) }

    /// What must hold when the cable is back.
    func expectAllWell(_ fault: String) async throws {
        try await deployment.waitUntilConnected(agents, within: .seconds(120))
        try await eventually("\(fault): every lock of the ledger has ended", within: .seconds(90)) {
            try await deployment.json("locks").elements.allSatisfy { $0["endedAt"] != .null }
        }
        for member in set.members {
            #expect(try await !member.isLocked(), "\(fault): \(member.address) is locked")
        }
        try await set.waitUntilInSync()
        let known = try await deployment.json("snapshots").elements.count
        let next = try await deployment.remora("backup", "shop", "--wait")
        try #require(next.status.succeeded, "\(fault): the next backup: \(next.text)\(next.errorText)")
        let backups = try await deployment.json("snapshots").elements
        #expect(backups.count == known + 1, "\(fault)")
        let restic = Restic(
            repository: "s3:\(storage.endpoint)/backups/remora/demo/shop/rs0",
            password: Deployment.repositoryPassword,
            environment: storage.environment
        )
        // A session is known to have succeeded before its lock files are removed.
        try await eventually("\(fault): no lock file is left") {
            try await restic.run("list", "locks", "--no-lock").text == ""
        }
        try await restic.check()
        let listed = try await restic.run("snapshots", "--json", "--no-lock").text
        for backup in backups {
            let id = try #require(backup["groups"][0]["snapshotID"].string, "\(backup)")
            #expect(listed.contains(id), "\(fault): the snapshot \(id) is not there")
        }
    }
}
