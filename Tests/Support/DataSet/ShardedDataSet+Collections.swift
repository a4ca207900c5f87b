/// One sharded collection of the data set.
struct ShardedCollectionPlan: Sendable {
    /// What it holds.
    var plan: CollectionPlan
    /// The shard key.
    var key: String
    /// For a hashed key: how many chunks it begins with.
    var initialChunks: Int?
    var isUnique = false
    /// More fields of the command that shards it.
    var options = ""
    /// Zones, splits and moves, made before there are documents.
    var arrange: @Sendable (ShardedCluster, String) async throws -> Void = { _, _ in }

    var isTimeseries: Bool { options.contains("timeseries") }

    /// As the routing table has it.
    var namespace: String { "\(plan.database).\(isTimeseries ? "system.buckets." : "")\(plan.name)" }

    func load(into cluster: ShardedCluster) async throws {
        do {
            let client = try await cluster.shardClient(cluster.primaryShard(of: plan.database))
            var empty = plan
            // Measurements become buckets where they are inserted: on the primary shard, before there are other chunks.
            if !isTimeseries { empty.count = 0 }
            _ = try await empty.load(client)
            try await cluster.shardCollection(
                "\(plan.database).\(plan.name)",
                key: key,
                isUnique: isUnique,
                initialChunks: initialChunks,
                options: options
            )
            try await arrange(cluster, namespace)
            if !isTimeseries { try await cluster.insert(plan.documents(), into: namespace) }
        } catch {
            throw TestSupportError("cannot make the sharded collection \(namespace): \(error)")
        }
    }
}

