import BSON
import BackupModel
import Glibc
import ObjectStorage
import Repository
import Synchronization
import TestSupport
import Testing

@testable import Engines

@Suite("Restore: interrupted and damaged", .serialized, .timeLimit(.minutes(15)))
struct RestoreFaultTests {
    /// Documents of about 500 bytes in several collections, with an index each.
    private func fill(_ client: MongoClient, collections: Int, documents: Int) async throws {
        for collection in 0..<collections {
            let rows = (0..<documents).map { number in
                TestDocument(
                    bytes: BSONDocument([
                        ("_id", .integer(number)), ("n", .integer(number % 100)),
                        ("text", .string(String(repeating: "\(number * 7919) ", count: 60))),
                    ]).bytes
                )
            }
            try await client.insert(rows, into: "c\(collection)", of: "d")
            try await client.command(
                #"{"createIndexes": "c\#(collection)", "indexes": [{"key": {"n": 1}, "name": "n_1"}]}"#,
                on: "d"
            )
        }
    }

    @Test(
        "a restore that is cancelled says that the target is partial, and repeating it works",
        arguments: ["load", "read back", "build"]
    )
    func cancelled(step: String) async throws {
        try await withTestDirectory { directory in
            let source = try await MongoServer.start(in: directory)
            try await fill(source.client(), collections: 4, documents: 5000)
            let truth = try await ClusterFingerprint.read(source.client())
            let snapshot = try await DumpImage.read(source.client()).store()
            let target = try await MongoServer.start(in: directory)
            let handle = Mutex<Task<RestoreResult, any Error>?>(nil)
            let context = RecordingContext { progress in
                if progress.step.hasPrefix(step) { handle.withLock { $0?.cancel() } }
            }
            let begun = AsyncStream<Void>.makeStream()
            let task = Task {
                for await _ in begun.stream { break }
                return try await RestoreRig.restore(snapshot, into: target, context: context)
            }
            handle.withLock { $0 = task }
            begun.continuation.yield()
            let failure = try await #require(throws: JobFailure.self) { try await task.value }
            #expect(failure.code == "cancelled")
            #expect(failure.message.contains("partially restored"))
            #expect(failure.message.contains("DropCollections"))
            let refused = try await #require(throws: JobFailure.self) {
                try await RestoreRig.restore(snapshot, into: target)
            }
            #expect(refused.code == "targetNotEmpty")
            try await RestoreRig.restore(snapshot, into: target, conflict: .dropCollections)
            #expect(try await ClusterFingerprint.read(target.client()).differences(from: truth) == [])
            await source.kill()
            await target.kill()
        }
    }

    @Test("storage that goes away in the middle is called that, and not damage; repeating the restore works")
    func storageGoes() async throws {
        try await withTestDirectory { directory in
            let source = try await MongoServer.start(in: directory)
            try await fill(source.client(), collections: 4, documents: 5000)
            let truth = try await ClusterFingerprint.read(source.client())
            let store = VanishingStore()
            let snapshot = try await DumpImage.read(source.client()).store(in: store)
            let target = try await MongoServer.start(in: directory)
            let context = RecordingContext { progress in
                if progress.step.hasPrefix("load") { store.isGone.store(true, ordering: .relaxed) }
            }
            let failure = try await #require(throws: JobFailure.self) {
                try await RestoreRig.restore(snapshot, into: target, context: context)
            }
            #expect(failure.code == "storageUnavailable")
            #expect(failure.message.contains("out for lunch"), "\(failure)")
            #expect(failure.message.contains("partially restored"), "\(failure)")
            store.isGone.store(false, ordering: .relaxed)
            try await RestoreRig.restore(snapshot, into: target, conflict: .dropCollections)
            #expect(try await ClusterFingerprint.read(target.client()).differences(from: truth) == [])
            await source.kill()
            await target.kill()
        }
    }

    @Test("storage that goes away before the first write is called that, whatever was being read")
    func storageGoesEarly() async throws {
        try await withTestDirectory { directory in
            let source = try await MongoServer.start(in: directory)
            try await fill(source.client(), collections: 4, documents: 100)
            let store = VanishingStore()
            let id = try await DumpImage.read(source.client()).store(in: store).id
            let target = try await MongoServer.start(in: directory)
            let repository = try await Repository.open(at: store, password: RestoreRig.password)
            try await repository.loadIndex()
            var spared = 0
            // One more answer each time, until the restore gets as far as to write.
            while true {
                let snapshot = try await repository.reader(of: id)
                store.answers.store(spared, ordering: .relaxed)
                let failure = try await #require(throws: JobFailure.self) {
                    try await RestoreRig.restore(snapshot, into: target)
                }
                store.answers.store(.max, ordering: .relaxed)
                #expect(failure.code == "storageUnavailable", "after \(spared) answers: \(failure)")
                if failure.message.contains("partially restored") { break }
                #expect(failure.isRetryable, "after \(spared) answers: \(failure)")
                spared += 1
            }
            #expect(spared > 3, "the directory and the metadata are read before the first write")
            await source.kill()
            await target.kill()
        }
    }

    @Test("a server that dies under the restore fails it with what to do, and repeating it works")
    func serverDies() async throws {
        try await withTestDirectory { directory in
            let source = try await MongoServer.start(in: directory)
            try await fill(source.client(), collections: 4, documents: 5000)
            let truth = try await ClusterFingerprint.read(source.client())
            let snapshot = try await DumpImage.read(source.client()).store()
            let target = try await MongoServer.start(in: directory)
            let isKilled = Mutex(false)
            let context = RecordingContext { progress in
                guard progress.bytesDone > 1_000_000,
                    isKilled.withLock({
                        let was = $0; $0 = true; return !was
                    })
                else { return }
                Task { await target.kill() }
            }
            let failure = try await #require(throws: JobFailure.self) {
                try await RestoreRig.restore(snapshot, into: target, context: context)
            }
            #expect(failure.code == "databaseUnreachable")
            #expect(failure.message.contains("partially restored"))
            try await target.start()
            try await RestoreRig.restore(snapshot, into: target, conflict: .dropCollections)
            #expect(try await ClusterFingerprint.read(target.client()).differences(from: truth) == [])
            await source.kill()
            await target.kill()
        }
    }

    @Test("a primary that steps down fails the restore, and repeating it works on the new one")
    func stepDown() async throws {
        try await withTestDirectory { directory in
            let set = try await ReplicaSet.start(in: directory)
            let primary = try await set.primary()
            try await fill(primary.client(), collections: 3, documents: 4000)
            let snapshot = try await DumpImage.read(primary.client()) { $0 == "d" }.store()
            let truth = try await ClusterFingerprint.read(primary.client()) { $0 == "d" }
            try await primary.client().command(#"{"dropDatabase": 1}"#, on: "d")
            let client = try primary.client()
            let hasStepped = Mutex(false)
            let context = RecordingContext { progress in
                guard progress.bytesDone > 1_000_000,
                    hasStepped.withLock({
                        let was = $0; $0 = true; return !was
                    })
                else { return }
                Task { try await client.command(#"{"replSetStepDown": 60, "force": true}"#) }
            }
            let selection = NamespaceSelection(include: ["d.*"])
            let failure = try await #require(throws: JobFailure.self) {
                try await RestoreRig.restore(snapshot, into: primary, selection: selection, context: context)
            }
            #expect(["primaryLost", "databaseUnreachable"].contains(failure.code), "\(failure)")
            #expect(failure.message.contains("partially restored"))
            try await RestoreRig.restore(snapshot, into: primary, conflict: .dropCollections, selection: selection)
            try await set.waitUntilInSync()
            let restored = try await ClusterFingerprint.read(set.primary().client()) { $0 == "d" }
            #expect(restored.differences(from: truth) == [])
            await set.kill()
        }
    }

    @Test("a connection that breaks is mended, and what was written twice is there once")
    func brokenConnection() async throws {
        try await withTestDirectory { directory in
            let source = try await MongoServer.start(in: directory)
            try await fill(source.client(), collections: 2, documents: 8000)
            let truth = try await ClusterFingerprint.read(source.client())
            let snapshot = try await DumpImage.read(source.client()).store(chunk: 50_000)
            var options = MongoOptions()
            options.parameters["enableTestCommands"] = "1"
            let target = try await MongoServer.start(options, in: directory)
            // The server writes, and closes the connection instead of answering.
            let client = try target.client()
            for mode in [#"{"times": 3}"#] {
                try await client.command(
                    """
                    {"configureFailPoint": "failCommand", "mode": \(mode),
                     "data": {"failCommands": ["insert"], "closeConnection": true, "appName": "remora"}}
                    """
                )
            }
            try await RestoreRig.restore(snapshot, into: target)
            #expect(try await ClusterFingerprint.read(target.client()).differences(from: truth) == [])
            await source.kill()
            await target.kill()
        }
    }

    @Test("a server whose cache is full for a moment is given time", arguments: [365, 388])
    func fullCache(code: Int) async throws {
        try await withTestDirectory { directory in
            let source = try await MongoServer.start(in: directory)
            try await fill(source.client(), collections: 2, documents: 3000)
            let truth = try await ClusterFingerprint.read(source.client())
            let snapshot = try await DumpImage.read(source.client()).store(chunk: 50_000)
            var options = MongoOptions()
            options.parameters["enableTestCommands"] = "1"
            let target = try await MongoServer.start(options, in: directory)
            try await target.client().command(
                """
                {"configureFailPoint": "failCommand", "mode": {"times": 3},
                 "data": {"failCommands": ["insert"], "errorCode": \(code), "appName": "remora"}}
                """
            )
            try await RestoreRig.restore(snapshot, into: target)
            #expect(try await ClusterFingerprint.read(target.client()).differences(from: truth) == [])
            await source.kill()
            await target.kill()
        }
    }

    @Test("a bit that changed in the repository fails the restore and names the pack", arguments: [0.1, 0.5, 0.9])
    func damage(place: Double) async throws {
        try await withTestDirectory { directory in
            let source = try await MongoServer.start(in: directory)
            try await fill(source.client(), collections: 2, documents: 3000)
            let store = MemoryStore()
            let snapshot = try await DumpImage.read(source.client()).store(in: store, chunk: 50_000)
            // The largest holds documents; the small ones hold directories, without which nothing could be opened.
            let pack = try #require(try await store.list(prefix: "data/").max { $0.size < $1.size }).key
            var bytes = try await store.get(pack)
            bytes[Int(Double(bytes.count) * place)] ^= 0x10
            try await store.delete(pack)
            try await store.put(pack, bytes)
            let repository = try await Repository.open(at: store, password: RestoreRig.password)
            try await repository.loadIndex()
            let reader = try await repository.reader(of: snapshot.id)
            let target = try await MongoServer.start(in: directory)
            let failure = try await #require(throws: JobFailure.self) {
                try await RestoreRig.restore(reader, into: target)
            }
            #expect(failure.code == "damagedSnapshot")
            #expect(failure.message.contains("data/"))
            await source.kill()
            await target.kill()
        }
    }

    @Test(
        "a file that is not what the manifest promises fails the restore and is named",
        arguments: ["documents", "crc", "size"]
    )
    func promises(kind: String) async throws {
        let server = try await SharedServers.standalone()
        let client = try server.client()
        let name = SharedServers.uniqueName("promises")
        try await client.insert(
            (0..<10).map { TestDocument(bytes: BSONDocument([("_id", .integer($0))]).bytes) },
            into: "a",
            of: name
        )
        var image = try await DumpImage.read(client) { $0 == name }
        try await client.command(#"{"dropDatabase": 1}"#, on: name)
        switch kind {
        case "documents": image.namespaces[0].documents += 1
        case "crc": image.namespaces[0].crc64 = "00000000000000ff"
        default: image.namespaces[0].bytes -= 1
        }
        let snapshot = try await image.store()
        let failure = try await #require(throws: JobFailure.self) {
            try await RestoreRig.restore(snapshot, into: server, selection: NamespaceSelection(include: ["\(name).*"]))
        }
        #expect(failure.code == "damagedSnapshot")
        #expect(failure.message.contains("\(name)"))
        try await client.command(#"{"dropDatabase": 1}"#, on: name)
    }

    @Test("a writer beside the restore is noticed")
    func intruder() async throws {
        let server = try await SharedServers.standalone()
        let client = try server.client()
        let name = SharedServers.uniqueName("intruder")
        try await client.insert(
            (0..<2000).map { TestDocument(bytes: BSONDocument([("_id", .integer($0))]).bytes) },
            into: "a",
            of: name
        )
        let snapshot = try await DumpImage.read(client) { $0 == name }.store()
        try await client.command(#"{"dropDatabase": 1}"#, on: name)
        let context = RecordingContext { progress in
            guard progress.step == "read back" else { return }
            // The report comes from the restore's own task, so the document is there before it reads.
            let written = Mutex(false)
            Task {
                try await client.command(#"{"insert": "a", "documents": [{"_id": "mine"}]}"#, on: name)
                written.withLock { $0 = true }
            }
            while !written.withLock({ $0 }) { usleep(1000) }
        }
        let failure = try await #require(throws: JobFailure.self) {
            try await RestoreRig.restore(
                snapshot,
                into: server,
                selection: NamespaceSelection(include: ["\(name).*"]),
                context: context
            )
        }
        #expect(failure.code == "verificationFailed")
        #expect(failure.message.contains("2001") && failure.message.contains("2000"))
        try await client.command(#"{"dropDatabase": 1}"#, on: name)
    }
}

/// A store in memory that can be taken away.
private final class VanishingStore: ObjectStore {
    let isGone = Atomic(false)
    /// How many reads it still answers when it isn't gone.
    let answers = Atomic(Int.max)
    private let base = MemoryStore()

    var location: String { base.location }

    func put(_ key: String, _ bytes: [UInt8], options: PutOptions) async throws {
        try await base.put(key, bytes, options: options)
    }

    func get(_ key: String, range: Range<Int>?) async throws -> [UInt8] {
        let left = answers.subtract(1, ordering: .relaxed).oldValue
        guard left > 0, !isGone.load(ordering: .relaxed) else {
            throw ObjectStorageError(.unavailable, "the store is out for lunch", isTransient: true)
        }
        return try await base.get(key, range: range)
    }

    func stat(_ key: String) async throws -> ObjectInfo { try await base.stat(key) }
    func list(prefix: String) async throws -> [ObjectInfo] { try await base.list(prefix: prefix) }
    func delete(_ key: String) async throws { try await base.delete(key) }
}
