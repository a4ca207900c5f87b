import ObjectStorage
import Repository
import Synchronization
import TestSupport
import Testing

@Suite("The writer")
struct WriterTests {
    @Test("many tasks that store the same blobs at once store each once")
    func deduplication() async throws {
        let store = MemoryStore()
        let repository = try await makeRepository(store)
        let writer = repository.makeWriter(smallPacks())
        let blobs = (0..<40).map { number in
            var random = SplitMix(UInt64(number))
            return random.bytes(20_000)
        }
        let results = try await withThrowingTaskGroup(of: [StoredBlob].self) { group in
            for task in 0..<8 {
                group.addTask {
                    var results: [StoredBlob] = []
                    for index in blobs.indices {
                        results.append(try await writer.store(blobs[(index + task * 5) % blobs.count], as: .data))
                    }
                    return results
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(results.count == 320)
        #expect(results.filter(\.isNew).count == 40)
        try await writer.flush()
        #expect(writer.statistics.newDataBlobs == 40)
        #expect(writer.statistics.knownBlobs == 280)
        #expect(writer.statistics.bytesIn == 320 * 20_000)
        #expect(writer.statistics.bytesAdded == 40 * 20_000)
        let report = try await repository.check(readData: true)
        #expect(report.findings == [])
        #expect(report.blobs == 40)
        // The same bytes as a tree are another blob.
        #expect(try await writer.store(blobs[0], as: .tree).isNew)
        // Another writer, and another process, know them all.
        #expect(try await !repository.makeWriter().store(blobs[3], as: .data).isNew)
        #expect(try await !openRepository(store).makeWriter().store(blobs[3], as: .data).isNew)
    }

    @Test("packs come before the index that names them, and the index before the snapshot")
    func order() async throws {
        let store = WatchedStore()
        let repository = try await makeRepository(store)
        store.forget()
        var options = smallPacks(50_000)
        options.packsPerIndex = 3
        var random = SplitMix(1)
        try await backUp(
            ["a": random.bytes(1_000_000), "b/c": random.text(200_000)],
            to: repository,
            chunk: 30_000,
            options: options
        )
        let puts = store.puts
        #expect(puts.last?.hasPrefix("snapshots/") == true)
        #expect(puts.filter { $0.hasPrefix("snapshots/") }.count == 1)
        #expect(puts.filter { $0.hasPrefix("index/") }.count >= 5)
        // Replayed up to any point, every index file names only packs that are there.
        for end in puts.indices where puts[end].hasPrefix("index/") {
            let part = MemoryStore()
            try await part.put("config", try await store.get("config"))
            for key in try await store.list(prefix: "keys/").map(\.key) {
                try await part.put(key, try await store.get(key))
            }
            for key in puts[...end] { try await part.put(key, try await store.get(key)) }
            #expect(try await openRepository(part).check(readData: false).errors == [])
        }
    }

    @Test("what a killed run had indexed is not stored again")
    func resume() async throws {
        let store = MemoryStore()
        let repository = try await makeRepository(store)
        var options = smallPacks(50_000)
        options.packsPerIndex = 2
        var random = SplitMix(2)
        let blobs = (0..<20).map { _ in random.bytes(30_000) }
        let killed = repository.makeWriter(options)
        for blob in blobs { _ = try await killed.store(blob, as: .data) }
        try await eventually("three index files are written") { killed.statistics.indexFiles >= 3 }
        killed.abandon()
        await #expect(throws: RepositoryError.self) { try await killed.store(blobs[0], as: .data) }
        let writer = try await openRepository(store).makeWriter(options)
        var known = 0
        for blob in blobs where try await !writer.store(blob, as: .data).isNew { known += 1 }
        #expect(known >= 12)
        #expect(known < 20)
        try await writer.flush()
        #expect(try await openRepository(store).check(readData: true).errors == [])
    }

    @Test("an index file is written after its interval though few packs are done")
    func interval() async throws {
        let repository = try await makeRepository(MemoryStore())
        var options = smallPacks(10_000)
        options.indexInterval = .zero
        let writer = repository.makeWriter(options)
        var random = SplitMix(3)
        for _ in 0..<3 { _ = try await writer.store(random.bytes(20_000), as: .data) }
        try await eventually("an index file is written") { writer.statistics.indexFiles >= 1 }
    }

    @Test("a snapshot is refused before everything is flushed, and without its tree")
    func refusal() async throws {
        let repository = try await makeRepository(MemoryStore())
        let writer = repository.makeWriter()
        func commit(_ tree: BlobID) async throws {
            _ = try await writer.commit(Snapshot(time: .now(), tree: tree, paths: ["/x"], hostname: "tests"))
        }
        let tree = try await writer.storeTree([])
        await #expect(throws: RepositoryError.self) { try await commit(tree) }
        try await writer.flush()
        let stranger = try #require(BlobID(bytes: Array(repeating: 1, count: 32)))
        await #expect(throws: RepositoryError.self) { try await commit(stranger) }
        #expect(try await repository.snapshots().isEmpty)
        try await commit(tree)
        #expect(try await repository.snapshots().count == 1)
    }

    @Test(
        "a failed upload ends the writer for good: nothing is committed after it",
        arguments: ["data/", "index/", "snapshots/"]
    )
    func failure(prefix: String) async throws {
        struct Full: Error {}
        let isFull = Mutex(true)
        let store = WatchedStore(beforePut: { key in
            if key.hasPrefix(prefix), isFull.withLock({ $0 }) { throw Full() }
        })
        let repository = try await makeRepository(store)
        let writer = repository.makeWriter(smallPacks(50_000))
        var random = SplitMix(4)
        await #expect(throws: RepositoryError.self) {
            var content: [BlobID] = []
            for _ in 0..<50 { content.append(try await writer.store(random.bytes(30_000), as: .data).id) }
            let tree = try await writer.storeTree([SnapshotFile(path: "f", size: 1_500_000, content: content)])
            try await writer.flush()
            _ = try await writer.commit(Snapshot(time: .now(), tree: tree, paths: ["/x"], hostname: "tests"))
        }
        isFull.withLock { $0 = false }
        await #expect(throws: RepositoryError.self) { try await writer.store([1, 2, 3], as: .data) }
        await #expect(throws: RepositoryError.self) { try await writer.flush() }
        let anyTree = try #require(BlobID(bytes: Array(repeating: 1, count: 32)))
        await #expect(throws: RepositoryError.self) {
            try await writer.commit(Snapshot(time: .now(), tree: anyTree, paths: ["/x"], hostname: "tests"))
        }
        #expect(try await repository.snapshots().isEmpty)
        // The next run works, and the repository is whole.
        try await backUp(["f": random.bytes(100_000)], to: try await openRepository(store))
        #expect(try await openRepository(store).check(readData: true).errors == [])
    }

    @Test("storing waits while the storage is slow, and memory stays bounded")
    func backPressure() async throws {
        let door = Door()
        let store = WatchedStore(beforePut: { key in if key.hasPrefix("data/") { await door.pass() } })
        let repository = try await makeRepository(store)
        let writer = repository.makeWriter(smallPacks(100_000))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<4 {
                group.addTask {
                    var random = SplitMix(UInt64(100 + task))
                    for _ in 0..<100 { _ = try await writer.store(random.bytes(20_000), as: .data) }
                }
            }
            try await eventually("three uploads run") { door.waiting == 3 }
            // Three packs in upload, one waiting, one open, and one blob that each task had in hand.
            try await settles { Int(writer.statistics.newDataBlobs) }
            let held = writer.statistics.newDataBlobs
            #expect(held <= 5 * 5 + 4)
            #expect(held >= 4 * 5)
            door.open()
            try await group.waitForAll()
        }
        try await writer.flush()
        #expect(store.mostRunning <= 3)
        #expect(try await repository.check(readData: true).findings == [])
        #expect(writer.statistics.newDataBlobs == 400)
    }

