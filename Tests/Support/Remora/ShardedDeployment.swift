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
    ///   - binaries: the programs; those beside the running one if `nil`.
    ///   - repository: see `Deployment`.
    ///   - configuration: see `Deployment`.
    ///   - storageSecret: see `Deployment`.
    ///   - coordinatorArguments: see `Deployment`.
    ///   - agentSettings: see `Deployment`.
    /// - Returns: the running deployment, whose agents are called `cfg-0`, `rsa-0` … as their pods.
    /// - Throws: `TestSupportError`, with the log of whoever did not start.
    public static func start(
        beside cluster: ShardedCluster,
        in directory: TestDirectory,
        binaries: Binaries? = nil,
        repository: String? = nil,
        configuration: String = "",
        storageSecret: [String: String] = [:],
        coordinatorArguments: [String] = [],
        agentSettings: [String: String] = [:]
    ) async throws -> ShardedDeployment {
        let deployment = try Deployment(
            in: directory,
            binaries: binaries ?? .beside(),
            repository: repository,
            configuration: configuration,
            storageSecret: storageSecret,
            coordinatorArguments: coordinatorArguments,
            agentSettings: agentSettings
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
        try await sharded.waitForAgents()
        return sharded
    }

    /// The pod of a group's member: names of pods have no capitals.
    public static func pod(_ group: String, _ index: Int) -> String { "\(group.lowercased())-\(index)" }

    private init(_ cluster: ShardedCluster, _ deployment: Deployment, _ agents: [String: [Server]]) {
        self.cluster = cluster
        self.deployment = deployment
        self.agents = agents
    }

    /// All agents, the config servers' first.
    public var allAgents: [Server] { cluster.groups.flatMap { agents[$0.options.name] ?? [] } }

    /// Waits until the coordinator hears from every agent.
    public func waitForAgents() async throws {
        let agents = allAgents
        try await eventually("\(agents.count) agents are connected", within: .seconds(120), every: .milliseconds(200)) {
            for agent in agents where !agent.isRunning { throw FatalWaitError(agent.logTail()) }
            return try await connectedAgents().count == agents.count
        }
    }

    /// The agents that the coordinator hears from, as it describes them.
    public func connectedAgents() async throws -> [JSONValue] {
        let status = try await deployment.json("status")
        return status["targets"].elements.flatMap { $0["agents"].elements }.filter { $0["connected"] == .bool(true) }
    }

    /// The first member that is locked, as it says itself.
    public func lockedMember() async throws -> MongoServer? {
        for member in cluster.members where member.server.isRunning {
            let reply = try await member.client().command(#"{"currentOp": 1}"#, on: "admin")
            if reply["fsyncLock"]?.bool == true { return member }
        }
        return nil
    }

    /// Ends coordinator and agents; the cluster goes on.
    public func stop() async {
        await withTaskGroup(of: Void.self) { tasks in
            for agent in allAgents { tasks.addTask { await agent.stop(grace: .seconds(5)) } }
        }
        await deployment.coordinator.stop(grace: .seconds(5))
    }

    /// What coordinator and agents said lately: for a failing test's message.
    public func logs() -> String {
        ([deployment.coordinator] + allAgents).map { $0.logTail(lines: 25) }.joined(separator: "\n")
    }
}
