import Foundation
import TestSupport

/// A replica set with an agent beside every member, a coordinator, and the command line: what every test here uses.
final class Rig: Sendable {
    let directory: TestDirectory
    let set: ReplicaSet
    let deployment: Deployment
    let agents: [Server]

    private init(_ directory: TestDirectory, _ set: ReplicaSet, _ deployment: Deployment, _ agents: [Server]) {
        self.directory = directory
        self.set = set
        self.deployment = deployment
        self.agents = agents
    }

    /// Starts everything and waits until every agent is connected.
    static func start(
        in directory: TestDirectory,
        members: ReplicaSetOptions = ReplicaSetOptions(),
        repository: String? = nil,
        configuration: String = "",
        storageSecret: [String: String] = [:],
        coordinatorArguments: [String] = [],
        agentSettings: [String: String] = [:],
        certificates: Certificates? = nil
    ) async throws -> Rig {
        let set = try await ReplicaSet.start(members, in: directory)
        let deployment = try Deployment(
            in: directory,
            binaries: .beside(),
            repository: repository,
            configuration: configuration,
            storageSecret: storageSecret,
            coordinatorArguments: coordinatorArguments,
            agentSettings: agentSettings,
            certificates: certificates
        )
        try await deployment.startCoordinator()
        let agents = try set.members.enumerated().map { index, member in
            try deployment.makeAgent(
                "mongo-\(index)",
                uri: "mongodb://\(member.address)/?authSource=admin",
                user: MongoUser.remora.name,
                password: MongoUser.remora.password
            )
        }
        for agent in agents { try await agent.launch() }
        let rig = Rig(directory, set, deployment, agents)
        try await rig.waitForAgents()
        return rig
    }

    /// Waits until the coordinator hears from every agent.
    func waitForAgents() async throws { try await deployment.waitUntilConnected(agents) }

    /// Ends every process.
    func stop() async {
        await deployment.stop(agents)
        await set.kill()
    }

    /// Everything the agents and the coordinator said lately: for a failing test's message.
    func logs() -> String { deployment.logs(agents) }

    /// Starts a backup and returns its session's name.
    func startBackup() async throws -> String { try await deployment.startBackup() }

    /// Waits until a session has ended and returns it.
    func waitForEnd(of session: String, within limit: Duration = .seconds(120)) async throws -> JSONValue {
        try await deployment.waitForEnd(of: session, within: limit)
    }

    /// The first member that is locked.
    func lockedMember() async throws -> Int? {
        for (index, member) in set.members.enumerated() where try await member.isLocked() { return index }
        return nil
    }
}

/// Runs a test on a rig of its own and ends it; a failure shows what everybody said.
func withRig(
    _ name: String,
    members: ReplicaSetOptions = ReplicaSetOptions(),
    repository: String? = nil,
    configuration: String = "",
    storageSecret: [String: String] = [:],
    coordinatorArguments: [String] = [],
    agentSettings: [String: String] = [:],
    certificates: Certificates? = nil,
    _ body: (Rig) async throws -> Void
) async throws {
    try await withTestDirectory(name) { directory in
        let rig = try await Rig.start(
            in: directory,
            members: members,
            repository: repository,
            configuration: configuration,
            storageSecret: storageSecret,
            coordinatorArguments: coordinatorArguments,
            agentSettings: agentSettings,
            certificates: certificates
        )
        do {
            try await body(rig)
            await rig.stop()
        } catch {
            let logs = rig.logs()
            await rig.stop()
            throw TestSupportError("\(error)\n\(logs)")
        }
    }
}
