import BSON

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
