import TestSupport

/// The data of the measurements: documents of about 1 KB, half of each incompressible, in two collections.
enum Load {
    static let database = "bench"
    static let collections = ["orders", "events"]

    /// Fills both collections with `documents` documents in all, in insertion order of `_id`.
    static func fill(_ server: MongoServer, database: String = database, documents: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (part, collection) in collections.enumerated() {
                group.addTask {
                    let client = try server.client(as: nil)
                    var random = SplitMix(state: UInt64(part + 1))
                    let share = documents / collections.count
                    for start in stride(from: 0, to: share, by: 5000) {
                        let batch = (start..<min(start + 5000, share)).map { document($0, &random) }
                        try await client.insert(batch, into: collection, of: database)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private static func document(_ number: Int, _ random: inout SplitMix) -> TestDocument {
        var builder = TestDocumentBuilder(reserving: 1100)
        builder.int64("_id", Int64(number))
        builder.string("customer", "customer-\(number % 5000)")
        builder.double("amount", Double(number % 100_000) / 100)
        builder.date("at", milliseconds: 1_700_000_000_000 + Int64(number) * 1000)
        builder.string("status", number % 3 == 0 ? "shipped" : "waiting for the courier")
        builder.string("note", String(repeating: "an ordinary sentence of an order. ", count: 11))
        builder.binary("token", (0..<64).flatMap { _ in random.bytes() })
        return builder.finish()
    }
}

/// A small, fast generator with a fixed seed, so that every run has the same data.
struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    mutating func bytes() -> [UInt8] { withUnsafeBytes(of: next()) { Array($0) } }
}
