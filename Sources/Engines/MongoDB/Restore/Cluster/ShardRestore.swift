import BSON
import BackupModel

/// A shard's part in the restore of a whole cluster, besides its data.
///
/// The config server has the backup's routing table by now. A database that this session replaces has the session's marker
/// in its version, so a shard drops what it has of exactly those, also what only the target knows.
struct ShardRestore: Sendable {
    let part: ClusterPart
    let progress: RestoreProgress
    let context: any JobContext

    /// What the routing table says is waited for this long: a refresh may meet a config server that lags or is elected.
    private static let patience = Duration.seconds(60)
    private static let batch = 1000

    // MARK: Before anything is written

    /// Checks that the target is a shard of the session; returns its name.
    func check(_ target: RestoreTarget, _ pool: ConnectionPool, _ privileges: PrivilegeCheck) async throws -> String {
        try privileges.checkCluster(isConfigServer: false)
        let found = try await pool.use {
            try await $0.all(
                "admin",
                ["find": "system.version", "filter": ["_id": "shardIdentity"], "limit": 1, "singleBatch": true]
            )
        }
        guard let name = found.first?["shardName"]?.string else {
            throw ClusterRestoreFailure.topology("\(target.host) is not a shard of any cluster")
        }
        guard part.shardNames?.values.contains(where: { $0.isExactly(name) }) == true else {
            throw ClusterRestoreFailure.topology(
                "the shard \(name) of \(target.host) is no shard that the session restores into"
            )
        }
        return name
    }

    /// The collections of those databases that this session replaces.
    func replaced(_ existing: TargetCatalog, _ pool: ConnectionPool) async throws -> [Namespace] {
        var result: [Namespace] = []
        let names = Set(existing.entries.keys.map { ExactText($0.database) }).map(\.text).sorted()
        for database in names where !Namespace.systemDatabases.contains(database) {
            let version = try await version(of: database, pool)
            guard version?["uuid"]?.uuid == StoredRouting.Generation.marker(part) else { continue }
            result += existing.entries.keys.filter { $0.database.isExactly(database) }
        }
        return result.sorted()
    }

    /// A database's version as the routing table has it now.
    private func version(of database: String, _ pool: ConnectionPool) async throws -> BSONDocument? {
        try await pool.use { connection in
            do throws(MongoError) {
                _ = try await connection.command(
                    "admin",
                    ["_flushDatabaseCacheUpdates": .string(database), "syncFromConfig": true]
                )
                return try await connection.command("admin", ["getDatabaseVersion": .string(database)])["dbVersion"]?
                    .document
            } catch {
                throw RestoreFailure.database(error, "ask for the version of \(database)")
            }
        }
    }

    // MARK: Writing

    /// Makes the shard forget ranges that it was to delete.
    ///
    /// They are told by UUID and range: the restored collection has the same UUID, and its documents would be deleted.
    func forgetRangeDeletions(_ uuids: Set<[UInt8]>, _ pool: ConnectionPool) async throws {
        try await pool.use { connection in
            do throws(MongoError) {
                let ranges = try await connection.all("config", ["find": "rangeDeletions"])
                for range in ranges {
                    guard let uuid = range["collectionUuid"]?.uuid, uuids.contains(uuid) else { continue }
                    _ = try await connection.command(
                        "config",
                        [
                            "delete": "rangeDeletions", "deletes": [["q": ["_id": range["_id"] ?? .null], "limit": 1]],
                            "writeConcern": ["w": "majority"],
                        ]
                    )
                }
            } catch {
                throw RestoreFailure.database(error, "forget ranges that were to be deleted")
            }
        }
    }

    /// Makes the shard know the restored routing table, deletes what it doesn't own by it, and proves both.
    ///
    /// - Parameters:
    ///   - shard: the shard's name.
    ///   - collections: what holds documents here.
    ///   - pool: connections to the primary.
    /// - Throws: `JobFailure` when the routing table and the shard contradict each other.
    func settle(_ shard: String, _ collections: Set<Namespace>, _ pool: ConnectionPool) async throws {
        progress.step("compare with the routing table")
        let databases = Set(collections.map { ExactText($0.database) }).map(\.text).sorted()
        for database in databases where !Namespace.systemDatabases.contains(database) {
            let time = try await generation(of: database, pool)
            let mine = collections.filter { $0.database.isExactly(database) }.sorted()
            for namespace in mine {
                guard let entry = try await refresh(namespace, time, shard, pool) else { continue }
                try await OrphanRemoval(pool: pool, progress: progress).run(namespace, entry, shard)
            }
        }
        try await refreshOthers(collections, pool)
    }

