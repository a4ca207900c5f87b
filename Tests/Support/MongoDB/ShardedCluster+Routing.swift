/// One chunk of a sharded collection, as `config.chunks` has it.
public struct Chunk: Sendable, Hashable {
    /// The least key that belongs to it.
    public var min: TestDocument
    /// The least key that no longer does.
    public var max: TestDocument
    /// The owner's name.
    public var shard: String
    /// Whether it is marked as too large to move.
    public var isJumbo: Bool
}

/// Databases, sharded collections and chunks, made and changed as a router would.
extension ShardedCluster {
    /// Makes a database on a shard, which then holds its unsharded collections.
    public func createDatabase(_ name: String, primary: String) async throws {
        try await configCommand(#"{"_configsvrCreateDatabase": \#(quoted(name)), "primaryShardId": "\#(primary)""#)
    }

    /// The name of the shard that holds a database's unsharded collections.
    public func primaryShard(of database: String) async throws -> String {
        try await databaseEntry(database)["primary"]?.string ?? ""
    }

    private func databaseEntry(_ database: String) async throws -> TestDocument {
        let filter = #"{"_id": \#(quoted(database))}"#
        guard let entry = try await configClient().find(in: "databases", of: "config", filter: filter).first else {
            throw TestSupportError("database \(database) is not in the routing table: createDatabase first")
        }
        return entry
    }

    /// Runs a command on the primary shard of its database, with the database's version that it asks for.
    private func databaseCommand(_ open: String, on database: String) async throws {
        let entry = try await databaseEntry(database)
        guard let version = entry["version"]?.document else { throw TestSupportError("no version in \(entry.json)") }
        try await shardClient(entry["primary"]?.string ?? "").command(
            open + #", "databaseVersion": \#(version.json), "writeConcern": {"w": "majority"}}"#,
            on: database
        )
    }

    /// Makes a sharded collection, or shards one that is there (its key needs an index then).
    ///
    /// - Parameters:
    ///   - namespace: `database.collection`; the database must exist.
    ///   - key: `{"_id": "hashed"}`, `{"region": 1, "number": 1}` ….
    ///   - isUnique: makes the key's index unique; not for hashed keys.
    ///   - initialChunks: for an empty collection with a hashed key: spread evenly over the shards.
    ///   - options: more fields, `"timeseries": {…}`; then the key names the meta field as measurements do.
    /// - Throws: `MongoError`.
    public func shardCollection(
        _ namespace: String,
        key: String,
        isUnique: Bool = false,
        initialChunks: Int? = nil,
        options: String = ""
    ) async throws {
        let (database, collection) = try Self.split(namespace)
        var command = #"{"_shardsvrCreateCollection": \#(quoted(collection)), "shardKey": \#(key)"#
        if isUnique { command += #", "unique": true"# }
        if let initialChunks { command += #", "numInitialChunks": \#(initialChunks)"# }
        if !options.isEmpty { command += ", \(options)" }
        try await databaseCommand(command + #", "presplitHashedZones": false"#, on: database)
    }

    /// Drops a collection on all shards and out of the routing table, sharded or not.
    public func dropCollection(_ namespace: String) async throws {
        let (database, collection) = try Self.split(namespace)
        try await databaseCommand(#"{"_shardsvrDropCollection": \#(quoted(collection))"#, on: database)
    }

    /// Drops a database on all shards and out of the routing table.
    public func dropDatabase(_ name: String) async throws {
        try await databaseCommand(#"{"_shardsvrDropDatabase": 1"#, on: name)
    }

    /// A sharded collection's entry in `config.collections`; `nil` when it isn't sharded.
    public func collectionEntry(_ namespace: String) async throws -> TestDocument? {
        let filter = #"{"_id": \#(quoted(namespace))}"#
        return try await configClient().find(in: "collections", of: "config", filter: filter).first
    }

    func shardedEntry(_ namespace: String) async throws -> TestDocument {
        guard let entry = try await collectionEntry(namespace) else {
            throw TestSupportError("\(namespace) is not sharded; a time-series is by its system.buckets")
        }
        return entry
    }

    /// A sharded collection's chunks in the order of their keys.
    public func chunks(of namespace: String) async throws -> [Chunk] {
        try await chunks(of: shardedEntry(namespace), filter: "")
    }

    func chunks(of entry: TestDocument, filter: String) async throws -> [Chunk] {
        guard let uuid = entry["uuid"] else { throw TestSupportError("no uuid in \(entry.json)") }
        let json = TestDocument { $0.value("uuid", uuid) }.json
        return try await configClient().find(
            in: "chunks",
            of: "config",
            filter: json.dropLast() + filter + "}",
            options: #"{"sort": {"min": 1}}"#
        ).map { chunk in
            Chunk(
                min: chunk["min"]?.document ?? TestDocument { _ in },
                max: chunk["max"]?.document ?? TestDocument { _ in },
                shard: chunk["shard"]?.string ?? "",
                isJumbo: chunk["jumbo"]?.bool ?? false
            )
        }
    }

    /// Splits the chunk that holds `key` at it: all fields of the shard key, a hashed one by its hash.
    public func split(_ namespace: String, at key: String) async throws {
        let entry = try await shardedEntry(namespace)
        let around = #", "min": {"$lte": \#(key)}, "max": {"$gt": \#(key)}"#
        guard let chunk = try await chunks(of: entry, filter: around).first else {
            throw TestSupportError("no chunk of \(namespace) holds \(key)")
        }
        try await shardClient(chunk.shard).command(
            """
            {"splitChunk": \(quoted(namespace)), "from": "\(chunk.shard)", "keyPattern": \(entry.json(of: "key")),
             "min": \(chunk.min.json), "max": \(chunk.max.json), "splitKeys": [\(key)], \(Self.version(entry))}
            """
        )
    }

    /// Makes one chunk of all between two bounds, which must be bounds of chunks on one shard.
    public func merge(_ namespace: String, from min: String, to max: String, on shard: String) async throws {
        let entry = try await shardedEntry(namespace)
        try await shardClient(shard).command(
            #"{"mergeChunks": \#(quoted(namespace)), "bounds": [\#(min), \#(max)], \#(Self.version(entry))}"#
        )
    }

    private static func version(_ entry: TestDocument) -> String {
        #""epoch": \#(entry.json(of: "lastmodEpoch")), "timestamp": \#(entry.json(of: "timestamp"))"#
    }

    /// Moves the documents of a range to a shard, and splits chunks where it has to.
    ///
    /// It returns when the move is committed; the donor's copies are orphans until its range deleter ran.
    ///
    /// - Parameters:
    ///   - namespace: of a sharded collection.
    ///   - min: the least key, all fields of the shard key.
    ///   - max: the least key that stays; the chunk's own end when `nil`.
    ///   - shard: the new owner.
    /// - Throws: `TestSupportError` with the server's reason.
    public func moveRange(_ namespace: String, from min: String, to max: String?, toShard shard: String) async throws {
        let end = max.map { #", "max": \#($0)"# } ?? ""
        try await eventually("\(namespace) moves from \(min) to \(shard)") {
            do {
                try await configCommand(
                    #"{"_configsvrMoveRange": \#(quoted(namespace)), "toShard": "\#(shard)", "min": \#(min)\#(end)"#
                )
                return true
            } catch let error as MongoError where error.code != 117 {
                throw FatalWaitError("\(error)")
            }
            // 117, ConflictingOperationInProgress: a shard takes part in one move at a time, and the balancer makes
            // some of its own.
        }
    }

    /// Moves a chunk to a shard.
    public func move(_ chunk: Chunk, of namespace: String, toShard shard: String) async throws {
        try await moveRange(namespace, from: chunk.min.json, to: chunk.max.json, toShard: shard)
    }

    /// Marks the chunk that begins at `min` as too large to move, as the balancer does when a move fails for that.
    public func markJumbo(_ namespace: String, chunkFrom min: TestDocument) async throws {
        guard let uuid = try await shardedEntry(namespace)["uuid"] else { return }
        let query = TestDocument { query in
            query.value("uuid", uuid)
            query.document("min", min)
        }
        let reply = try await configClient().command(
            """
            {"update": "chunks", "updates": [{"q": \(query.json), "u": {"$set": {"jumbo": true}}}],
             "writeConcern": {"w": "majority"}}
            """,
            on: "config"
        )
        guard reply["nModified"]?.int == 1 else { throw TestSupportError("no chunk of \(namespace) begins at \(min)") }
    }

    /// Says how long a donor keeps what it gave away, from the next move on: three seconds if nothing else was said.
    ///
    /// A long time leaves orphans that stay. No range that overlaps them can come back before they are gone (96).
    public func setOrphanCleanupDelay(seconds: Int) async throws {
        for shard in shards {
            for member in shard.members {
                try await member.client(as: shard.systemUser).command(
                    #"{"setParameter": 1, "orphanCleanupDelaySecs": \#(seconds)}"#
                )
            }
        }
    }

    /// Waits until no shard has a document that it no longer owns.
    public func waitUntilNoOrphans() async throws {
        for name in shardNames {
            let client = try shardClient(name)
            try await eventually("\(name) has deleted its orphans") {
                try await client.count("rangeDeletions", of: "config") == 0
            }
        }
    }

    /// A namespace's two parts.
    static func split(_ namespace: String) throws -> (database: String, collection: String) {
        guard let dot = namespace.firstIndex(of: ".") else { throw TestSupportError("\(namespace) has no dot") }
        return (String(namespace[..<dot]), String(namespace[namespace.index(after: dot)...]))
    }
}

extension TestDocument {
    /// A field's value as extended JSON.
    func json(of name: String) -> String {
        guard let value = self[name] else { return "null" }
        return value.json
    }
}

extension TestValue {
    /// Canonical extended JSON.
    var json: String {
        // "{ "v" : value }" without what is around the value.
        String(TestDocument { $0.value("v", self) }.json.dropFirst(8).dropLast(2))
    }
}
