import BSON
import BackupModel

/// The config server's part in the restore of a whole cluster: the routing table.
///
/// Its job stops the balancer, brings the backup's table to the cut in collections of its own, replaces what the target
/// has by it, and only then lets the shards begin: they see from it which of their databases are replaced, and which
/// documents they own. Zones, settings, users and roles wait for the shards, the balancer for all of them.
struct ConfigRestore: Sendable {
    let part: ClusterPart
    let balancer: BalancerStop
    let context: any JobContext
    let progress: RestoreProgress
    /// Whether databases that are there may be replaced.
    let drops: Bool

    /// Servers of the set that lag are waited for this long; a shard may read its routing table from any of them.
    private static let patience = Duration.seconds(60)
    private static let majority: BSONValue = ["w": "majority"]

    // MARK: Before anything is written

    /// Checks that the target is the cluster that the session means, with as many shards as the backup, and empty.
    func check(_ target: RestoreTarget, _ pool: ConnectionPool, _ privileges: PrivilegeCheck) async throws {
        try privileges.checkCluster(isConfigServer: true)
        let (isConfigServer, shards) = try await pool.use { connection in
            let hello = try await connection.command("admin", ["hello": 1])
            let shards = try await connection.all("config", ["find": "shards", "sort": ["_id": 1]])
            return (hello["configsvr"] != nil, shards.compactMap { $0["_id"]?.string })
        }
        guard isConfigServer else { throw ClusterRestoreFailure.topology("\(target.host) is not a config server") }
        let names = part.shardNames ?? [:]
        let mapped = Set(names.values.map(ExactText.init))
        guard names.count == shards.count else {
            throw ClusterRestoreFailure.topology(
                "the backup has \(names.count) shards, and the target has \(shards.count) (\(shards.joined(separator: ", "))): "
                    + "restore into a cluster with as many"
            )
        }
        guard mapped.count == names.count else {
            throw ClusterRestoreFailure.topology("two shards of the backup are mapped to the same shard of the target")
        }
        if let missing = shards.first(where: { !mapped.contains(ExactText($0)) }) {
            throw ClusterRestoreFailure.topology("no shard of the backup is mapped to the target's shard \(missing)")
        }
        if !drops {
            let found = try await databases(pool)
            if !found.isEmpty { throw ClusterRestoreFailure.notEmpty(target.host, found) }
        }
    }

    private func databases(_ pool: ConnectionPool) async throws -> [String] {
        try await pool.use { try await $0.all("config", ["find": "databases", "sort": ["_id": 1]]) }
            .compactMap { $0["_id"]?.string }.filter { !Namespace.systemDatabases.contains($0) }
    }

    // MARK: Writing

    /// Stops the balancer, and removes what an earlier attempt left behind.
    func begin(_ pool: ConnectionPool) async throws {
        try await balancer.stop()
        try await removeStores(pool)
    }

    /// Removes what the backup's table was put into, from an earlier attempt or when nothing needs it any more.
    func removeStores(_ pool: ConnectionPool) async throws {
        try await pool.use { connection in
            for name in StoredRouting.collections {
                let store = StoredRouting.store(name)
                do throws(MongoError) {
                    _ = try await connection.command(store.database, ["drop": .string(store.collection)])
                } catch {
                    if error.code == MongoError.ServerCode.namespaceNotFound { continue }
                    throw RestoreFailure.database(error, "drop \(store)")
                }
            }
        }
    }

    /// Puts the backup's routing table in the place of the target's, lets the shards begin and waits for them.
    func establish(_ plan: RestorePlan, _ pool: ConnectionPool) async throws {
        progress.step("write the routing table")
        var documents: [String: [BSONDocument]] = [:]
        for name in StoredRouting.collections {
            let store = StoredRouting.store(name)
            guard plan.collections.contains(where: { $0.target == store }) else { continue }
            documents[name] = try await pool.use {
                try await $0.all(
                    store.database,
                    ["find": .string(store.collection), "readConcern": ["level": "local"]]
                )
            }
        }
        let note = try await pool.use {
            try await $0.command(
                "admin",
                ["appendOplogNote": 1, "data": ["remora": "routing"], "writeConcern": Self.majority]
            )
        }
        guard let time = note["operationTime"]?.timestamp else {
            throw RestoreFailure.rejected("the config server doesn't tell its cluster time")
        }
        let generation = StoredRouting.Generation(
            time: ClusterTime(bits: time),
            marker: StoredRouting.Generation.marker(part)
        )
        let routing = try StoredRouting(documents).mapped(part.shardNames ?? [:], generation)
        let present = try await pool.use { try await $0.all("config", ["find": "collections"]) }
        try checkUUIDs(routing, present)
        try await replace(routing, present, pool)
        try await waitForMembers(pool)
        progress.log(
            .info,
            "the routing table has \(routing.databases.count) databases, \(routing.collections.count) sharded collections "
                + "and \(routing.chunks.count) chunks of the backup; the shards may begin"
        )
        context.reach(JobMilestone(.ready))
        progress.step("wait for the shards")
        _ = try await context.directive { $0.othersFinished }
        guard try await balancer.isOff() else {
            throw ClusterRestoreFailure.disturbed("the balancer was turned on")
        }
        try await checkUndisturbed(routing, pool)
        try await finish(routing, pool)
    }

