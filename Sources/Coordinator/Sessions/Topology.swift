import BackupModel

/// What a target is, by what its agents say: a pure function.
struct Topology: Sendable, Hashable {
    /// The sharded cluster that the groups make up.
    struct Cluster: Sendable, Hashable {
        var id: String
        var shards: [ShardIdentity.Shard]
    }

    /// What is to be made of the agents that there are.
    enum Decision: Sendable, Hashable {
        case found(Topology)
        /// More agents must come first: which, and what to start.
        case incomplete(String)
        /// Waiting won't help.
        case unsupported(String)
    }

    /// By name, each without an attempt.
    var groups: [GroupState]
    /// Nil for a replica set or a standalone.
    var cluster: Cluster?
    /// What a person should know.
    var remarks: [String] = []

    /// Decides.
    ///
    /// - Parameters:
    ///   - agents: those that are connected and reach their members.
    ///   - target: for the sentences.
    /// - Returns: its groups, or what is missing or wrong.
    static func decide(_ agents: [AgentSnapshot], target: ResourceKey) -> Decision {
        let members = agents.filter { $0.member.role != .arbiter }
        let names = Set(members.map(MemberChoice.group)).sorted()
        guard !names.isEmpty else { return .unsupported("target \(target) has arbiters only") }
        // What one member of a group knows of the cluster holds for the others, which may still be starting.
        let identities = Dictionary(grouping: members.filter { $0.member.sharding != nil }, by: MemberChoice.group)
        guard !identities.isEmpty else {
            if names.count == 1 { return .found(Topology(groups: names.map { GroupState(name: $0) })) }
            return .unsupported(
                "target \(target) has \(names.count) groups (\(list(names))) that are not shards of one cluster; "
                    + "give each replica set its own AppBinding"
            )
        }
        let strangers = names.filter { identities[$0] == nil }
        guard strangers.isEmpty else {
            return .unsupported(
                "target \(target) is a sharded cluster, but \(list(strangers)) "
                    + "\(strangers.count == 1 ? "belongs" : "belong") to none; give each replica set its own AppBinding"
            )
        }
        let clusters = Set(members.compactMap(\.member.sharding?.clusterID)).sorted()
        guard let id = clusters.first, clusters.count == 1 else {
            return .unsupported(
                "target \(target) has members of \(clusters.count) sharded clusters (\(list(clusters))); give each "
                    + "cluster its own AppBinding"
            )
        }
        return decide(cluster: id, members, names, target)
    }

    private static func decide(
        cluster id: String,
        _ members: [AgentSnapshot],
        _ names: [String],
        _ target: ResourceKey
    ) -> Decision {
        let configMembers = members.filter { $0.member.sharding?.isConfigServer == true }
        let configServers = Set(configMembers.map(MemberChoice.group)).sorted()
        guard let configServer = configServers.first else {
            return .incomplete(
                "sharded cluster \(target) has no connected agent of its config server, only of \(list(names)); start "
                    + "remora-agent beside the config server's members"
            )
        }
        guard configServers.count == 1 else {
            return .unsupported(
                "target \(target) has \(configServers.count) config servers (\(list(configServers))); give each cluster "
                    + "its own AppBinding"
            )
        }
        guard let shards = shards(configMembers) else {
            return .incomplete(
                "the config server \(configServer) of sharded cluster \(target) names no shards; add one, or look at "
                    + "what its agents say in remora status"
            )
        }
        if let both = shards.first(where: { $0.replicaSet.utf8.elementsEqual(configServer.utf8) }) {
            return .unsupported(
                "the config server \(configServer) of sharded cluster \(target) is a shard too (\(both.name)), which "
                    + "this version does not back up; move it with transitionToDedicatedConfigServer"
            )
        }
        let missing = shards.filter { shard in !names.contains { $0.utf8.elementsEqual(shard.replicaSet.utf8) } }
        guard missing.isEmpty else {
            let what = missing.map { "\($0.name) (replica set \($0.replicaSet))" }
            return .incomplete(
                "no agent of \(missing.count == 1 ? "shard" : "shards") \(list(what)) of sharded cluster \(target) is "
                    + "connected and reaches its member; start remora-agent beside "
                    + "\(missing.count == 1 ? "its" : "their") members"
            )
        }
        var groups = [GroupState(name: configServer, role: .configServer)]
        groups += shards.map { GroupState(name: $0.replicaSet, role: .shard, shard: $0.name) }
        var topology = Topology(
            groups: groups.sorted { $0.name < $1.name },
            cluster: Cluster(id: id, shards: shards)
        )
        let others = names.filter { name in !groups.contains { $0.name == name } }
        if !others.isEmpty {
            topology.remarks.append(
                "\(list(others)) was a shard, but the config server does not list it any more: it is left out"
            )
        }
        return .found(topology)
    }

    /// The shards as the primary of the config server lists them, or else whoever told last.
    private static func shards(_ members: [AgentSnapshot]) -> [ShardIdentity.Shard]? {
        let telling = members.filter { $0.member.sharding?.shards.isEmpty == false }
        let best =
            telling.first { $0.member.role == .primary }
            ?? telling.max { left, right in
                (left.memberSeen?.unixMs ?? 0, left.agentID) < (right.memberSeen?.unixMs ?? 0, right.agentID)
            }
        return best?.member.sharding?.shards.sorted { $0.name < $1.name }
    }

    private static func list(_ names: [String]) -> String { names.joined(separator: ", ") }
}
