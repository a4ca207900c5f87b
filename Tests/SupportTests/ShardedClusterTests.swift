import TestSupport
import Testing

@Suite("Sharded cluster")
struct ShardedClusterTests {
    @Test(
        "three members a group: shards are added, every member holds a chunk's documents, and a cluster has no router"
    )
    func replicated() async throws {
        try await withTestDirectory("cluster") { directory in
            let cluster = try await ShardedCluster.start(
                ShardedClusterOptions(shards: 2, members: 3, configMembers: 3),
                in: directory
            )
            try await cluster.createDatabase("shop", primary: "rsA")
            try await cluster.shardCollection("shop.orders", key: #"{"_id": "hashed"}"#, initialChunks: 4)
            try await cluster.insert(Self.numbered(0..<1000), into: "shop.orders")
            try await cluster.waitUntilInSync()
            var total = 0
            for shard in cluster.shards {
                let counts = try await Self.counts(of: shard)
                #expect(counts.count == 3 && Set(counts).count == 1 && counts[0] > 300)
                total += counts[0]
            }
            #expect(total == 1000)
            let shards = try await cluster.configClient().find(in: "shards", of: "config")
            #expect(shards.compactMap { $0["_id"]?.string }.sorted() == ["rsA", "rsB"])
            await cluster.kill()
            for member in cluster.members { #expect(!member.server.isRunning) }
        }
    }

    private static func counts(of shard: ReplicaSet) async throws -> [Int] {
        var counts: [Int] = []
        for member in shard.members { counts.append(try await member.client().count("orders", of: "shop")) }
        return counts
    }

    private static func numbered(_ range: Range<Int>) -> [TestDocument] {
        range.map { number in
            TestDocument { document in
                document.int32("_id", Int32(number))
                document.string("region", number % 2 == 0 ? "eu" : "us")
                document.string("name", "customer \(number)")
            }
        }
    }

    /// Documents of a collection that each shard owns and holds.
    private func spread(_ cluster: ShardedCluster, _ namespace: String) async throws -> [String: [Int]] {
        let dot = try #require(namespace.firstIndex(of: "."))
        let (database, collection) = (namespace[..<dot], namespace[namespace.index(after: dot)...])
        var result: [String: [Int]] = [:]
        for shard in cluster.shardNames {
            let client = try cluster.shardClient(shard)
            let held = try await client.count(String(collection), of: String(database))
            let filter = try await cluster.ownershipFilter(of: namespace, on: shard)
            let owned =
                if let filter { try await client.count(String(collection), of: String(database), filter: filter) } else
                { 0 }
            result[shard] = [owned, held]
        }
        return result
    }

    @Test("a compound range key: chunks split, move and merge; a move leaves orphans that the filter hides, then none")
    func ranges() async throws {
        let cluster = try await SharedServers.shardedCluster()
        let database = SharedServers.uniqueName("ranges")
        let namespace = "\(database).customers"
        try await cluster.createDatabase(database, primary: "rsB")
        #expect(try await cluster.primaryShard(of: database) == "rsB")
        try await cluster.shardCollection(namespace, key: #"{"region": 1, "_id": 1}"#, isUnique: true)
        try await cluster.insert(Self.numbered(0..<1000), into: namespace)
        #expect(try await spread(cluster, namespace) == ["rsA": [0, 0], "rsB": [1000, 1000]])

        let (first, second) = (#"{"region": "eu", "_id": 500}"#, #"{"region": "us", "_id": {"$minKey": 1}}"#)
        try await cluster.split(namespace, at: first)
        try await cluster.split(namespace, at: second)
        #expect(try await cluster.chunks(of: namespace).map(\.shard) == ["rsB", "rsB", "rsB"])
        try await cluster.moveRange(namespace, from: first, to: second, toShard: "rsA")
        let chunks = try await cluster.chunks(of: namespace)
        #expect(chunks.map(\.shard) == ["rsB", "rsA", "rsB"])
        #expect(try await spread(cluster, namespace) == ["rsA": [250, 250], "rsB": [750, 1000]])
        try await cluster.waitUntilNoOrphans()
        #expect(try await spread(cluster, namespace) == ["rsA": [250, 250], "rsB": [750, 750]])

        try await cluster.insert(Self.numbered(1000..<2000), into: namespace)
        #expect(try await spread(cluster, namespace) == ["rsA": [750, 750], "rsB": [1250, 1250]])
        try await cluster.markJumbo(namespace, chunkFrom: chunks[1].min)
        #expect(try await cluster.chunks(of: namespace).map(\.isJumbo) == [false, true, false])

        try await cluster.move(chunks[0], of: namespace, toShard: "rsA")
        try await cluster.split(namespace, at: #"{"region": "us", "_id": 7}"#)
        try await cluster.merge(namespace, from: second, to: chunks[2].max.json, on: "rsB")
        #expect(try await cluster.chunks(of: namespace).map(\.shard) == ["rsA", "rsA", "rsB"])

        try await cluster.dropDatabase(database)
        #expect(try await cluster.collectionEntry(namespace) == nil)
    }

    @Test("hashed keys: what lands on a shard is what the shard's own filter takes for its own")
    func hashed() async throws {
        let cluster = try await SharedServers.shardedCluster()
        let database = SharedServers.uniqueName("hashed")
        try await cluster.createDatabase(database, primary: "rsA")
        let keys = [
            "_id": #"{"_id": "hashed"}"#, "name": #"{"name": "hashed"}"#, "both": #"{"region": 1, "name": "hashed"}"#,
        ]
        for (name, key) in keys {
            let namespace = "\(database).\(name)"
            try await cluster.shardCollection(namespace, key: key, initialChunks: name == "both" ? nil : 6)
            if name == "both" {
                let middle = #"{"region": "eu", "name": {"$numberLong": "1000"}}"#
                try await cluster.moveRange(namespace, from: middle, to: nil, toShard: "rsB")
            }
            let odd = [
                #"{"_id": 1.5}"#, #"{"_id": -3.9, "name": null}"#,
                #"{"_id": {"a": [1]}, "name": {"$numberLong": "7"}}"#,
            ]
            try await cluster.insert(Self.numbered(0..<500) + odd.map { try TestDocument(json: $0) }, into: namespace)
            let spread = try await spread(cluster, namespace)
            let counts = spread.values.map { $0[0] }
            #expect(spread.values.allSatisfy { $0[0] == $0[1] } && counts.allSatisfy { $0 > 100 }, "\(name): \(spread)")
            #expect(counts.reduce(0, +) == 503)
        }
        try await cluster.dropCollection("\(database)._id")
        #expect(try await cluster.collectionEntry("\(database)._id") == nil)
        #expect(try await cluster.collectionEntry("\(database).name") != nil)
        try await cluster.dropDatabase(database)
    }

    @Test("the balancer stops, starts, and moves what a zone wants elsewhere")
    func balancer() async throws {
        let cluster = try await SharedServers.shardedCluster()
        let database = SharedServers.uniqueName("zones")
        let namespace = "\(database).customers"
        try await cluster.stopBalancer()
        #expect(try await cluster.balancerStatus().mode == "off")
        try await cluster.createDatabase(database, primary: "rsA")
        try await cluster.shardCollection(namespace, key: #"{"region": 1}"#)
        try await cluster.insert(Self.numbered(0..<100), into: namespace)
        try await cluster.addToZone("overseas", shard: "rsB")
        try await cluster.setZone(
            "overseas",
            of: namespace,
            from: #"{"region": "us"}"#,
            to: #"{"region": {"$maxKey": 1}}"#
        )
        #expect(try await cluster.chunks(of: namespace).map(\.shard) == ["rsA"])
        try await cluster.startBalancer()
        #expect(try await cluster.balancerStatus().mode == "full")
        try await eventually("the balancer has moved the zone") {
            try await cluster.chunks(of: namespace).map(\.shard) == ["rsA", "rsB"]
        }
        try await cluster.dropDatabase(database)
    }

    @Test("a raw connection adds nothing to a command, and says what the server says")
    func raw() async throws {
        let cluster = try await SharedServers.shardedCluster()
        let connection = try cluster.shards[0].members[0].wireConnection()
        #expect(try await connection.command(#"{"hello": 1}"#)["setName"]?.string == "rsA")
        await #expect(throws: MongoError.self) { try await connection.command(#"{"nonsense": 1}"#) }
        let echo = try await connection.command(#"{"currentOp": 1, "$ownOps": true}"#)
        let own = try #require(echo["inprog"]?.documents?.first { $0["command.currentOp"] != nil })
        #expect(own["command.lsid"] == nil && own["command.$clusterTime"] == nil)
    }
}
