import Glibc
import ObjectStorage
import TestSupport
import Testing

@testable import Repository

/// Decoders get bytes that were changed at random: they may refuse or accept, but never crash or hang.
@Suite("Mutated input never crashes a decoder")
struct MutationTests {
    /// Changes some bytes, cuts, doubles or swaps parts.
    private func mutate(_ input: [UInt8], _ random: inout SplitMix) -> [UInt8] {
        var bytes = input
        for _ in 0...(random.next() % 4) {
            guard !bytes.isEmpty else { return [UInt8(truncatingIfNeeded: random.next())] }
            let place = Int(random.next() % UInt64(bytes.count))
            switch random.next() % 7 {
            case 0: bytes[place] ^= 1 << UInt8(random.next() % 8)
            case 1: bytes[place] = UInt8(truncatingIfNeeded: random.next())
            case 2: bytes.removeSubrange(place..<min(bytes.count, place + Int(random.next() % 8)))
            case 3: bytes = Array(bytes[..<place])
            case 4: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 20)], at: place)
            case 5:
                let extremes: [[UInt8]] = [
                    Array("99999999999999999999".utf8), Array("-1".utf8), Array("null".utf8), Array("\"".utf8),
                    Array("\\".utf8), [0xFF, 0xFF, 0xFF, 0xFF],
                    Array("{".utf8), Array("]".utf8), [0],
                ]
                bytes.insert(contentsOf: extremes[Int(random.next() % UInt64(extremes.count))], at: place)
            default: bytes.swapAt(place, Int(random.next() % UInt64(bytes.count)))
            }
        }
        return bytes
    }

    private func sampleID(_ number: UInt8) -> ObjectID {
        ObjectID(word0: UInt64(number), word1: 1, word2: 2, word3: 3)
    }

    private var samples: [(String, [UInt8], ([UInt8]) throws -> Void)] {
        get async throws {
            var file = Node(name: Array(#"a"b<"#.utf8) + [0xFF], kind: .file, mode: 420, time: .epoch)
            file.content = [sampleID(1), sampleID(2)]
            file.size = 77
            var link = Node(name: [0x62], kind: .symlink, mode: 0, time: .now())
            link.linkTarget = [0x2E, 0xFE]
            let blobs = [
                IndexedBlob(id: sampleID(3), type: .data, offset: 0, length: 40, plainLength: 90),
                IndexedBlob(id: sampleID(4), type: .tree, offset: 40, length: 50, plainLength: 0),
            ]
            var snapshot = Snapshot(
                time: .now(),
                tree: sampleID(5),
                paths: ["/x"],
                hostname: "h",
                tags: ["t"],
                parent: sampleID(6)
            )
            snapshot.summary = SnapshotSummary(backupStart: .now(), backupEnd: .now())
            let key = try MasterKey.random()
            let keyFile = try await KeyFile.make(
                key,
                password: RepositoryPassword(trimming: "p"),
                parameters: KDFParameters(n: 2, r: 8, p: 1)
            )
            let compressor = try Compressor(level: 1)
            let context = try CryptoContext(key, level: 1)
            var random = SplitMix(0)
            return [
                ("tree", Tree(nodes: [file, link]).json, { _ = try Tree(json: $0) }),
                (
                    "index", IndexFile.write([IndexedPack(id: sampleID(9), blobs: blobs)]),
                    { try IndexFile.read($0) { _ in } }
                ),
                ("snapshot", snapshot.json, { _ = try Snapshot(json: $0) }),
                (
                    "lock", RepositoryLock(time: .now(), exclusive: true, hostname: "h", username: "u", pid: 1).json,
                    { _ = try RepositoryLock(id: .zero, json: $0) }
                ),
                ("key file", keyFile.json, { _ = try KeyFile(json: $0) }),
                ("master key", key.json, { _ = try MasterKey(json: $0) }),
                ("configuration", try Configuration.random().json, { _ = try Configuration(json: $0) }),
                ("pack header", PackHeader.encode(blobs), { _ = PackHeader.decode($0) }),
                (
                    "zstd frame", try compressor.compress(random.text(5000)),
                    { bytes in
                        bytes.withUnsafeBytes { _ = compressor.decompress($0, limit: 1 << 20) }
                        bytes.withUnsafeBytes { _ = compressor.decompress($0, count: 5000) }
                    }
                ),
                (
                    "sealed bytes", try random.bytes(50).withUnsafeBytes { try context.seal($0) },
                    { bytes in _ = try bytes.withUnsafeBytes { try context.open($0) } }
                ),
                ("name", GoQuote.quote(random.bytes(30)), { _ = GoQuote.unquote($0) }),
                (
                    "time", Array(Timestamp.now().description.utf8),
                    { _ = Timestamp(String(decoding: $0, as: UTF8.self)) }
                ),
            ]
        }
    }

    @Test("decoders of every part of the format")
    func decoders() async throws {
        var random = SplitMix(42)
        for (name, sample, decode) in try await samples {
            try decode(sample)
            var refused = 0
            for _ in 0..<3000 {
                do {
                    try decode(mutate(sample, &random))
                } catch {
                    #expect(error is JSONError || error is RepositoryError, "\(name): \(error)")
                    refused += 1
                }
            }
            // The parts in JSON and the like refuse most changes; those without a check of their own return nil instead.
            if !["pack header", "zstd frame", "sealed bytes", "name", "time"].contains(name) {
                #expect(refused > 500, "\(name)")
            }
        }
    }

    @Test("a pack and index of random lengths: reading one blob never trusts them")
    func lyingIndex() async throws {
        let store = MemoryStore()
        let repository = try await makeRepository(store)
        var random = SplitMix(43)
        try await backUp(["f": random.text(400_000)], to: repository, chunk: 50_000)
        let pack = try #require(try await store.list(prefix: "data/").max { $0.size < $1.size })
        let bytes = try await store.get(pack.key)
        let packID = try #require(ObjectID(hex: String(pack.key.suffix(64))))
        let header = try #require(try repository.header(of: bytes))
        for _ in 0..<500 {
            let blob = header[Int(random.next() % UInt64(header.count))]
            let location = BlobLocation(
                id: blob.id,
                type: blob.type,
                pack: packID,
                offset: Int(blob.offset) + (random.next() % 2 == 0 ? 0 : Int(random.next() % UInt64(bytes.count))),
                length: random.next() % 2 == 0 ? Int(blob.length) + 1 : 32 + Int(random.next() % (1 << 32)),
                plainLength: random.next() % 2 == 0 ? nil : 1 + Int(random.next() % (1 << 32)),
                packEnd: bytes.count
            )
            await #expect(throws: RepositoryError.self) { try await repository.blob(at: location) }
        }
        // The right place, but a wrong length of the plaintext.
        for blob in header where blob.plainLength != 0 {
            for wrong in [Int(blob.plainLength) - 1, Int(blob.plainLength) + 1, 4_000_000_000] {
                let location = BlobLocation(
                    id: blob.id,
                    type: blob.type,
                    pack: packID,
                    offset: Int(blob.offset),
                    length: Int(blob.length),
                    plainLength: wrong,
                    packEnd: bytes.count
                )
                await #expect(throws: RepositoryError.self) { try await repository.blob(at: location) }
            }
        }
    }

    @Test("a hostile tree can't lead a restore out of its directory")
    func hostileNames() async throws {
        let repository = try await makeRepository(MemoryStore())
        for name in ["..", ".", "", "a/b", "/etc", "a\u{0}b"] {
            let writer = repository.makeWriter()
            var node = Node(name: Array(name.utf8), kind: .file, mode: 420, time: .epoch)
            node.content = []
            let tree = try await writer.store(Tree(nodes: [node]).json, as: .tree).id
            try await writer.flush()
            let id = try await writer.commit(Snapshot(time: .now(), tree: tree, paths: ["/x"], hostname: "tests"))
            await #expect(throws: RepositoryError.self) { try await repository.restore(id, to: "/nonexistent/target") }
        }
        // A link, and a directory of the same name: what is in the directory would be written through the link.
        try await withTestDirectory { directory in
            let writer = repository.makeWriter()
            var file = Node(name: Array("evil".utf8), kind: .file, mode: 420, time: .epoch)
            file.content = []
            var inner = Node(name: Array("x".utf8), kind: .directory, mode: Node.directoryBit | 0o755, time: .epoch)
            inner.subtree = try await writer.store(Tree(nodes: [file]).json, as: .tree).id
            var link = Node(name: Array("x".utf8), kind: .symlink, mode: 0, time: .epoch)
            link.linkTarget = Array(directory.path.utf8)
            let tree = try await writer.store(Tree(nodes: [link, inner]).json, as: .tree).id
            try await writer.flush()
            let id = try await writer.commit(Snapshot(time: .now(), tree: tree, paths: ["/x"], hostname: "tests"))
            await #expect(throws: RepositoryError.self) {
                try await repository.restore(id, to: directory.appending("target"))
            }
            #expect(access(directory.appending("evil"), F_OK) != 0)
        }
    }
}
