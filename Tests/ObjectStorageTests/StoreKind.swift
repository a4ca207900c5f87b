import Foundation
import ObjectStorage
import Testing

/// The implementations that the conformance suite runs against.
enum StoreKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case memory
    case directory
    case prefixed

    var testDescription: String { rawValue }

    /// Gives `body` an empty store and clears up after it.
    func withStore(_ body: (any ObjectStore) async throws -> Void) async throws {
        switch self {
        case .memory:
            try await body(MemoryStore())
        case .directory:
            try await withTemporaryDirectory { try await body(DirectoryStore(path: $0 + "/not/yet/there")) }
        case .prefixed:
            try await withTemporaryDirectory { path in
                let base = try DirectoryStore(path: path)
                try await base.put("shop/orders-db/other", [1])
                try await base.put("shop/orders-db/rs0x/other", [1])
                try await body(PrefixedStore(base, prefix: "/shop/orders-db/rs0/"))
            }
        }
    }
}

/// A directory of its own that is removed with all it holds.
func withTemporaryDirectory<Result>(_ body: (String) async throws -> Result) async throws -> Result {
    let path = FileManager.default.temporaryDirectory.path + "/remora-storage-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer {
        // Only clutter would stay behind; the test's own result matters more.
        try? FileManager.default.removeItem(atPath: path)
    }
    return try await body(path)
}

/// Bytes that don't repeat, the same for the same seed.
func pseudoRandomBytes(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    var bytes = [UInt8](repeating: 0, count: count)
    for index in bytes.indices {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        bytes[index] = UInt8(truncatingIfNeeded: state >> 24)
    }
    return bytes
}
