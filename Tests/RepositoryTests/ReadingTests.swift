import Foundation
import ObjectStorage
import TestSupport
import Testing

@testable import Repository

@Suite("Reading")
struct ReadingTests {
    @Test("chunks come in order whatever arrives first, and each pack is fetched once")
    func order() async throws {
        let store = WatchedStore()
        let repository = try await makeRepository(store)
        var random = SplitMix(1)
        // Two files whose chunks alternate in the packs, as two tasks store them.
        let writer = repository.makeWriter(smallPacks(300_000))
        var contents: [[UInt8]] = [[], []]
        var ids: [[BlobID]] = [[], []]
        for number in 0..<120 {
            let chunk = random.bytes(20_000)
            contents[number % 2] += chunk
            ids[number % 2].append(try await writer.store(chunk, as: .data).id)
        }
        try await writer.flush()
        store.forget()
        for file in 0..<2 {
            var read: [UInt8] = []
            for try await chunk in repository.chunks(ids[file]) { read += chunk }
            expectSame(read, contents[file])
        }
        let fetched = store.gets.filter { $0.hasPrefix("data/") }
        let packs = try await store.list(prefix: "data/").count
        #expect(packs == 8)
        // Each file wants half of each pack; at most the few that are kept are shared between the two passes.
        #expect(fetched.count <= 2 * packs)

        store.forget()
        let files = [repository.chunks(ids[0]), repository.chunks(ids[1])]
        async let first = files[0].reduce(into: 0) { $0 += $1.count }
        async let second = files[1].reduce(into: 0) { $0 += $1.count }
        #expect(try await first + second == 120 * 20_000)
        #expect(store.gets.filter { $0.hasPrefix("data/") }.count <= 2 * packs)
    }

    @Test("one chunk of a large pack does not download the pack")
    func oneChunk() async throws {
        let store = WatchedStore()
        let repository = try await makeRepository(store)
        var random = SplitMix(2)
        let chunks = (0..<40).map { _ in random.bytes(50_000) }
        let writer = repository.makeWriter()
        var ids: [BlobID] = []
        for chunk in chunks { ids.append(try await writer.store(chunk, as: .data).id) }
        try await writer.flush()
        expectSame(try await repository.blob(ids[7], .data), chunks[7])
        var read: [[UInt8]] = []
        for try await chunk in repository.chunks([ids[9], ids[9], ids[3]]) { read.append(chunk) }
        #expect(read == [chunks[9], chunks[9], chunks[3]])
        await #expect(throws: RepositoryError.self) { try await repository.blob(ids[7], .tree) }
    }

    @Test("leaving early stops the fetches, and a damaged chunk ends the sequence at its place")
    func ends() async throws {
        let store = WatchedStore()
        let repository = try await makeRepository(store)
        var random = SplitMix(3)
        let chunks = (0..<30).map { _ in random.bytes(100_000) }
        let writer = repository.makeWriter(smallPacks(100_000))
        var ids: [BlobID] = []
        for chunk in chunks { ids.append(try await writer.store(chunk, as: .data).id) }
        try await writer.flush()
        store.forget()
        for try await _ in repository.chunks(ids, prefetch: 2) { break }
        #expect(store.gets.count <= 4)

        let pack = FileKind.pack.path(try repository.locate(ids[20], .data).pack)
        var bytes = try await store.get(pack)
        bytes[500] ^= 1
        try await store.put(pack, bytes)
        repository.packCache.clear()
        var read = 0
        await #expect(throws: RepositoryError.self) {
            for try await chunk in repository.chunks(ids) {
                expectSame(chunk, chunks[read])
                read += 1
            }
        }
        #expect(read == 20)
    }

    @Test("a failed download is tried again by the next reader")
    func retry() async throws {
        struct Broken: Error {}
        let door = Door()
        let store = WatchedStore(beforeGet: { key in if key.hasPrefix("data/"), !door.isOpen { throw Broken() } })
        let repository = try await makeRepository(store)
        let id = try await backUp(["f": Array(repeating: 7, count: 1000)], to: repository)
        await #expect(throws: RepositoryError.self) { try await repository.reader(of: id).read("f") }
        door.open()
        #expect(try await repository.reader(of: id).read("f").count == 1000)
    }

    @Test("an index that grew is read only where it is new; one that shrank, anew")
    func indexReload() async throws {
        let store = WatchedStore()
        var random = SplitMix(4)
        let writing = try await makeRepository(store)
        try await backUp(["a": random.bytes(1000)], to: writing)
        let reading = try await openRepository(store)
        let before = reading.indexedBlobs
        try await backUp(["b": random.bytes(1000)], to: writing)
        store.forget()
        try await reading.loadIndex()
        #expect(store.gets.count == 1)
        #expect(reading.indexedBlobs == before + 2)
        let file = try #require(try await store.list(prefix: "index/").first)
        try await store.delete(file.key)
        try await reading.loadIndex()
        #expect(reading.indexedBlobs == 2)
    }

    @Test("snapshots are found by the begin of their id")
    func find() async throws {
        let repository = try await makeRepository(MemoryStore())
        await #expect(throws: RepositoryError.self) { try await repository.findSnapshot("latest") }
        let first = try await backUp(["a": [1]], to: repository)
        let second = try await backUp(["a": [2]], to: repository)
        #expect(try await repository.findSnapshot("latest") == second)
        #expect(try await repository.findSnapshot(String(first.hex.prefix(12)).uppercased()) == first)
        for bad in ["", "zz", String(repeating: "0", count: 64)] {
            await #expect(throws: RepositoryError.self) { try await repository.findSnapshot(bad) }
        }
        let all = try await repository.snapshots()
        #expect(all.map(\.id) == [first, second])
        #expect(all[0].snapshot.hostname == "tests")
    }
}