    @Test("before its permission a writer works and stores nothing, and with it everything")
    func permission() async throws {
        let door = Door()
        let store = WatchedStore()
        let repository = try await makeRepository(store)
        store.forget()
        let writer = repository.makeWriter(smallPacks(50_000)) { await door.pass() }
        var random = SplitMix(6)
        let bytes = random.bytes(120_000)
        let content = [try await writer.store(bytes, as: .data).id]
        try await settles { store.puts.count }
        #expect(store.puts == [])
        let tree = try await writer.storeTree([SnapshotFile(path: "f", size: 120_000, content: content)])
        door.open()
        try await writer.flush()
        _ = try await writer.commit(Snapshot(time: .now(), tree: tree, paths: ["/x"], hostname: "tests"))
        #expect(try await openRepository(store).check(readData: true).errors == [])
        #expect(try await openRepository(store).snapshots().count == 1)
    }

    @Test("without its permission a writer stores nothing and says why, though all is known", arguments: [true, false])
    func refusedPermission(isKnown: Bool) async throws {
        let store = WatchedStore()
        let repository = try await makeRepository(store)
        var random = SplitMix(7)
        let bytes = random.bytes(120_000)
        if isKnown { try await backUp(["f": bytes], to: repository, chunk: 120_000) }
        let snapshots = try await repository.snapshots().count
        store.forget()
        let writer = repository.makeWriter(smallPacks(50_000)) {
            throw RepositoryError(.locked, "somebody prunes")
        }
        let failure = await #expect(throws: RepositoryError.self) {
            let content = [try await writer.store(bytes, as: .data).id]
            let tree = try await writer.storeTree([SnapshotFile(path: "f", size: 120_000, content: content)])
            try await writer.flush()
            _ = try await writer.commit(Snapshot(time: .now(), tree: tree, paths: ["/x"], hostname: "tests"))
        }
        #expect(failure?.message == "somebody prunes")
        #expect(store.puts == [])
        #expect(try await repository.snapshots().count == snapshots)
    }

    @Test("a task that is cancelled while it waits harms nobody")
    func cancellation() async throws {
        let door = Door()
        let store = WatchedStore(beforePut: { key in if key.hasPrefix("data/") { await door.pass() } })
        let repository = try await makeRepository(store)
        let writer = repository.makeWriter(smallPacks(10_000))
        var random = SplitMix(5)
        for _ in 0..<4 { _ = try await writer.store(random.bytes(20_000), as: .data) }
        let blob = random.bytes(20_000)
        let waiting = Task { try await writer.store(blob, as: .data) }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        door.open()
        #expect(try await writer.store(blob, as: .data).isNew)
        try await writer.flush()
        #expect(try await repository.check(readData: true).blobs == 5)
    }

    @Test("files that clash, or whose chunks were never stored, are refused")
    func badTrees() async throws {
        let repository = try await makeRepository(MemoryStore())
        let stranger = try #require(BlobID(bytes: Array(repeating: 1, count: 32)))
        for files in [
            [SnapshotFile(path: "a", size: 0, content: []), SnapshotFile(path: "a/b", size: 0, content: [])],
            [SnapshotFile(path: "a/b", size: 0, content: []), SnapshotFile(path: "a", size: 0, content: [])],
            [SnapshotFile(path: "a", size: 0, content: []), SnapshotFile(path: "a", size: 0, content: [])],
            [SnapshotFile(path: "/a", size: 0, content: [])], [SnapshotFile(path: "", size: 0, content: [])],
            [SnapshotFile(path: "a/../b", size: 0, content: [])],
            [SnapshotFile(path: "a", size: 1, content: [stranger])],
        ] {
            await #expect(throws: RepositoryError.self) { try await repository.makeWriter().storeTree(files) }
        }
        await #expect(throws: RepositoryError.self) { try await repository.makeWriter().store([], as: .data) }
    }

    @Test("the same files give the same tree")
    func determinism() async throws {
        let repository = try await makeRepository(MemoryStore())
        let writer = repository.makeWriter()
        let id = try await writer.store([1, 2, 3], as: .data).id
        let files = ["b/y", "a", "b/x", "b.c", "b-c"].map { SnapshotFile(path: $0, size: 3, content: [id]) }
        let first = try await writer.storeTree(files)
        #expect(try await writer.storeTree(files.reversed()) == first)
        try await writer.flush()
        let paths = try await repository.files(
            of: try await writer.commit(
                Snapshot(time: .now(), tree: first, paths: ["/x"], hostname: "tests")
            )
        ).entries.map(\.path)
        #expect(paths == ["a", "b", "b/x", "b/y", "b-c", "b.c"])
    }
}
