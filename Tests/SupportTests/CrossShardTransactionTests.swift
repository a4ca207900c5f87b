import TestSupport
import Testing

@Suite("Transactions over shards")
struct CrossShardTransactionTests {
    /// A collection `c` with documents 0 on one shard and 1 on the other, and a connection to each.
    private func prepare() async throws -> (cluster: ShardedCluster, database: String, connections: [WireConnection]) {
        let cluster = try await SharedServers.shardedCluster()
        let database = SharedServers.uniqueName("transactions")
        try await cluster.createDatabase(database, primary: "rsA")
        try await cluster.shardCollection("\(database).c", key: #"{"_id": 1}"#)
        try await cluster.moveRange("\(database).c", from: #"{"_id": 1}"#, to: nil, toShard: "rsB")
        let documents = (0..<2).map { number in TestDocument { $0.int32("_id", number) } }
        try await cluster.insert(documents, into: "\(database).c")
        var connections: [WireConnection] = []
        for name in cluster.shardNames { connections.append(try await cluster.wireConnection(to: name)) }
        return (cluster, database, connections)
    }

    private func touch(_ id: Int) -> String {
        #"{"update": "c", "updates": [{"q": {"_id": \#(id)}, "u": {"$inc": {"n": 1}}}]}"#
    }

    private func numbers(_ cluster: ShardedCluster, _ database: String) async throws -> [Int] {
        var result: [Int] = []
        for name in cluster.shardNames {
            let documents = try await cluster.shardClient(name).find(in: "c", of: database)
            result.append(documents.first?["n"]?.int ?? 0)
        }
        return result
    }

    @Test("a commit by the coordinator is there on both shards, an aborted one on none")
    func commit() async throws {
        let (cluster, database, connections) = try await prepare()
        let session = SessionIdentifier()
        let first = CrossShardTransaction(session: session, number: 1)
        try await first.run(touch(0), on: database, shard: "rsA", over: connections[0])
        try await first.run(touch(1), on: database, shard: "rsB", over: connections[1])
        #expect(try await numbers(cluster, database) == [0, 0])
        let outcome = try await first.commit { try await cluster.wireConnection(to: $0) }
        #expect(outcome == .committed)
        try await eventually("both have it") { try await numbers(cluster, database) == [1, 1] }

        let second = CrossShardTransaction(session: session, number: 2)
        try await second.run(touch(0), on: database, shard: "rsA", over: connections[0])
        try await second.run(touch(1), on: database, shard: "rsB", over: connections[1])
        await second.abort { _ in connections[0] }
        #expect(try await second.commit { _ in connections[0] } == .aborted)
        #expect(try await numbers(cluster, database) == [1, 1])
        try await cluster.dropDatabase(database)
    }

    @Test("a prepared transaction is held open, shows in config.transactions, and is committed later, shard by shard")
    func prepared() async throws {
        let (cluster, database, connections) = try await prepare()
        let transaction = CrossShardTransaction(session: SessionIdentifier(), number: 1)
        try await transaction.run(touch(0), on: database, shard: "rsA", over: connections[0])
        try await transaction.run(touch(1), on: database, shard: "rsB", over: connections[1])
        let time = try await transaction.prepare()
        for name in cluster.shardNames {
            let open = try await cluster.shardClient(name).count(
                "transactions",
                of: "config",
                filter: #"{"state": "prepared"}"#
            )
            #expect(open == 1, "\(name)")
        }
        try await transaction.commitPrepared(at: time, shards: ["rsB"])
        let readOnB = try await cluster.shardClient("rsB").find(in: "c", of: database)
        #expect(readOnB.first?["n"]?.int == 1)
        try await transaction.commitPrepared(at: time, shards: ["rsA"])
        #expect(try await numbers(cluster, database) == [1, 1])
        try await cluster.dropDatabase(database)
    }
}