    private func generation(of database: String, _ pool: ConnectionPool) async throws -> UInt64 {
        let deadline = ContinuousClock.now + Self.patience
        while true {
            if let version = try await version(of: database, pool),
                version["uuid"]?.uuid == StoredRouting.Generation.marker(part),
                let time = version["timestamp"]?.timestamp
            {
                return time
            }
            guard ContinuousClock.now < deadline else {
                throw RestoreFailure.verification(
                    "the routing table does not have the database \(database), of which this shard has collections"
                )
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    /// The routing table's entry of a collection in this shard's cache, made anew; nil when it isn't sharded.
    private func refresh(_ namespace: Namespace, _ time: UInt64, _ shard: String, _ pool: ConnectionPool) async throws
        -> BSONDocument?
    {
        let deadline = ContinuousClock.now + Self.patience
        while true {
            let entry = try await refreshed(namespace, pool)
            if let entry, entry["timestamp"]?.timestamp == time, entry["refreshing"]?.truth != true { return entry }
            if entry == nil, try await isPrimary(shard, of: namespace.database, pool) { return nil }
            guard ContinuousClock.now < deadline else {
                throw RestoreFailure.verification(
                    "\(namespace) is on the shard \(shard), and the routing table does not say so"
                )
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    private func refreshed(_ namespace: Namespace, _ pool: ConnectionPool) async throws -> BSONDocument? {
        try await pool.use { connection in
            do throws(MongoError) {
                _ = try await connection.command(
                    "admin",
                    ["_flushRoutingTableCacheUpdates": .string(namespace.description), "syncFromConfig": true]
                )
                return try await connection.all(
                    "config",
                    ["find": "cache.collections", "filter": ["_id": .string(namespace.description)]]
                ).first
            } catch {
                throw RestoreFailure.database(error, "refresh the routing table of \(namespace)")
            }
        }
    }

    private func isPrimary(_ shard: String, of database: String, _ pool: ConnectionPool) async throws -> Bool {
        let found = try await pool.use {
            try await $0.all("config", ["find": "cache.databases", "filter": ["_id": .string(database)]])
        }
        return found.first?["primary"]?.string.map { $0.isExactly(shard) } ?? false
    }

    /// What the shard has cached of collections that were replaced, or of which it has nothing any more.
    private func refreshOthers(_ known: Set<Namespace>, _ pool: ConnectionPool) async throws {
        let cached = try await pool.use { try await $0.all("config", ["find": "cache.collections"]) }
        for entry in cached {
            guard let namespace = entry["_id"]?.string.flatMap({ Namespace($0) }), !known.contains(namespace),
                !Namespace.systemDatabases.contains(namespace.database)
            else { continue }
            _ = try await refreshed(namespace, pool)
        }
    }
}

/// Deletes what a shard holds of a collection and doesn't own.
///
/// A dump of a shard has the leftovers of moves in it, and the oplog deletes only some of them. The shard key's index
/// finds them, so that the server itself hashes and compares.
struct OrphanRemoval: Sendable {
    let pool: ConnectionPool
    let progress: RestoreProgress

    private static let batch = 1000

    /// Deletes them, and makes sure that none is left.
    ///
    /// - Parameters:
    ///   - namespace: the collection.
    ///   - entry: its entry in `config.cache.collections`.
    ///   - shard: the owner.
    /// - Throws: `JobFailure` when they can't be found or deleted.
    func run(_ namespace: Namespace, _ entry: BSONDocument, _ shard: String) async throws {
        guard let key = entry["key"]?.document else { return }
        let chunks = try await pool.use {
            try await $0.all("config", ["find": .string("cache.chunks.\(namespace)"), "sort": ["_id": 1]])
        }
        guard let foreign = ForeignRanges(chunks, besides: shard) else {
            throw RestoreFailure.verification("the chunks of \(namespace) that this shard knows have a hole")
        }
        guard !foreign.ranges.isEmpty else { return }
        let index = try await index(of: namespace, key)
        var deleted = 0
        for range in foreign.ranges { deleted += try await remove(range, namespace, key, index) }
        if deleted > 0 {
            progress.log(.info, "deleted \(deleted) documents of \(namespace) that belong to other shards (orphans)")
        }
    }

    /// The index that begins with the shard key; nil when the collection is clustered by it.
    private func index(of namespace: Namespace, _ key: BSONDocument) async throws -> BSONDocument? {
        let indexes = try await pool.use {
            try await $0.all(namespace.database, ["listIndexes": .string(namespace.collection)])
        }
        let fitting = indexes.filter { index in
            guard let fields = index["key"]?.document?.elements, index["clustered"]?.truth != true,
                fields.count >= key.elements.count, index["sparse"]?.truth != true,
                index["partialFilterExpression"] == nil, index["collation"] == nil
            else { return false }
            return zip(fields, key.elements).allSatisfy { field, wanted in
                field.key.isExactly(wanted.key)
                    && (field.value.number != nil && field.value.number == wanted.value.number
                        || field.value.string != nil && field.value.string == wanted.value.string)
            }
        }
        if let best = fitting.min(by: {
            ($0["key"]?.document?.keys.count ?? 0) < ($1["key"]?.document?.keys.count ?? 0)
        }) {
            return best
        }
        guard key.keys == ["_id"] else {
            throw RestoreFailure.verification("\(namespace) has no index for its shard key \(key)")
        }
        return nil
    }

    private func remove(
        _ range: ForeignRanges.Range,
        _ namespace: Namespace,
        _ key: BSONDocument,
        _ index: BSONDocument?
    )
        async throws -> Int
    {
        var deleted = 0
        while true {
            let found = try await pool.use {
                try await $0.all(namespace.database, Self.search(range, namespace, key, index))
            }
            guard !found.isEmpty else { return deleted }
            let ids = found.compactMap { $0["_id"] }
            let reply = try await pool.use {
                try await $0.command(
                    namespace.database,
                    [
                        "delete": .string(namespace.collection),
                        "deletes": [
                            ["q": ["_id": ["$in": .array(ids)]], "limit": 0, "collation": ["locale": "simple"]]
                        ],
                        "writeConcern": ["w": 1],
                    ]
                )
            }
            guard let count = reply["n"]?.integer, count > 0 else {
                throw RestoreFailure.rejected(
                    "documents of \(namespace) that belong to other shards can't be deleted: \(reply)"
                )
            }
            deleted += Int(count)
        }
    }

    private static func search(
        _ range: ForeignRanges.Range,
        _ namespace: Namespace,
        _ key: BSONDocument,
        _ index: BSONDocument?
    ) -> BSONDocument {
        var command: BSONDocument = [
            "find": .string(namespace.collection), "projection": ["_id": 1], "limit": .integer(batch),
            "batchSize": .integer(batch), "singleBatch": true, "collation": ["locale": "simple"],
            "readConcern": ["level": "local"],
        ]
        guard let index, let fields = index["key"]?.document?.keys else {
            // Comparisons in an expression know an order over all types, those of a query don't.
            let bounds = [("$gte", range.min), ("$lt", range.max)].compactMap { name, bound in
                bound?["_id"].map {
                    BSONValue.document([(name, .array([.string("$_id"), ["$literal": $0]]))].asDocument)
                }
            }
            return command.appending("filter", ["$expr": ["$and": .array(bounds)]])
        }
        func full(_ bound: BSONDocument) -> BSONValue {
            // Fields of the index behind those of the shard key: from their least value on.
            .document(fields.dropFirst(bound.keys.count).reduce(bound) { $0.appending($1, .minKey) })
        }
        command = command.appending("hint", .string(index["name"]?.string ?? ""))
        if let min = range.min { command = command.appending("min", full(min)) }
        if let max = range.max { command = command.appending("max", full(max)) }
        return command
    }
}

extension [(String, BSONValue)] {
    fileprivate var asDocument: BSONDocument { BSONDocument(self) }
}
