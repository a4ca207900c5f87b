import BSON
import BackupModel
import ObjectStorage
import Repository
import TestSupport
import Testing

@testable import Engines

@Suite("Restore: into real servers", .serialized, .timeLimit(.minutes(15)))
struct RestoreTests {
    @Test("the nasty data set comes back equal on an empty standalone, and over itself")
    func nastyStandalone() async throws {
        try await withTestDirectory { directory in
            let source = try await MongoServer.start(.authenticated, in: directory)
            try await DataSet.small.load(into: source.uri())
            let original = try await ClusterFingerprint.read(source.client())
            let image = try await DumpImage.read(source.client())
            let snapshot = try await image.store()

            let target = try await MongoServer.start(.authenticated, in: directory)
            let context = RecordingContext()
            let result = try await RestoreRig.restore(snapshot, into: target, context: context)
            let restored = try await ClusterFingerprint.read(target.client())
            #expect(restored.differencesExceptLogIn(from: original) == [])
            #expect(result.namespaces == image.namespaces.count { !$0.namespace.hasPrefix("admin.system.") })
            #expect(result.usersAndRoles == original.users.count + original.roles.count - 1)
            #expect(result.warnings.contains { $0.contains("admin.remora is the one Remora is logged in as") })
            #expect(!context.log.contains { $0.contains("new UUIDs") })

            try await RestoreRig.restore(snapshot, into: source, conflict: .dropCollections)
            let over = try await ClusterFingerprint.read(source.client())
            #expect(over.differences(from: original) == [])
            await source.kill()
            await target.kill()
        }
    }

    @Test("a standalone's backup goes into a set by any member, equal on all of them, and a set's into a standalone")
    func betweenTopologies() async throws {
        try await withTestDirectory { directory in
            let standalone = try await MongoServer.start(.authenticated, in: directory)
            try await DataSet.small.load(into: standalone.uri())
            let original = try await ClusterFingerprint.read(standalone.client())
            let snapshot = try await DumpImage.read(standalone.client()).store()

            let set = try await ReplicaSet.start(in: directory)
            let secondary = try #require(try await set.secondaries().first)
            let context = RecordingContext()
            let result = try await RestoreRig.restore(snapshot, into: secondary, context: context)
            #expect(try await result.host == set.primary().address)
            try await set.waitUntilInSync()
            for member in set.members {
                let restored = try await ClusterFingerprint.read(member.client())
                #expect(restored.differencesExceptLogIn(from: original) == [])
            }
            let again = try await DumpImage.read(set.primary().client()).store()
            try await RestoreRig.restore(again, into: standalone, conflict: .dropCollections)
            let back = try await ClusterFingerprint.read(standalone.client())
            #expect(back.differencesExceptLogIn(from: original) == [])
            await set.kill()
            await standalone.kill()
        }
    }

