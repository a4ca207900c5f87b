import TestSupport
import Testing

@Suite("Data set of a sharded cluster")
struct ShardedDataSetTests {
    @Test(
        "it has every kind of shard key, zones, a jumbo chunk and orphans, contradicts itself nowhere, and goes again"
    )
    func load() async throws {
        try await withTestDirectory("sharded-data") { directory in
            let cluster = try await ShardedCluster.start(in: directory)
            let summary = try await ShardedDataSet().load(into: cluster)
            let fingerprint = try await ShardedFingerprint.read(cluster)
            #expect(fingerprint.contradictions == [])
            #expect(summary.sharded.count == 8 && summary.databases.count > 8)

            func counts(_ namespace: String) -> [Int?] { fingerprint.shards.map { $0.collections[namespace]?.count } }
            for namespace in [
                "shop.orders", "shop.customers", "shop.visits", "shop.system.buckets.metrics", "warehouse.bins",
            ] {
                #expect(counts(namespace).allSatisfy { ($0 ?? 0) > 3 }, "\(namespace): \(counts(namespace))")
            }
            #expect(counts("shop.nothing yet") == [0, 0])
            #expect(counts("warehouse.stock") == [300, nil])
            #expect(counts("warehouse.parcels") == [100, 100])
            #expect(try await cluster.shardClient("rsB").count("parcels", of: "warehouse") == 200)
            let routing = fingerprint.routing
            #expect(routing.filter { $0.key.hasPrefix("zone of shop.customers") }.count == 2)
            #expect(routing.values.filter { $0.hasSuffix("jumbo") }.count == 1)
            #expect(routing["shard 0"]?.hasPrefix("zones [\"Europe\"]") == true)
            #expect(fingerprint.config.users.count > 5 && fingerprint.shards[1].users["admin.shard-local"] != nil)
            let bytes = try await totalBytes(cluster)
            #expect(bytes < 30_000_000, "\(bytes)")

            // Nothing here gives the balancer work, and what happens by itself changes nothing.
            let rounds = try await cluster.balancerStatus().rounds
            try await eventually("the balancer has looked") { try await cluster.balancerStatus().rounds > rounds }
            #expect(try await fingerprint.differences(from: .read(cluster)) == [])

            try await ShardedDataSet.drop(from: cluster)
            let left = try await ShardedFingerprint.read(cluster)
            #expect(left.contradictions == [])
            #expect(left.shards.allSatisfy { $0.collections.isEmpty })
            #expect(left.config.users.keys.sorted() == ["admin.admin", "admin.remora"])
            await cluster.kill()
        }
    }

    private func totalBytes(_ cluster: ShardedCluster) async throws -> Int {
        var bytes = 0
        for name in cluster.shardNames {
            let client = try cluster.shardClient(name)
            for database in try await client.command(#"{"listDatabases": 1}"#)["databases"]?.documents ?? [] {
                guard let name = database["name"]?.string, name != "local", name != "config" else { continue }
                bytes += try await client.command(#"{"dbStats": 1}"#, on: name)["dataSize"]?.int ?? 0
            }
        }
        return bytes
    }
}
