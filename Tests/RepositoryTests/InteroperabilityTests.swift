import ObjectStorage
import Repository
import TestSupport
import Testing

/// A password and a key that is quick to derive.
let testPassword = "correct horse battery staple"

func makeRepository(_ store: any ObjectStore) async throws -> Repository {
    try await Repository.initialize(
        at: store, password: RepositoryPassword(trimming: testPassword), kdf: KDFParameters(n: 2, r: 8, p: 1))
}

@Suite("Stock restic accepts what we write")
struct WrittenByUsTests {
    @Test("a snapshot of several files passes every command of stock restic")
    func snapshot() async throws {
        try await withTestDirectory("repository") { directory in
            let path = directory.appending("repo")
            let repository = try await makeRepository(DirectoryStore(path: path))
            var generator = SplitMix(1)
            let noise = generator.bytes(3_000_000)
            let text = Array(String(repeating: "{\"name\": \"somebody\", \"age\": 42}\n", count: 50_000).utf8)
            let writer = repository.makeWriter()
            let noiseChunks = [try await writer.store(Array(noise[0..<1_700_000]), as: .data).id, try await writer.store(Array(noise[1_700_000...]), as: .data).id]
            let textChunk = try await writer.store(text, as: .data).id
            let one = try await writer.store([7], as: .data).id
            let tree = try await writer.storeTree([
                SnapshotFile(path: "shop/noise.bin", size: UInt64(noise.count), content: noiseChunks),
                SnapshotFile(path: "shop/orders.bson", size: UInt64(text.count), content: [textChunk]),
                SnapshotFile(path: "one", size: 1, content: [one]),
                SnapshotFile(path: "empty", size: 0, content: []),
            ])
            try await writer.flush()
            let id = try await writer.commit(Snapshot(time: .now(), tree: tree, paths: ["/shop"], hostname: "tests"))
            let restic = Restic(repository: path, password: testPassword)
            try await restic.check()
            #expect(try await restic.run("snapshots").text.contains(id.short))
            #expect(try await restic.run("dump", "latest", "/shop/noise.bin").bytes == noise)
            #expect(try await restic.run("dump", "latest", "/shop/orders.bson").bytes == text)
            #expect(try await restic.run("dump", "latest", "/one").bytes == [7])
            #expect(try await restic.run("dump", "latest", "/empty").bytes == [])
            let listing = try await restic.run("ls", "latest").text
            for name in ["/shop/noise.bin", "/shop/orders.bson", "/one", "/empty"] { #expect(listing.contains(name)) }
        }
    }
}

/// Numbers that look random and are the same in every run.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
    mutating func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 8)
        while bytes.count < count { withUnsafeBytes(of: next()) { bytes.append(contentsOf: $0) } }
        return Array(bytes.prefix(count))
    }
}
