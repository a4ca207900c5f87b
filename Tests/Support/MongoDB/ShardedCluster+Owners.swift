/// Who owns which document. The server itself hashes and compares keys, so that nothing here repeats what is under
/// test: `$toHashedIndexKey` in an aggregation gives what a hashed index holds (6.0.5 has it).
extension ShardedCluster {
    /// The shard that owns each of `documents`, as the routing table says now.
    public func owners(of documents: [TestDocument], in namespace: String) async throws -> [String] {
        let entry = try await shardedEntry(namespace)
        let chunks = try await chunks(of: entry, filter: "")
        guard let last = chunks.last, let key = entry["key"]?.document else {
            throw TestSupportError("\(namespace) has no chunks")
        }
        let names = key.fields.map(\.name)
        let branches = Self.branches(chunks.dropLast(), key) { "$k\($0)" }
        var result: [String] = []
        for start in stride(from: 0, to: documents.count, by: 10_000) {
            let batch = documents[start..<min(start + 10_000, documents.count)]
            let keys = TestDocument { list in
                for (index, document) in batch.enumerated() {
                    list.document("\(index)") { entry in
                        entry.int32("i", Int32(index))
                        for (position, name) in names.enumerated() {
                            // A key's missing field counts as null.
                            if let value = document[name] {
                                entry.value("k\(position)", value)
                            } else {
                                entry.null("k\(position)")
                            }
                        }
                    }
                }
            }
            let values = keys.fields.map(\.value.json).joined(separator: ",")
            let owner =
                branches.isEmpty
                ? #"{"$literal": "\#(last.shard)"}"#
                : #"{"$switch": {"branches": [\#(branches)], "default": "\#(last.shard)"}}"#
            let reply = try await shardClient(last.shard).command(
                """
                {"aggregate": 1, "pipeline": [{"$documents": {"$literal": [\(values)]}}, {"$sort": {"i": 1}},
                 {"$project": {"o": \(owner)}}], "cursor": {"batchSize": 1000000}}
                """,
                on: "admin"
            )
            result += (reply["cursor.firstBatch"]?.documents ?? []).compactMap { $0["o"]?.string }
        }
        guard result.count == documents.count else { throw TestSupportError("not every document has an owner") }
        return result
    }

    /// Inserts documents where they belong: on their owners, or on the primary shard of an unsharded collection.
    ///
    /// Of a time-series the namespace is that of its `system.buckets`, and the documents are buckets.
    public func insert(_ documents: [TestDocument], into namespace: String) async throws {
        let (database, collection) = try Self.split(namespace)
        guard try await collectionEntry(namespace) != nil else {
            let primary = try await primaryShard(of: database)
            return try await shardClient(primary).insert(documents, into: collection, of: database)
        }
        let owners = try await owners(of: documents, in: namespace)
        for (shard, pairs) in Dictionary(grouping: zip(owners, documents), by: \.0) {
            try await shardClient(shard).insert(pairs.map(\.1), into: collection, of: database)
        }
    }

    /// A filter that only a shard's own documents pass: what is left are orphans.
    ///
    /// To be asked with `"collation": {"locale": "simple"}` where the collection has another one: keys know none.
    ///
    /// - Returns: extended JSON of a `$match`; `nil` when the shard owns no chunk.
    public func ownershipFilter(of namespace: String, on shard: String) async throws -> String? {
        let entry = try await shardedEntry(namespace)
        let chunks = try await chunks(of: entry, filter: "")
        guard let key = entry["key"]?.document, chunks.contains(where: { $0.shard == shard }) else { return nil }
        guard let last = chunks.last, chunks.contains(where: { $0.shard != shard }) else { return "{}" }
        let names = key.fields.map(\.name)
        let branches = Self.branches(chunks.dropLast(), key) { #"{"$ifNull": ["$\#(names[$0])", null]}"# }
        return """
            {"$expr": {"$eq": ["\(shard)", {"$switch": {"branches": [\(branches)], "default": "\(last.shard)"}}]}}
            """
    }

    /// `$switch` branches: a document's key is compared with the ends of the chunks in their order, so that each is
    /// found by its upper bound alone; the last one, whose end is the greatest key there is, is the default.
    private static func branches(_ chunks: some Sequence<Chunk>, _ key: TestDocument, _ value: (Int) -> String)
        -> String
    {
        let fields = key.fields.enumerated().map { position, field in
            let text = value(position)
            let operand = text.hasPrefix("$") ? quoted(text) : text
            // A name with a dot can't be written in an object expression: the fields are compared by place alone.
            return field.value.string == "hashed" ? #"{"$toHashedIndexKey": \#(operand)}"# : operand
        }
        let document = "[\(fields.joined(separator: ", "))]"
        return chunks.map { chunk in
            let end = chunk.max.fields.map(\.value.json).joined(separator: ", ")
            return #"{"case": {"$lt": [\#(document), {"$literal": [\#(end)]}]}, "then": "\#(chunk.shard)"}"#
        }.joined(separator: ", ")
    }
}