    /// A UUID that another database's collection has can't be had twice.
    private func checkUUIDs(_ routing: StoredRouting.Mapped, _ present: [BSONDocument]) throws {
        let replaced = routing.replaced
        let uuids = Dictionary(
            routing.collections.map { ($0["uuid"]?.uuid ?? [], $0["_id"]?.string ?? "") }
        ) { first, _ in first }
        for collection in present {
            guard let name = collection["_id"]?.string, let namespace = Namespace(name),
                !replaced.contains(ExactText(namespace.database)),
                let other = collection["uuid"]?.uuid.flatMap({ uuids[$0] })
            else { continue }
            throw RestoreFailure.unsuitableServer(
                "\(name) of the target has the UUID of \(other) in the backup: drop it first"
            )
        }
    }

    /// Databases first removed and last written: what is in between is in no router's table.
    private func replace(_ routing: StoredRouting.Mapped, _ present: [BSONDocument], _ pool: ConnectionPool)
        async throws
    {
        let replaced = routing.replaced
        func isReplaced(_ name: String?) -> Bool {
            guard let namespace = name.flatMap({ Namespace($0) }) else { return false }
            return replaced.contains(ExactText(namespace.database))
        }
        let old = present.filter { isReplaced($0["_id"]?.string) }
        let tags = try await pool.use { try await $0.all("config", ["find": "tags"]) }.filter {
            isReplaced($0["ns"]?.string)
        }
        if !old.isEmpty { progress.log(.info, "removing \(old.count) sharded collections from the routing table") }
        try await delete("databases", routing.databases.map { ["_id": $0["_id"] ?? .null] }, pool)
        try await delete("collections", old.map { ["_id": $0["_id"] ?? .null] }, pool)
        // Those of the backup, too: an attempt that was cut off may have left some without their collection.
        let uuids = Set((old + routing.collections).compactMap { $0["uuid"]?.uuid })
        try await delete("chunks", uuids.map { ["uuid": .binary(subtype: 4, bytes: $0)] }, pool)
        try await delete("tags", tags.map { ["_id": $0["_id"] ?? .null] }, pool)
        try await insert("chunks", routing.chunks, pool)
        try await insert("tags", routing.tags, pool)
        try await insert("collections", routing.collections, pool)
        try await insert("databases", routing.databases, pool)
    }

    private func delete(_ name: String, _ filters: [BSONDocument], _ pool: ConnectionPool) async throws {
        for start in stride(from: 0, to: filters.count, by: 1000) {
            let deletes = filters[start..<min(start + 1000, filters.count)].map { filter in
                BSONValue.document(["q": .document(filter), "limit": 0])
            }
            try await write(name, ["delete": .string(name), "deletes": .array(deletes)], pool)
        }
    }

    private func write(_ name: String, _ command: BSONDocument, _ pool: ConnectionPool) async throws {
        let command = command.appending("writeConcern", Self.majority)
        let reply: BSONDocument
        do {
            reply = try await pool.use { try await $0.command("config", command) }
        } catch let error as MongoError {
            throw RestoreFailure.database(error, "write config.\(name)")
        }
        if let error = reply["writeErrors"]?.array?.first ?? reply["writeConcernError"] {
            throw RestoreFailure.rejected("the config server did not write config.\(name): \(error)")
        }
    }

    private func insert(_ name: String, _ documents: [BSONDocument], _ pool: ConnectionPool) async throws {
        let bytes = documents.flatMap(\.bytes)
        guard !bytes.isEmpty else { return }
        do {
            let result = try await pool.use {
                try await $0.insert("config", name, documents: bytes, extra: ["writeConcern": Self.majority])
            }
            if let failure = result.failures.first?.message ?? result.writeConcernError {
                throw RestoreFailure.rejected("the config server did not write config.\(name): \(failure)")
            }
        } catch let error as MongoError {
            throw RestoreFailure.database(error, "write config.\(name)")
        }
    }

