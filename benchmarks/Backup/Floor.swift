import TestSupport

/// What the same work costs with nothing around it: the floors that a backup is measured against.
enum Floor {
    /// Reads every document through a cursor per collection, all at once, and drops it.
    ///
    /// - Returns: bytes read.
    static func read(_ server: MongoServer, _ collections: [String], of database: String) async throws -> Int {
        try await eachCollection(collections) { collection in
            var total = 0
            try await server.client(as: nil).forEachDocument(in: collection, of: database, options: batches) {
                total += $0.count
            }
            return total
        }
    }

    /// The same, and every mebibyte is hashed, compressed and sealed on the thread that read it: with as many
    /// collections as cores nothing is left idle, and nothing is packed, stored or known from before.
    ///
    /// - Returns: bytes read.
    static func readAndSeal(_ server: MongoServer, _ collections: [String], of database: String) async throws -> Int {
        try await eachCollection(collections) { collection in
            let sealer = try Sealer()
            var total = 0
            var chunk = [UInt8]()
            chunk.reserveCapacity(2 << 20)
            try await server.client(as: nil).forEachDocument(in: collection, of: database, options: batches) {
                total += $0.count
                chunk.append(contentsOf: $0)
                guard chunk.count >= 1 << 20 else { return }
                try sealer.seal(chunk)
                chunk.removeAll(keepingCapacity: true)
            }
            try sealer.seal(chunk)
            return total
        }
    }

    /// Replies of about 2 MB, the fastest in our measurements.
    private static let batches = #"{"batchSize": 2000}"#

    private static func eachCollection(
        _ collections: [String],
        _ body: @Sendable @escaping (String) async throws -> Int
    ) async throws -> Int {
        try await withThrowingTaskGroup(of: Int.self) { group in
            for collection in collections { group.addTask { try await body(collection) } }
            return try await group.reduce(0, +)
        }
    }
}
