import BSON
import BackupModel
import Repository
import TestSupport
import Testing

@testable import Engines

@Suite("MongoDB dump while it changes", .serialized)
struct FuzzyTests {
    @Test(
        "what was read while it changed is exact at the cut, with transactions and deletes under every reader",
        .timeLimit(.minutes(15)),
        arguments: [(Consistency.lock, 0), (.lock, 1), (.oplog, 0), (.snapshot, 600)]
    )
    func exactAtTheCut(consistency: Consistency, budget: Int) async throws {
        let directory = try TestDirectory("fuzzy")
        defer { directory.remove() }
        let set = try await ReplicaSet.start(in: directory)
        let primary = try await set.primary()
        try await PartitionData.load(primary)
        let workload = Workload(uri: set.uri())
        try await workload.start(writers: 3)
        try await set.waitUntilInSync()
        let deleter = Deleter()
        try await deleter.start(primary)
        let member = consistency == .lock ? try #require(try await set.secondaries().first) : primary
        let rig = try await BackupRig(directory)
        let engine = rig.engine(member) { tuning in
            tuning.partitionBytes = 4 << 20
            tuning.pause = { step in
                switch step {
                case "locked" where budget == 1:
                    // Reading begins under the lock and goes on after it.
                    _ = try? await Task.sleep(for: .milliseconds(900))
                case "read":
                    // From here on nothing changes any more, so the server's state is the state at the cut.
                    do {
                        try await workload.stop()
                        try await deleter.stop()
                        try await set.waitUntilInSync()
                    } catch {
                        Issue.record("the workload could not be stopped: \(error)")
                    }
                default: break
                }
            }
        }
        let context = BackupContext()
        let spec = BackupSpec(consistency: consistency, lockBudgetSeconds: budget, parallelism: 3)
        let backup = try await rig.backUp(engine, spec, context: context)
        #expect(await deleter.count > 10)
        let report = workload.progress
        #expect(report.writes > 20)
        if consistency == .lock {
            #expect(backup.result.lock?.endReason?.contains("used up") == true, "\(context.log)")
        }
        #expect(backup.result.guarantee == .groupCut)
        let files = try await rig.restore(backup)
        let manifest = try BackupRig.manifest(files)
        #expect(manifest.oplog?.end == manifest.cut)
        let oplog = try #require(files["oplog.bson"])
        #expect(CRC64(oplog.span.bytes).description == manifest.oplog?.crc64)

        let target = try await MongoServer.start(in: directory)
        try await Replay(files, manifest).run(on: target)
        let replayed = try target.client()
        #expect(try await Workload.contradictions(in: replayed) == [])
        let source = try member.client()
        for namespace in manifest.namespaces where namespace.file != nil && !namespace.namespace.hasPrefix("admin.") {
            let (database, collection) = MongoConnection.split(namespace.namespace)
            let (left, right) = (
                try await source.sorted(collection, database), try await replayed.sorted(collection, database)
            )
            let isEqual = left == right
            #expect(isEqual, "\(namespace.namespace): \(left.count) documents became \(right.count)")
        }
        await target.kill()
        await set.kill()
    }

