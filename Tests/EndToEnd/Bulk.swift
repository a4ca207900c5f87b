import TestSupport

/// Data that neither compresses nor deduplicates, more than an agent may buffer: with storage that stands still, a
/// dump of it stands still too.
enum Bulk {
    static let database = "bulk"

    /// Writes `megabytes` of documents of 256 KB; what another collection holds is other data.
    static func fill(_ set: ReplicaSet, megabytes: Int, into collection: String = "random") async throws {
        let client = try set.client()
        for part in 0..<(megabytes / 8) {
            let documents = (0..<32).map { document(part * 32 + $0, bytes: 256 << 10, of: collection) }
            try await client.insert(documents, into: collection, of: database)
        }
        try await set.waitUntilInSync()
    }

    /// Writes documents of almost the largest size that there is.
    static func fill(_ set: ReplicaSet, largeDocuments count: Int, into collection: String) async throws {
        let client = try set.client()
        for number in 0..<count {
            try await client.insert([document(number, bytes: 15 << 20, of: collection)], into: collection, of: database)
        }
        try await set.waitUntilInSync()
    }

    private static func document(_ number: Int, bytes: Int, of collection: String) -> TestDocument {
        let seed = collection.utf8.reduce(UInt64(0)) { $0 &* 31 &+ UInt64($1) } << 32
        var builder = TestDocumentBuilder(reserving: bytes + 1024)
        builder.int64("_id", Int64(number))
        builder.binary("data", noise(seed &+ UInt64(number), bytes: bytes))
        return builder.finish()
    }

    /// Bytes that look like chance; written in place, since this is most of the time that it takes to fill a set.
    private static func noise(_ seed: UInt64, bytes: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: bytes) { buffer, count in
            let memory = UnsafeMutableRawBufferPointer(buffer)
            var state = seed
            for offset in stride(from: 0, to: buffer.count & ~7, by: 8) {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                memory.storeBytes(of: state ^ (state >> 29), toByteOffset: offset, as: UInt64.self)
            }
            count = buffer.count & ~7
        }
    }

    /// How many documents the primary has of it right now.
    static func count(_ primary: MongoServer, _ collection: String = "random") async throws -> Int {
        try await primary.client().command("{\"count\": \(quoted(collection))}", on: database)["n"]?.int ?? 0
    }
}