@Suite("Cutting streams")
struct ChunkerTests {
    private func cut(_ bytes: [UInt8], _ chunker: StreamChunker) -> [Int] {
        var lengths: [Int] = []
        bytes.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                lengths.append(chunker.cut(UnsafeRawBufferPointer(rebasing: rest)))
                rest = rest.dropFirst(lengths.last ?? rest.count)
            }
        }
        return lengths
    }

    private func chunker(_ key: UInt8 = 1) throws -> StreamChunker {
        try StreamChunker(key: Array(repeating: key, count: 32), minimum: 4 << 10, target: 16 << 10, maximum: 64 << 10)
    }

    @Test("chunks keep their bounds, come near the target, and are all of the stream")
    func bounds() throws {
        var random = SplitMix(1)
        let bytes = random.bytes(8 << 20)
        let lengths = cut(bytes, try chunker())
        #expect(lengths.reduce(0, +) == bytes.count)
        #expect(lengths.dropLast().allSatisfy { $0 >= 4 << 10 && $0 <= 64 << 10 })
        let average = bytes.count / lengths.count
        #expect(average > 12 << 10 && average < 24 << 10)
    }

    @Test("zeros are cut at the maximum")
    func zeros() throws {
        let lengths = cut([UInt8](repeating: 0, count: 200 << 10), try chunker())
        #expect(lengths.allSatisfy { $0 <= 64 << 10 })
        #expect(lengths.reduce(0, +) == 200 << 10)
    }

    @Test("an inserted byte changes a few chunks, and the others stay what they were")
    func resynchronization() throws {
        var random = SplitMix(2)
        let bytes = random.bytes(4 << 20)
        var changed = bytes
        changed.insert(77, at: 1_000_001)
        func chunks(_ bytes: [UInt8]) throws -> Set<[UInt8]> {
            var begin = 0
            return Set(
                cut(bytes, try chunker()).map { length in
                    defer { begin += length }
                    return Array(bytes[begin..<begin + length])
                }
            )
        }
        let (before, after) = (try chunks(bytes), try chunks(changed))
        #expect(after.subtracting(before).count <= 4)
    }

    @Test("another key cuts elsewhere, the same key at the same places")
    func keyed() throws {
        var random = SplitMix(3)
        let bytes = random.bytes(1 << 20)
        #expect(try cut(bytes, chunker(1)) == cut(bytes, chunker(1)))
        #expect(try cut(bytes, chunker(1)) != cut(bytes, chunker(2)))
    }

    @Test("a buffer gives the same chunks however the stream is parted", arguments: [1, 7, 4096, 100_000, 1 << 21])
    func parts(size: Int) throws {
        var random = SplitMix(4)
        let bytes = random.bytes(1 << 20)
        let chunker = try chunker()
        var buffer = StreamBuffer()
        var lengths: [Int] = []
        var whole: [UInt8] = []
        for begin in stride(from: 0, to: bytes.count, by: size) {
            buffer.append(Array(bytes[begin..<min(begin + size, bytes.count)]))
            while let chunk = buffer.next(chunker, isEnd: false) {
                lengths.append(chunk.count)
                whole += chunk
            }
        }
        while let chunk = buffer.next(chunker, isEnd: true) {
            lengths.append(chunk.count)
            whole += chunk
        }
        expectSame(whole, bytes)
        #expect(lengths == cut(bytes, chunker))
    }

    @Test("sizes that make no sense are refused")
    func badSizes() {
        for (minimum, target, maximum) in [(1, 16, 64), (128, 100, 4096), (128, 1000, 4096), (128, 1024, 1024)] {
            #expect(throws: RepositoryError.self) {
                try StreamChunker(key: [1], minimum: minimum, target: target, maximum: maximum)
            }
        }
    }
}
