/// A whole Remora around a sharded cluster: a coordinator, one target for all of it, and an agent beside every member
/// of the config servers and of each shard.
public final class ShardedDeployment: Sendable {
    /// The cluster.
    public let cluster: ShardedCluster
    /// Coordinator, objects and command line.
    public let deployment: Deployment
    /// Each group's agents in the order of its members, by the group's name (`cfg`, `rsA` …).
    public let agents: [String: [Server]]

    /// Starts a coordinator and all agents, and returns when the coordinator hears from every one.
    ///
    /// - Parameters:
    ///   - cluster: a running one.
    ///   - directory: where objects, state and logs go.
    ///   - repository: see `Deployment`.
    ///   - configuration: see `Deployment`.
    ///   - storageSecret: see `Deployment`.
    ///   - coordinatorArguments: see `Deployment`.
    ///   - port: see `Deployment`.
    ///   - agentURL: see `Deployment`.
    /// - Returns: the running deployment, whose agents are called `cfg-0`, `rsa-0` … as their pods.
    /// - Throws: `TestSupportError`, with the log of whoever did not start.
    public static func start(
        beside cluster: ShardedCluster,
        in directory: TestDirectory,
        repository: String? = nil,
        configuration: String = "",
        storageSecret: [String: String] = [:],
        coordinatorArguments: [String] = [],
        port: UInt16? = nil,
        agentURL: String? = nil
    ) async throws -> ShardedDeployment {
        let deployment = try Deployment(
            in: directory,
            binaries: .beside(),
            repository: repository,
            configuration: configuration,
            storageSecret: storageSecret,
            coordinatorArguments: coordinatorArguments,
            port: port,
            agentURL: agentURL
        )
        try await deployment.startCoordinator()
        var agents: [String: [Server]] = [:]
        for group in cluster.groups {
            agents[group.options.name] = try group.members.enumerated().map { index, member in
                try deployment.makeAgent(
                    pod(group.options.name, index),
                    uri: "mongodb://\(member.address)/?authSource=admin",
                    user: member.options.isAuthenticated ? MongoUser.remora.name : nil,
                    password: member.options.isAuthenticated ? MongoUser.remora.password : nil
                )
            }
        }
        let sharded = ShardedDeployment(cluster, deployment, agents)
        for agent in sharded.allAgents { try await agent.launch() }
        try await deployment.waitUntilConnected(sharded.allAgents, within: .seconds(120))
        return sharded
    }

    /// The pod of a group's member: names of pods have no capitals.
    private static func pod(_ group: String, _ index: Int) -> String { "\(group.lowercased())-\(index)" }

    private init(_ cluster: ShardedCluster, _ deployment: Deployment, _ agents: [String: [Server]]) {
        self.cluster = cluster
        self.deployment = deployment
        self.agents = agents
    }

    /// All agents, the config servers' first.
    public var allAgents: [Server] { cluster.groups.flatMap { agents[$0.options.name] ?? [] } }

    /// The first member that is locked, as it says itself.
    public func lockedMember() async throws -> MongoServer? {
        for member in cluster.members where member.server.isRunning {
            if try await member.isLocked() { return member }
        }
        return nil
    }

    /// Ends coordinator and agents; the cluster goes on.
    public func stop() async { await deployment.stop(allAgents) }

    /// What coordinator and agents said lately: for a failing test's message.
    public func logs() -> String { deployment.logs(allAgents) }
}
