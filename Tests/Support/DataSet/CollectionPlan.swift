/// One collection or view of a data set: how it is created, indexed and filled.
struct CollectionPlan: Sendable {
    var database: String
    var name: String
    /// The fields of `create` besides the name, as extended JSON: `{"capped": true, "size": 4096}`.
    var options = "{}"
    /// Index specifications as extended JSON.
    var indexes: [String] = []
    /// How many documents there are.
    var count = 0
    /// Keeps top-level zero timestamps, which an insert replaces by the time of day.
    var keepsZeroTimestamps = false
    /// The document with this number.
    var document: @Sendable (Int, inout Generator) -> TestDocument = { _, _ in TestDocument { _ in } }

    private var generator: Generator { Generator(seed: name.utf8.reduce(7) { $0 &* 31 &+ UInt64($1) }) }

    /// All documents at once, for a small one.
    func documents() -> [TestDocument] {
        var generator = generator
        return (0..<count).map { document($0, &generator) }
    }

    /// Creates and fills it; returns the bytes that were written.
    func load(_ client: MongoClient) async throws -> Int {
        do {
            return try await create(client)
        } catch let error as MongoError {
            throw TestSupportError("cannot make \(database).\(name): \(error)")
        }
    }

    private func create(_ client: MongoClient) async throws -> Int {
        let create = TestDocument { builder in
            builder.string("create", name)
        }
        let options = try TestDocument(json: options)
        let command = TestDocument { builder in
            for field in create.fields + options.fields { builder.value(field.name, field.value) }
            // Many small steps: the caller waits for the other members once, at the end.
            builder.document("writeConcern") { $0.int32("w", 1) }
        }
        try await client.command(command, on: database)
        // Quicker on an empty collection, but for one that becomes large.
        let isLarge = count > 5_000
        if !isLarge { try await createIndexes(client) }
        var generator = generator
        var batches = 0
        var (batch, size, total): ([TestDocument], Int, Int) = ([], 0, 0)
        for index in 0..<count {
            let document = document(index, &generator)
            guard !keepsZeroTimestamps else {
                try await replace(document, client)
                continue
            }
            batch.append(document)
            size += document.bytes.count
            // A few messages' worth: the client cuts it as the protocol wants.
            if size > 8 << 20 || batch.count == 20_000 || index == count - 1 {
                // Every other large batch waits for the others, so that no member falls off the oplog.
                let waitsForMajority = size > 1 << 20 && batches % 2 == 0
                batches += 1
                try await client.insert(batch, into: name, of: database, isMajority: waitsForMajority)
                total += size
                (batch, size) = ([], 0)
            }
        }
        if isLarge { try await createIndexes(client) }
        return total
    }

    private func createIndexes(_ client: MongoClient) async throws {
        guard !indexes.isEmpty else { return }
        let list = indexes.joined(separator: ",")
        try await client.command(
            #"{"createIndexes": \#(quoted(name)), "indexes": [\#(list)], "writeConcern": {"w": 1}}"#,
            on: database
        )
    }

    private func replace(_ document: TestDocument, _ client: MongoClient) async throws {
        guard let identifier = document.fields.first(where: { $0.name == "_id" })?.value else { return }
        // An upsert by pipeline stores a literal as it is.
        let command = TestDocument { builder in
            builder.string("update", name)
            builder.array("updates") { updates in
                updates.document("0") { update in
                    update.document("q") { $0.value("_id", identifier) }
                    update.array("u") { stages in
                        stages.document("0") { stage in
                            stage.document("$replaceWith") { $0.document("$literal", document) }
                        }
                    }
                    update.bool("upsert", true)
                }
            }
        }
        try await client.command(command, on: database)
    }
}
