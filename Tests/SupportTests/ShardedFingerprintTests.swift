import TestSupport
import Testing

@Suite("Comparison of sharded clusters")
struct ShardedFingerprintTests {
    @Test("orphans don't show, and every kind of change shows as one sentence")
    func changes() async throws {
        // A cluster of its own: users and settings belong to all of it.
        try await withTestDirectory("sharded-fingerprint") { directory in
            var options = ShardedClusterOptions()
            options.isBalancing = false
            let cluster = try await ShardedCluster.start(options, in: directory)
            try await prepare(cluster)
            try await cluster.waitUntilNoOrphans()
            try await cluster.setOrphanCleanupDelay(seconds: 3600)
            let before = try await ShardedFingerprint.read(cluster)
            #expect(before.contradictions == [])
            #expect(before.shards.map { $0.collections["shop.orders"]?.count } == [400, 600])
            #expect(before.shards.map { $0.collections["shop.notes"]?.count } == [1, nil])

            // The donor keeps its copies.
            let (first, second) = (#"{"_id": 400}"#, #"{"_id": 500}"#)
            try await cluster.split("shop.orders", at: second)
            try await cluster.moveRange("shop.orders", from: first, to: second, toShard: "rsA")
            let moved = try await ShardedFingerprint.read(cluster)
            #expect(try await cluster.shardClient("rsB").count("orders", of: "shop") == 600)
            #expect(moved.contradictions == [])
            #expect(moved.shards.map { $0.collections["shop.orders"]?.count } == [500, 500])
            #expect(before.differencesAsOne(from: moved) == [])
            let sentences = before.differences(from: moved)
            #expect(sentences.count == 4, "\(sentences)")
            #expect(
                sentences.contains {
                    $0.hasPrefix("routing: chunk of shop.orders from { \"_id\" : { \"$numberInt\" : \"500\"")
                }
            )
            #expect(sentences.contains("shard 0: shop.orders should have a document count of 400, and has 500"))

            var last = moved
            for change in Self.changes {
                try await change.make(cluster)
                let now = try await ShardedFingerprint.read(cluster)
                let differences = last.differences(from: now)
                #expect(
                    differences.count == 1 && differences[0].hasPrefix(change.sentence),
                    "\(change.sentence): \(differences)"
                )
                last = now
            }

            // A document that no shard owns where it is, and nobody will delete.
            try await cluster.shardClient("rsA").command(
                #"{"insert": "notes2", "documents": [{"_id": 9}]}"#,
                on: "other"
            )
            try await cluster.shardClient("rsB").command(
                #"{"insert": "ranged", "documents": [{"_id": 1}]}"#,
                on: "shop"
            )
            let broken = try await ShardedFingerprint.read(cluster).contradictions
            #expect(
                broken == [
                    "other.notes2 is on rsA, which isn't its database's primary shard",
                    "rsB has 1 documents of shop.ranged that it doesn't own, and won't delete them",
                ]
            )
            await cluster.kill()
        }
    }

    private func prepare(_ cluster: ShardedCluster) async throws {
        try await cluster.createDatabase("shop", primary: "rsA")
        try await cluster.createDatabase("other", primary: "rsB")
        try await cluster.shardCollection("shop.orders", key: #"{"_id": 1}"#)
        try await cluster.moveRange("shop.orders", from: #"{"_id": 400}"#, to: nil, toShard: "rsB")
        let documents = (0..<1000).map { number in TestDocument { $0.int32("_id", number) } }
        try await cluster.insert(documents, into: "shop.orders")
        try await cluster.shardCollection("shop.ranged", key: #"{"_id": 1}"#)
        try await cluster.insert([documents[0]], into: "shop.notes")
    }

    private struct Change: Sendable {
        var sentence: String
        var make: @Sendable (ShardedCluster) async throws -> Void

        init(_ sentence: String, _ make: @escaping @Sendable (ShardedCluster) async throws -> Void) {
            self.sentence = sentence
            self.make = make
        }
    }

    private static let changes = [
        Change("shard 1: shop.orders should have content with the hash") {
            try await $0.shardClient("rsB").command(
                #"{"update": "orders", "updates": [{"q": {"_id": 700}, "u": {"$set": {"n": 1}}}]}"#,
                on: "shop"
            )
        },
        Change("shard 0: shop.notes should have a document count of 1, and has 2") {
            try await $0.shardClient("rsA").command(#"{"insert": "notes", "documents": [{"_id": "b"}]}"#, on: "shop")
        },
        Change("shard 1: index of shop.orders n_1 is there, and should not be") {
            try await $0.shardClient("rsB").command(
                #"{"createIndexes": "orders", "indexes": [{"key": {"n": 1}, "name": "n_1"}]}"#,
                on: "shop"
            )
        },
        Change("routing: chunk of shop.orders from { \"_id\" : { \"$numberInt\" : \"500\" } } should be to") {
            let chunks = try await $0.chunks(of: "shop.orders")
            try await $0.markJumbo("shop.orders", chunkFrom: chunks[2].min)
        },
        Change("routing: collection shop.ranged should be") {
            try await $0.setAllowMigrations(false, of: "shop.ranged")
        },
        Change("routing: shard 1 should be zones []") { try await $0.addToZone("overseas", shard: "rsB") },
        Change("routing: zone of shop.ranged from") {
            try await $0.setZone("overseas", of: "shop.ranged", from: #"{"_id": 5}"#, to: #"{"_id": 6}"#)
        },
        Change("routing: database third is there, and should not be") {
            try await $0.createDatabase("third", primary: "rsA")
        },
        Change("routing: setting chunksize is there") {
            try await $0.configClient().command(
                #"{"insert": "settings", "documents": [{"_id": "chunksize", "value": 64}]}"#,
                on: "config"
            )
        },
        Change("config servers: user admin.clerk is there") {
            try await $0.configClient().command(#"{"createUser": "clerk", "pwd": "x", "roles": []}"#)
        },
        Change("shard 0: role admin.local is there") {
            try await $0.shardClient("rsA").command(#"{"createRole": "local", "privileges": [], "roles": []}"#)
        },
    ]
}
