import Foundation
import TestSupport
import Testing

@testable import ObjectStorage

/// The implementations that the conformance suite runs against.
enum StoreKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case memory
    case directory
    /// As on volumes without hard links, and on those without renames that don't replace.
    case directoryWithoutLinks
    case directoryWithoutBoth
    case prefixed
    case s3
    case s3TLS

    var testDescription: String { rawValue }

    /// Gives `body` an empty store and clears up after it.
    func withStore(_ body: (any ObjectStore) async throws -> Void) async throws {
        switch self {
        case .memory:
            try await body(MemoryStore())
        case .directory:
            try await withTemporaryDirectory { try await body(DirectoryStore(path: $0 + "/not/yet/there")) }
        case .directoryWithoutLinks:
            try await withTemporaryDirectory { try await body(DirectoryStore(path: $0, claims: [.rename])) }
        case .directoryWithoutBoth:
            try await withTemporaryDirectory { try await body(DirectoryStore(path: $0, claims: [.lock])) }
        case .prefixed:
            try await withTemporaryDirectory { path in
                let base = try DirectoryStore(path: path)
                try await base.put("shop/orders-db/other", [1])
                try await base.put("shop/orders-db/rs0x/other", [1])
                try await body(PrefixedStore(base, prefix: "/shop/orders-db/rs0/"))
            }
        case .s3:
            try await body(S3Store(try await RealS3.configuration()))
        case .s3TLS:
            try await body(S3Store(try await RealS3.configuration(tls: true)))
        }
    }
}

/// The real S3 server that the tests of this process share.
enum RealS3 {
    private static let bucket = Task {
        let seaweed = try await SharedServers.seaweedFS()
        let bucket = SharedServers.uniqueName("conformance")
        try await seaweed.makeBucket(bucket)
        return (seaweed, bucket)
    }

    /// An empty prefix of a bucket; objects of more than 8 MiB go up in parts.
    static func configuration(tls: Bool = false) async throws -> S3Configuration {
        let (seaweed, bucket) = try await bucket.value
        var configuration = S3Configuration(
            endpoint: seaweed.endpoint,
            bucket: bucket,
            prefix: SharedServers.uniqueName("some/prefix"),
            accessKeyID: SeaweedFS.accessKeyID,
            secretAccessKey: SeaweedFS.secretAccessKey,
            multipartThreshold: 8 << 20,
            partSize: 5 << 20
        )
        if tls {
            configuration.endpoint = try #require(seaweed.tlsEndpoint)
            configuration.trust = .file(try #require(seaweed.caFile))
        }
        return configuration
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