    @Test("a renamed collection makes the dump begin anew, and a schema that never rests fails it clearly")
    func renames() async throws {
        let directory = try TestDirectory("renames")
        defer { directory.remove() }
        let set = try await ReplicaSet.start(ReplicaSetOptions(members: 1), in: directory)
        let primary = try await set.primary()
        let client = try primary.client()
        try await client.command(#"{"insert": "a0", "documents": [{"_id": 1}, {"_id": 2}]}"#, on: "t")
        let rig = try await BackupRig(directory)
        let renamer = Renamer(client)
        func engine(times: Int) -> MongoDBEngine {
            rig.engine(primary) { tuning in
                tuning.pause = { if $0 == "read" { await renamer.rename(atMost: times) } }
            }
        }
        let context = BackupContext()
        let backup = try await rig.backUp(engine(times: 1), context: context)
        #expect(context.log.contains("attempt 1 can't be made exact because of renameCollection in t"))
        let manifest = try BackupRig.manifest(try await rig.restore(backup))
        #expect(manifest.namespaces.first { $0.namespace == "t.a1" }?.documents == 2)
        #expect(!manifest.namespaces.contains { $0.namespace == "t.a0" })

        let failure = await #expect(throws: JobFailure.self) { try await rig.backUp(engine(times: 100)) }
        #expect(failure?.code == "schemaChanged")
        await set.kill()
    }

    @Test("an oplog that has lost the start of the dump is an overflow, said so")
    func overflow() async throws {
        let directory = try TestDirectory("overflow")
        defer { directory.remove() }
        let set = try await ReplicaSet.start(ReplicaSetOptions(members: 1), in: directory)
        let primary = try await set.primary()
        let rig = try await BackupRig(directory)
        let engine = rig.engine(primary)
        let writer = rig.repository.makeWriter()
        let context = BackupContext()
        let dump = OplogDump(
            engine: engine,
            store: ChunkStore(writer, cores: 2),
            progress: DumpProgress(context: context, writer: writer),
            context: context,
            chunkKey: try rig.repository.documentChunkKey,
            host: primary.address
        )
        let position = try await OplogPosition(asking: engine.connect())
        let before = OplogPosition(start: ClusterTime(t: 7, i: 1), applied: position.applied)
        let failure = await #expect(throws: JobFailure.self) { try await dump.run(from: before) }
        #expect(failure?.code == "oplogOverflow")
        await set.kill()
    }
}

/// Deletes documents here and there, boundaries between partitions among them.
private actor Deleter {
    private(set) var count = 0
    private var task: Task<Void, any Error>?

    func start(_ server: MongoServer) throws {
        let client = try server.client()
        task = Task {
            while !Task.isCancelled {
                _ = try await client.command(
                    """
                    {"delete": "plain", "writeConcern": {"w": 1}, "deletes": [
                      {"q": {"_id": {"$in": [\(count * 19 % 40000), \(count * 23 % 40000)]}}, "limit": 0}]}
                    """,
                    on: "parts"
                )
                count += 1
            }
        }
    }

    func stop() async throws {
        task?.cancel()
        try await task?.value
    }
}

/// Renames a collection again and again.
private actor Renamer {
    private let client: MongoClient
    private var count = 0

    init(_ client: MongoClient) { self.client = client }

    func rename(atMost: Int) async {
        guard count < atMost else { return }
        do {
            try await client.command(#"{"renameCollection": "t.a\#(count)", "to": "t.a\#(count + 1)"}"#)
            count += 1
        } catch {
            Issue.record("could not rename: \(error)")
        }
    }
}

extension MongoClient {
    /// Every document, in an order that doesn't depend on the server.
    func sorted(_ collection: String, _ database: String) throws -> [[UInt8]] {
        var documents: [[UInt8]] = []
        try forEachDocument(in: collection, of: database) { documents.append([UInt8]($0)) }
        return documents.sorted { $0.lexicographicallyPrecedes($1) }
    }
}

/// Loads a dump and replays its oplog in the plainest way: one operation after the other, in order.
private struct Replay {
    let files: [ExactName: [UInt8]]
    let manifest: MongoDBManifest

    init(_ files: [ExactName: [UInt8]], _ manifest: MongoDBManifest) {
        self.files = files
        self.manifest = manifest
    }

    func run(on target: MongoServer) async throws {
        let connection = try MongoConnection(MongoDBConfiguration(uri: target.uri()))
        for namespace in manifest.namespaces {
            guard let file = namespace.file, !namespace.namespace.hasPrefix("admin.") else { continue }
            let (database, collection) = MongoConnection.split(namespace.namespace)
            let text = try #require(files[ExactName(namespace.metadataFile)])
            let options = try ExtendedJSON.parse(text)["options"]?.document ?? [:]
            var create: [(String, BSONValue)] = [("create", .string(collection))]
            create += options.elements.map { ($0.key, $0.value) }
            _ = try await connection.command(database, BSONDocument(create))
            let bytes = try #require(files[ExactName(file)])
            let result = try await connection.insert(database, collection, documents: bytes)
            #expect(result.failures.isEmpty, "\(namespace.namespace): \(result.failures.first?.message ?? "")")
        }
        let oplog = try #require(files["oplog.bson"])
        var operations: [BSONDocument] = []
        var ranges: [Range<Int>] = []
        var walk = BSONDocumentSequence(oplog.span.bytes)
        while let range = try walk.next() { ranges.append(range) }
        for range in ranges {
            let entry = try BSONDocument(validating: [UInt8](oplog[range]))
            let inner = entry[path: "o", "applyOps"]?.array?.compactMap(\.document) ?? [entry]
            for operation in inner where ["i", "u", "d"].contains(operation["op"]?.string ?? "") {
                let name = operation["ns"]?.string ?? ""
                guard !name.hasPrefix("config."), !name.hasPrefix("admin.") else { continue }
                let kept = operation.elements.filter { ["op", "ns", "o", "o2", "b"].contains($0.key) }
                operations.append(BSONDocument(kept.map { ($0.key, $0.value) }))
            }
        }
        for start in stride(from: 0, to: operations.count, by: 500) {
            let batch = operations[start..<min(start + 500, operations.count)]
            _ = try await connection.command("admin", ["applyOps": .array(batch.map(BSONValue.document))])
        }
    }
}