    @Test("a part of a backup goes under other names beside what is there")
    func selectionAndRenames() async throws {
        let server = try await SharedServers.standalone()
        let client = try server.client()
        let name = SharedServers.uniqueName("select")
        let documents = (0..<500).map { BSONDocument([("_id", .integer($0)), ("n", .integer($0 % 7))]) }
        for collection in ["orders_1", "orders_2", "other"] {
            try await client.insert(documents.map { TestDocument(bytes: $0.bytes) }, into: collection, of: name)
        }
        try await client.command(
            #"{"createIndexes": "orders_1", "indexes": [{"key": {"n": 1}, "name": "n_1", "hidden": true}]}"#,
            on: name
        )
        try await client.command(
            #"{"create": "view", "viewOn": "orders_1", "pipeline": [{"$lookup": {"from": "orders_2", "localField": "n", "foreignField": "_id", "as": "x"}}]}"#,
            on: name
        )
        try await client.command(#"{"create": "ts", "timeseries": {"timeField": "t"}}"#, on: name)
        try await client.insert(
            [TestDocument(json: #"{"t": {"$date": "2024-01-01T00:00:00Z"}, "v": 1}"#)],
            into: "ts",
            of: name
        )
        let snapshot = try await DumpImage.read(client) { $0 == name }.store()

        let selection = NamespaceSelection(
            include: ["\(name).*"],
            exclude: ["\(name).other"],
            renames: [.init(from: "\(name).o*_*", to: "\(name)x.O*-*"), .init(from: "\(name).*", to: "\(name)x.*")]
        )
        try await RestoreRig.restore(snapshot, into: server, selection: selection)
        let list = try await client.command(#"{"listCollections": 1, "nameOnly": true}"#, on: "\(name)x")
        let found = (list["cursor.firstBatch"]?.documents ?? []).compactMap { $0["name"]?.string }.sorted()
        #expect(found == ["Orders-1", "Orders-2", "system.buckets.ts", "system.views", "ts", "view"])
        #expect(try await client.count("Orders-1", of: "\(name)x") == 500)
        #expect(try await client.count("ts", of: "\(name)x") == 1)
        let viewed = try await client.find(in: "view", of: "\(name)x", options: #"{"limit": 1}"#)
        #expect(viewed.first?["x.0.n"]?.int == 0)
        // The original is still as it was, and a second restore finds the names taken.
        #expect(try await client.count("orders_1", of: name) == 500)
        let failure = try await #require(throws: JobFailure.self) {
            try await RestoreRig.restore(snapshot, into: server, selection: selection)
        }
        #expect(failure.code == "targetNotEmpty")
        #expect(failure.message.contains("\(name)x.Orders-1"))
        try await RestoreRig.restore(snapshot, into: server, conflict: .dropCollections, selection: selection)
        #expect(try await client.count("Orders-2", of: "\(name)x") == 500)
        for database in [name, "\(name)x"] { try await client.command(#"{"dropDatabase": 1}"#, on: database) }
    }

    @Test("a target that isn't empty is refused, with what is there, and nothing is touched")
    func notEmpty() async throws {
        try await withTestDirectory { directory in
            let server = try await MongoServer.start(in: directory)
            let client = try server.client()
            try await client.insert([TestDocument(json: #"{"_id": 1}"#)], into: "things", of: "mine")
            try await client.insert([TestDocument(json: #"{"_id": 1}"#)], into: "settings", of: "admin")
            let snapshot = try await DumpImage.read(client).store()
            let failure = try await #require(throws: JobFailure.self) {
                try await RestoreRig.restore(snapshot, into: server)
            }
            #expect(failure.code == "targetNotEmpty")
            #expect(failure.message.contains("mine.things"))
            #expect(failure.message.contains("DropCollections"))
            #expect(try await client.count("things", of: "mine") == 1)
            // What lies in the server's own database is in the way of what has its name.
            try await client.command(#"{"dropDatabase": 1}"#, on: "mine")
            let again = try await #require(throws: JobFailure.self) {
                try await RestoreRig.restore(snapshot, into: server)
            }
            #expect(again.code == "targetNotEmpty" && again.message.contains("admin.settings"), "\(again)")
            await server.kill()
        }
    }

    @Test("a missing or damaged pack fails the restore and is named")
    func damagedPack() async throws {
        try await withTestDirectory { directory in
            let server = try await MongoServer.start(in: directory)
            let client = try server.client()
            let documents = (0..<2000).map { number in
                TestDocument(
                    bytes: BSONDocument([("_id", .integer(number)), ("x", .string("\(number * 7919)"))]).bytes
                )
            }
            try await client.insert(documents, into: "things", of: "mine")
            let image = try await DumpImage.read(client)
            let target = try await MongoServer.start(in: directory)

            let missing = MemoryStore()
            let one = try await image.store(in: missing, chunk: 10_000)
            var packs: [String] = []
            for object in try await missing.list(prefix: "data/") { packs.append(object.key) }
            for pack in packs { try await missing.delete(pack) }
            let reopened = try await reopen(missing, one)
            let failure = try await #require(throws: (any Error).self) {
                try await RestoreRig.restore(await reopened(), into: target)
            }
            #expect("\(failure)".contains("pack") || "\(failure)".contains("data/"))

            let short = MemoryStore()
            let two = try await image.store(in: short, chunk: 10_000)
            var index: [String] = []
            for object in try await short.list(prefix: "index/") { index.append(object.key) }
            for file in index { try await short.delete(file) }
            let unindexed = try await reopen(short, two)
            _ = try await #require(throws: (any Error).self) {
                try await RestoreRig.restore(await unindexed(), into: target)
            }
            // Nothing was written by either.
            let list = try await target.client().command(#"{"listDatabases": 1, "nameOnly": true}"#)
            #expect((list["databases"]?.documents ?? []).allSatisfy { $0["name"]?.string != "mine" })
            await server.kill()
            await target.kill()
        }
    }

    /// Opens a snapshot again as another process would, when it is asked for.
    private func reopen(_ store: MemoryStore, _ snapshot: SnapshotReader) async throws -> () async throws ->
        SnapshotReader
    {
        let id = snapshot.id
        return {
            let repository = try await Repository.open(at: store, password: RestoreRig.password)
            try await repository.loadIndex()
            return try await repository.reader(of: id)
        }
    }

    @Test("a repository that stock restic wrote of a dump directory is restored without a manifest")
    func stockRestic() async throws {
        try await withTestDirectory { directory in
            let source = try await MongoServer.start(in: directory)
            try await DataSet.small.load(into: source.uri())
            let original = try await ClusterFingerprint.read(source.client())
            try await DumpImage.read(source.client()).write(to: directory)
            let path = directory.appending("repository")
            let restic = Restic(repository: path, password: "restore-rig")
            try await restic.run("init")
            try await restic.run("backup", directory.appending("dump"))
            let repository = try await Repository.open(at: DirectoryStore(path: path), password: RestoreRig.password)
            try await repository.loadIndex()
            let id = try #require(try await repository.snapshots().first?.id)
            let context = RecordingContext()
            try await RestoreRig.restore(
                try await repository.reader(of: id),
                into: source,
                conflict: .dropCollections,
                context: context
            )
            let restored = try await ClusterFingerprint.read(source.client())
            #expect(restored.differences(from: original) == [])
            #expect(context.log.contains { $0.contains("no remora.json") })
            await source.kill()
        }
    }

    @Test("a server that is older than the backup, and a user who may not write, are refused before anything is done")
    func unsuitable() async throws {
        let server = try await SharedServers.standalone()
        let client = try server.client()
        let name = SharedServers.uniqueName("unsuitable")
        try await client.insert([TestDocument(json: #"{"_id": 1}"#)], into: "a", of: name)
        var image = try await DumpImage.read(client) { $0 == name }
        try await client.command(#"{"dropDatabase": 1}"#, on: name)
        image.serverVersion = "7.0.2"
        let newer = try await image.store()
        let selection = NamespaceSelection(include: ["\(name).*"])
        let old = try await #require(throws: JobFailure.self) {
            try await RestoreRig.restore(newer, into: server, selection: selection)
        }
        #expect(old.code == "unsuitableServer")
        #expect(old.message.contains("7.0.2") && old.message.contains("6.0.5"))

        image.serverVersion = "6.0.5"
        let snapshot = try await image.store()
        let reader = MongoUser(SharedServers.uniqueName("reader"), password: "reader")
        try await client.command(#"{"createUser": "\#(reader.name)", "pwd": "reader", "roles": ["backup"]}"#)
        let denied = try await #require(throws: JobFailure.self) {
            try await RestoreRig.restore(snapshot, into: server, as: reader, selection: selection)
        }
        #expect(denied.code == "missingPrivilege")
        #expect(
            denied.message.contains("insert") && denied.message.contains("createIndex") && denied.message.contains(name)
        )
        let wrong = MongoUser("remora", password: "wrong")
        let refused = try await #require(throws: JobFailure.self) {
            try await RestoreRig.restore(snapshot, into: server, as: wrong, selection: selection)
        }
        #expect(refused.code == "authenticationFailed")
        #expect(!refused.message.contains("wrong "))
        let list = try await client.command(#"{"listDatabases": 1, "nameOnly": true}"#)
        #expect((list["databases"]?.documents ?? []).allSatisfy { $0["name"]?.string != name })
        try await client.command(#"{"dropUser": "\#(reader.name)"}"#)
    }
}

extension ClusterFingerprint {
    /// What differs, but for the user that the restore is logged in as, who is left alone.
    func differencesExceptLogIn(from other: ClusterFingerprint) -> [String] {
        var mine = self
        var theirs = other
        mine.users["admin.remora"] = nil
        theirs.users["admin.remora"] = nil
        return mine.differences(from: theirs)
    }
}
