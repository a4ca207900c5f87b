import TestSupport
import Testing

@Suite("Remora beside a sharded cluster", .serialized)
struct ShardedDeploymentTests {
    @Test("every member of the config servers and of each shard has an agent, in the group that it belongs to")
    func agents() async throws {
        try await withTestDirectory("e2e-sharded") { directory in
            let cluster = try await ShardedCluster.start(in: directory)
            let sharded = try await ShardedDeployment.start(beside: cluster, in: directory)
            let groups = try await eventually("all agents have looked at their members") {
                let groups = try await sharded.connectedAgents().compactMap { $0["group"].string }.sorted()
                return groups.count == 3 ? groups : nil
            }
            #expect(groups == ["cfg", "rsA", "rsB"])
            await sharded.stop()
            for agent in sharded.allAgents { #expect(!agent.isRunning) }
            await cluster.kill()
        }
    }
}