extension ShardedDataSet {
    func shardedCollections(_ first: String, _ last: String) -> [ShardedCollectionPlan] {
        let shop = DataSet(factor: 1).shopPlans()
        func shopPlan(_ name: String) -> CollectionPlan {
            guard var plan = shop.first(where: { $0.name == name }) else { preconditionFailure("no plan \(name)") }
            // A unique index must begin with the shard key.
            plan.indexes.removeAll { $0.contains(#""unique": true"#) }
            return plan
        }
        return [
            ShardedCollectionPlan(plan: shopPlan("orders"), key: #"{"_id": "hashed"}"#, initialChunks: 6),
            customers(shopPlan("customers"), first, last),
            visits(),
            metrics(shopPlan("metrics"), last),
            ShardedCollectionPlan(
                plan: CollectionPlan(
                    database: "shop",
                    name: "nothing yet",
                    indexes: [#"{"key": {"n": -1}, "name": "n_-1"}"#]
                ),
                key: #"{"_id": "hashed"}"#,
                initialChunks: 4
            ),
            stock(first),
            bins(first),
            ShardedCollectionPlan(
                plan: CollectionPlan(database: "warehouse", name: "parcels", count: 200) { index, generator in
                    TestDocument { parcel in
                        parcel.int32("_id", Int32(index))
                        parcel.string("to", generator.sentence(4))
                    }
                },
                key: #"{"_id": 1}"#
            ),
        ]
    }

    /// A compound range key under a collation that it ignores, with a zone for each continent.
    private func customers(_ plan: CollectionPlan, _ first: String, _ last: String) -> ShardedCollectionPlan {
        var plan = plan
        let document = plan.document
        plan.document = { index, generator in
            let customer = document(index, &generator)
            return TestDocument { builder in
                for field in customer.fields { builder.value(field.name, field.value) }
                // Every tenth has none: a missing field of the key counts as null.
                if index % 10 != 0 { builder.string("region", ["eu", "us", "US"][index % 3]) }
            }
        }
        // The key's index ignores case no more than the key does.
        plan.indexes.append(
            #"{"key": {"region": 1, "_id": 1}, "name": "region_1__id_1", "collation": {"locale": "simple"}}"#
        )
        return ShardedCollectionPlan(
            plan: plan,
            key: #"{"region": 1, "_id": 1}"#,
            options: #""collation": {"locale": "simple"}"#
        ) { cluster, namespace in
            let (europe, america) = (
                #"{"region": "eu", "_id": {"$minKey": 1}}"#, #"{"region": "us", "_id": {"$minKey": 1}}"#
            )
            let middle = #"{"region": "eu", "_id": {"$oid": "650000000000000000000080"}}"#
            let end = #"{"region": {"$maxKey": 1}, "_id": {"$maxKey": 1}}"#
            try await cluster.addToZone("Europe", shard: first)
            try await cluster.addToZone("overseas", shard: last)
            try await cluster.split(namespace, at: europe)
            try await cluster.split(namespace, at: middle)
            try await cluster.split(namespace, at: america)
            try await cluster.moveRange(namespace, from: america, to: end, toShard: last)
            try await cluster.setZone("Europe", of: namespace, from: europe, to: america)
            try await cluster.setZone("overseas", of: namespace, from: america, to: end)
        }
    }

    /// Hashed by a field inside another one, which some documents don't have.
    private func visits() -> ShardedCollectionPlan {
        ShardedCollectionPlan(
            plan: CollectionPlan(
                database: "shop",
                name: "visits",
                indexes: [#"{"key": {"at": 1}, "name": "at_1", "expireAfterSeconds": 2147483647}"#],
                count: 600
            ) { index, generator in
                TestDocument { visit in
                    visit.objectID("_id", UInt64(index))
                    if index % 20 != 0 {
                        visit.document("user") { user in
                            switch index % 4 {
                            case 0: user.int32("id", Int32(index))
                            case 1: user.double("id", Double(index) + 0.5)
                            case 2: user.string("id", "user \(index)")
                            default: user.document("id") { $0.int64("n", Int64(index)) }
                            }
                        }
                    }
                    visit.date("at", milliseconds: 1_790_000_000_000 + Int64(index))
                    visit.string("page", generator.sentence(3))
                }
            },
            key: #"{"user.id": "hashed"}"#,
            initialChunks: 5
        )
    }

    /// A time-series by its meta field; half of the rooms on another shard.
    private func metrics(_ plan: CollectionPlan, _ last: String) -> ShardedCollectionPlan {
        ShardedCollectionPlan(
            plan: plan,
            key: #"{"sensor": 1}"#,
            options: #""timeseries": {"timeField": "at", "metaField": "sensor", "granularity": "minutes"}"#
        ) { cluster, namespace in
            let middle = #"{"meta": {"room": "room-4"}}"#
            try await cluster.split(namespace, at: middle)
            try await cluster.moveRange(namespace, from: middle, to: nil, toShard: last)
            try await cluster.waitUntilNoOrphans()
        }
    }

    /// All chunks on a shard that isn't the database's own; unique by its key; never balanced, the first chunk jumbo.
    private func stock(_ first: String) -> ShardedCollectionPlan {
        ShardedCollectionPlan(
            plan: CollectionPlan(database: "warehouse", name: "stock", count: 300) { index, generator in
                TestDocument { stock in
                    stock.objectID("_id", UInt64(index))
                    stock.string("sku", "SKU-\(1_000 + index)")
                    stock.int32("count", Int32(generator.below(500)))
                }
            },
            key: #"{"sku": 1}"#,
            isUnique: true
        ) { cluster, namespace in
            try await cluster.split(namespace, at: #"{"sku": "SKU-1100"}"#)
            for chunk in try await cluster.chunks(of: namespace) {
                try await cluster.move(chunk, of: namespace, toShard: first)
            }
        }
    }

    /// A compound key whose second field is hashed; its chunks may not move.
    private func bins(_ first: String) -> ShardedCollectionPlan {
        ShardedCollectionPlan(
            plan: CollectionPlan(database: "warehouse", name: "bins", count: 300) { index, generator in
                TestDocument { bin in
                    bin.int32("_id", Int32(index))
                    bin.int32("hall", Int32(index % 3))
                    bin.string("code", "\(generator.below(1_000_000))")
                }
            },
            key: #"{"hall": 1, "code": "hashed"}"#
        ) { cluster, namespace in
            let (from, to) = (
                #"{"hall": 1, "code": {"$minKey": 1}}"#, #"{"hall": 1, "code": {"$numberLong": "1234567890123"}}"#
            )
            try await cluster.moveRange(namespace, from: from, to: to, toShard: first)
        }
    }
}
