import BSON
import BackupModel

/// A shard's part in the restore of a whole cluster, besides its data.
///
/// The config server has the backup's routing table by now. A database that this session replaces has the session's marker
/// in its version, so a shard drops what it has of exactly those, also what only the target knows.
struct ShardRestore: Sendable {
    let part: ClusterPart
    let progress: RestoreProgress

    /// What the routing table says is waited for this long: a refresh may meet a config server that lags or is elected.
    private static let patience = Duration.seconds(60)

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
