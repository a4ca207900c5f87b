/// What a sharded cluster may hold, about 4 MB, the same every time.
///
/// Collections with every kind of shard key, unsharded ones on every shard, zones, chunks where nobody expects them,
/// orphans.
public struct ShardedDataSet: Sendable {
    /// What `load` made.
    public struct Summary: Sendable {
        /// Namespaces of the sharded collections.
        public var sharded: [String] = []
        /// Names of all databases.
        public var databases: [String] = []
        /// Documents in sharded collections, orphans not counted.
        public var shardedDocuments = 0
    }

    /// The database that has an orphaned copy of half of its only collection on its primary shard.
    public static let orphanedNamespace = "warehouse.parcels"

    private let dataSet = DataSet(factor: 1)

    /// Makes one.
    public init() {}

    /// Loads it into an empty cluster of at least two shards.
    ///
    /// - Parameter cluster: its balancer may run; nothing here gives it work.
    /// - Returns: what was made.
    /// - Throws: `MongoError`, `TestSupportError` naming what could not be made.
    @discardableResult public func load(into cluster: ShardedCluster) async throws -> Summary {
        guard let first = cluster.shardNames.first, let last = cluster.shardNames.last, first != last else {
            throw TestSupportError("a sharded data set needs two shards")
        }
        var summary = Summary()
        try await cluster.createDatabase("shop", primary: first)
        try await cluster.createDatabase("warehouse", primary: last)
        for collection in shardedCollections(first, last) {
            try await collection.load(into: cluster)
            summary.sharded.append(collection.namespace)
            summary.shardedDocuments += collection.plan.count
        }
        try await loadUnsharded(into: cluster)
        try await makeTraits(cluster, first, last)
        _ = try await dataSet.loadUsersAndRoles(cluster.configClient())
        // A shard has users of its own, who are nobody to the cluster.
        try await cluster.shardClient(last).command(
            #"{"createUser": "shard-local", "pwd": "p", "roles": ["clusterMonitor"]}"#
        )
        try await cluster.waitUntilInSync()
        summary.databases = try await cluster.configClient().find(in: "databases", of: "config")
            .compactMap { $0["_id"]?.string }
        return summary
    }

    /// Drops all databases, and what belongs to the whole cluster: the disaster.
    public static func drop(from cluster: ShardedCluster) async throws {
        let config = try cluster.configClient()
        for name in try await config.find(in: "databases", of: "config").compactMap({ $0["_id"]?.string }) {
            try await cluster.dropDatabase(name)
        }
        for name in ["shop", "$external"] {
            try await config.command(#"{"dropAllUsersFromDatabase": 1}"#, on: name)
            try await config.command(#"{"dropAllRolesFromDatabase": 1}"#, on: name)
        }
        for (name, isRole) in DataSet.adminNames {
            try await config.command(isRole ? #"{"dropRole": "\#(name)"}"# : #"{"dropUser": "\#(name)"}"#)
        }
        if let last = cluster.shardNames.last {
            try await cluster.shardClient(last).command(#"{"dropUser": "shard-local"}"#)
        }
    }

    /// Everything else that the set for replica sets has, on one shard after the other.
    private func loadUnsharded(into cluster: ShardedCluster) async throws {
        let sharded = ["orders", "customers", "metrics"]
        let plans =
            dataSet.shopPlans().filter { !sharded.contains($0.name) } + dataSet.optionPlans() + dataSet.namePlans()
            + dataSet.typePlans()
        var primaries = ["shop": cluster.shardNames[0], "admin": "", "warehouse": ""]
        for database in Set(plans.map(\.database)).sorted() where primaries[database] == nil {
            let primary = cluster.shardNames[primaries.count % cluster.shards.count]
            try await cluster.createDatabase(database, primary: primary)
            primaries[database] = primary
        }
        let byShard = Dictionary(grouping: plans) { primaries[$0.database] ?? "" }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for (shard, plans) in byShard {
                tasks.addTask {
                    // The cluster's own database is at home on the config servers.
                    let client = try shard.isEmpty ? cluster.configClient() : cluster.shardClient(shard)
                    for plan in plans { _ = try await plan.load(client) }
                }
            }
            try await tasks.waitForAll()
        }
    }

    /// What no command for collections says.
    private func makeTraits(_ cluster: ShardedCluster, _ first: String, _ last: String) async throws {
        let config = try cluster.configClient()
        let chunks = try await cluster.chunks(of: "warehouse.stock")
        try await cluster.markJumbo("warehouse.stock", chunkFrom: chunks[0].min)
        // What sh.disableBalancing writes.
        try await config.command(
            """
            {"update": "collections", "updates": [{"q": {"_id": "warehouse.stock"}, "u": {"$set": {"noBalance": true}}}],
             "writeConcern": {"w": "majority"}}
            """,
            on: "config"
        )
        try await config.command(
            """
            {"update": "settings", "updates": [{"q": {"_id": "chunksize"}, "u": {"$set": {"value": 64}},
             "upsert": true}], "writeConcern": {"w": "majority"}}
            """,
            on: "config"
        )
        try await cluster.setAllowMigrations(false, of: "warehouse.bins")
        try await cluster.setOrphanCleanupDelay(seconds: 100_000)
        try await cluster.moveRange(
            Self.orphanedNamespace,
            from: #"{"_id": 100}"#,
            to: nil,
            toShard: first
        )
        try await cluster.setOrphanCleanupDelay(seconds: 3)
    }
}