    /// Waits until every member that answers has what was written; a shard may ask any of them.
    private func waitForMembers(_ pool: ConnectionPool) async throws {
        let deadline = ContinuousClock.now + Self.patience
        var wanted: UInt64?
        while true {
            let status = try await pool.use { try await $0.command("admin", ["replSetGetStatus": 1]) }
            let members = (status["members"]?.array ?? []).compactMap(\.document)
            let own = members.first { $0["self"]?.truth == true }?[path: "optime", "ts"]?.timestamp
            let mark = wanted ?? own ?? 0
            wanted = mark
            let late = members.filter {
                $0["state"]?.integer == 2 && $0["health"]?.number == 1
                    && ($0[path: "optime", "ts"]?.timestamp ?? 0) < mark
            }
            guard let first = late.first else { return }
            if ContinuousClock.now >= deadline {
                progress.log(.warning, "\(first["name"]?.string ?? "a config server") does not follow its primary")
                return
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    // MARK: After the shards

    /// Fails when somebody made or moved something of what was restored.
    private func checkUndisturbed(_ routing: StoredRouting.Mapped, _ pool: ConnectionPool) async throws {
        for (name, wanted) in [("databases", routing.databases), ("collections", routing.collections)] {
            let found = try await pool.use { try await $0.all("config", ["find": .string(name)]) }
            let byName = Dictionary(found.map { (ExactText($0["_id"]?.string ?? ""), $0) }) { first, _ in first }
            for document in wanted {
                let id = document["_id"]?.string ?? ""
                guard byName[ExactText(id)] == document else {
                    throw ClusterRestoreFailure.disturbed("\(id) in config.\(name) was changed")
                }
            }
        }
        let uuids = Set(routing.collections.compactMap { $0["uuid"]?.uuid })
        let chunks = try await pool.use { try await $0.all("config", ["find": "chunks"]) }
            .filter { $0["uuid"]?.uuid.map(uuids.contains) ?? false }
        guard Set(chunks) == Set(routing.chunks) else {
            throw ClusterRestoreFailure.disturbed("chunks were moved or split")
        }
    }

    private func finish(_ routing: StoredRouting.Mapped, _ pool: ConnectionPool) async throws {
        progress.step("write zones and settings")
        let used = Set(
            try await pool.use { try await $0.all("config", ["find": "tags"]) }.compactMap { $0["tag"]?.string }
                .map(ExactText.init)
        )
        let shards = try await pool.use { try await $0.all("config", ["find": "shards"]) }
        for (shard, zones) in routing.zones {
            let present = shards.first { $0["_id"]?.string.map { $0.isExactly(shard) } ?? false }
            // Zones that ranges of other databases belong to stay.
            let others = (present?["tags"]?.array?.compactMap(\.string) ?? []).filter { zone in
                used.contains(ExactText(zone)) && !zones.contains { $0.isExactly(zone) }
            }
            let all = zones + others
            if all.isEmpty && present?["tags"] == nil { continue }
            try await write(
                "shards",
                [
                    "update": "shards",
                    "updates": [
                        ["q": ["_id": .string(shard)], "u": ["$set": ["tags": .array(all.map(BSONValue.string))]]]
                    ],
                ],
                pool
            )
        }
        try await writeSettings(routing.settings, pool)
    }

    /// All settings but whether the balancer is on and chunks are split automatically, which are the target's own.
    private func writeSettings(_ settings: [BSONDocument], _ pool: ConnectionPool) async throws {
        let own: Set<String> = ["balancer", "autosplit"]
        let present = try await pool.use { try await $0.all("config", ["find": "settings"]) }
        let stale = present.filter { found in
            guard let id = found["_id"]?.string, !own.contains(id) else { return false }
            return !settings.contains { $0["_id"]?.string.map { $0.isExactly(id) } ?? false }
        }
        try await delete("settings", stale.map { ["_id": $0["_id"] ?? .null] }, pool)
        for setting in settings {
            guard let id = setting["_id"]?.string, id != "autosplit" else { continue }
            var document = setting
            if id == "balancer" {
                document = setting.removing(["mode", "stopped"])
                let now = present.first { $0["_id"]?.string == "balancer" }
                for key in ["mode", "stopped"] {
                    if let value = now?[key] { document = document.appending(key, value) }
                }
            }
            try await write(
                "settings",
                [
                    "update": "settings",
                    "updates": [["q": ["_id": .string(id)], "u": .document(document), "upsert": true]],
                ],
                pool
            )
        }
    }
}
