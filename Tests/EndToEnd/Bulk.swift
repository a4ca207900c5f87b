import TestSupport

/// Data that neither compresses nor deduplicates, more than an agent may buffer: with storage that stands still, a
/// dump of it stands still too.
enum Bulk {
    static let database = "bulk"

    /// Writes `megabytes` of documents of 256 KB.
    static func fill(_ set: ReplicaSet, megabytes: Int) async throws {
        let client = try set.client()
        for part in 0..<(megabytes / 8) {
            let documents = (0..<32).map { number in
                var builder = TestDocumentBuilder(reserving: 257 << 10)
                builder.int64("_id", Int64(part * 32 + number))
                var state = UInt64(part * 32 + number)
                var bytes = [UInt8]()
                bytes.reserveCapacity(256 << 10)
                while bytes.count < 256 << 10 {
                    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                    withUnsafeBytes(of: state ^ (state >> 29)) { bytes.append(contentsOf: $0) }
                }
                builder.binary("data", bytes)
                return builder.finish()
            }
            try await client.insert(documents, into: "random", of: database)
        }
        try await set.waitUntilInSync()
    }
}
