/// The routing table of a cluster in a form that can be compared.
struct RoutingTable: Sendable {
    /// What is compared, by what it is about.
    var entries: [String: String] = [:]
    /// Sharded collections' UUIDs, as extended JSON, by namespace.
    var uuids: [String: String] = [:]
    /// Each database's primary shard by its own name; the database's name with everything but printable ASCII escaped.
    var primaries: [String: String] = [:]
    /// What can't be in a sound one.
    var contradictions: [String] = []

    static func read(
        _ cluster: ShardedCluster,
        databases isWanted: (@Sendable (String) -> Bool)?
    ) async throws -> RoutingTable {
        var table = RoutingTable()
        let client = try cluster.configClient()
        let places = Dictionary(
            uniqueKeysWithValues: cluster.shardNames.enumerated().map { ($1, "shard \($0)") }
        )
        for shard in try await client.find(in: "shards", of: "config") {
            let name = shard["_id"]?.string ?? ""
            // Which zones it belongs to is a set: the order varies.
            let zones = (shard["tags"]?.array ?? []).compactMap(\.string).sorted()
            guard let place = places[name] else {
                table.contradictions.append("the routing table has a shard \(name) that the cluster hasn't")
                continue
            }
            table.entries[place] =
                "zones \(zones) " + normalized(shard, leavingOut: ["_id", "host", "tags", "topologyTime"])
        }
        for place in places.values where table.entries[place] == nil {
            table.contradictions.append("\(place) is not in the routing table")
        }
        for setting in try await client.find(in: "settings", of: "config") {
            table.entries["setting \(setting["_id"]?.string ?? "")"] = normalized(setting, leavingOut: ["_id"])
        }
        for database in try await client.find(in: "databases", of: "config") {
            guard let name = database["_id"]?.string, isWanted?(name) ?? true else { continue }
            let primary = database["primary"]?.string ?? ""
            table.primaries[visible(name)] = primary
            table.entries["database \(visible(name))"] = "primary \(places[primary] ?? primary)"
        }
        for collection in try await client.find(in: "collections", of: "config") {
            guard let namespace = collection["_id"]?.string else { continue }
            let database = try ShardedCluster.split(namespace).database
            // `config.system.sessions` belongs to the servers alone.
            guard database != "config", isWanted?(database) ?? true else { continue }
            table.uuids[namespace] = collection.json(of: "uuid")
            table.entries["collection \(visible(namespace))"] = normalized(
                collection,
                leavingOut: ["_id", "uuid", "lastmod", "lastmodEpoch", "timestamp", "chunksAlreadySplitForDowngrade"]
            )
            try await table.readChunks(cluster, namespace, collection, places)
            if table.primaries[visible(database)] == nil {
                table.contradictions.append("\(visible(namespace)) is sharded, and its database isn't in the table")
            }
        }
        for zone in try await client.find(in: "tags", of: "config") {
            let namespace = zone["ns"]?.string ?? ""
            guard isWanted?(try ShardedCluster.split(namespace).database) ?? true else { continue }
            table.entries["zone of \(visible(namespace)) from \(visible(zone.json(of: "min")))"] =
                visible("to \(zone.json(of: "max")): \(zone["tag"]?.string ?? "")")
        }
        return table
    }

    private mutating func readChunks(
        _ cluster: ShardedCluster,
        _ namespace: String,
        _ entry: TestDocument,
        _ places: [String: String]
    ) async throws {
        let chunks = try await cluster.chunks(of: entry, filter: "")
        let name = visible(namespace)
        for chunk in chunks {
            entries["chunk of \(name) from \(visible(chunk.min.json))"] =
                visible("to \(chunk.max.json)") + " on \(places[chunk.shard] ?? chunk.shard)"
                + (chunk.isJumbo ? ", jumbo" : "")
            if places[chunk.shard] == nil {
                contradictions.append("a chunk of \(name) is on \(chunk.shard), which isn't a shard")
            }
        }
        for (left, right) in zip(chunks, chunks.dropFirst()) where left.max != right.min {
            contradictions.append("after \(visible(left.max.json)) the chunks of \(name) have a hole or overlap")
        }
        // MinKey and MaxKey have no bytes: their types say it.
        if chunks.first?.min.fields.allSatisfy({ $0.value.type == 0xff }) != true {
            contradictions.append("no chunk of \(name) begins at the least key")
        }
        if chunks.last?.max.fields.allSatisfy({ $0.value.type == 0x7f }) != true {
            contradictions.append("no chunk of \(name) ends at the greatest key")
        }
    }
}
