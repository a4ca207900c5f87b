import BSON
import BackupModel
import TestSupport
import Testing

@testable import Engines

@Suite("Restore: the oplog, on real servers", .serialized, .timeLimit(.minutes(15)))
struct OplogReplayTests {
    /// The newest entry of a set's oplog.
    private func newest(_ client: MongoClient) async throws -> UInt64 {
        let last = try await client.find(
            in: "oplog.rs",
            of: "local",
            options: #"{"sort": {"$natural": -1}, "limit": 1}"#
        )
        return try #require(last.first?["ts"]?.timestamp)
    }

    private func oplog(_ client: MongoClient, from start: UInt64) async throws -> [BSONDocument] {
        let filter = #"{"ts": {"$gte": {"$timestamp": {"t": \#(start >> 32), "i": \#(start & 0xFFFF_FFFF)}}}}"#
        return try await client.find(in: "oplog.rs", of: "local", filter: filter).map {
            try BSONDocument(validating: $0.bytes)
        }
    }

    private func singleMemberSet(_ directory: TestDirectory) async throws -> ReplicaSet {
        try await ReplicaSet.start(ReplicaSetOptions(members: 1), in: directory)
    }

    @Test("data read while it was written, and the oplog, come to exactly the end", arguments: [true, false])
    func fuzzy(hasUUIDs: Bool) async throws {
        try await withTestDirectory { directory in
            let source = try await singleMemberSet(directory)
            let primary = try await source.primary()
            let client = try primary.client()
            let workload = Workload(uri: source.uri())
            try await workload.start(writers: 3)
            // No transaction may be open at the start: the backup takes care of that, this test waits until it is so.
            let start = try await newest(client)
            var image = try await DumpImage.read(client)
            try await eventually("the workload goes on") { workload.progress.writes > 500 }
            let report = try await workload.stop()
            image.oplog = try await oplog(client, from: start)
            if !hasUUIDs {
                for index in image.namespaces.indices { image.namespaces[index].uuid = nil }
            }
            let truth = try await ClusterFingerprint.read(client)
            #expect(report.transactions > 0)

            let target = try await MongoServer.start(.authenticated, in: directory)
            let context = RecordingContext()
            let result = try await RestoreRig.restore(try await image.store(), into: target, context: context)
            let restored = try await ClusterFingerprint.read(target.client())
            #expect(restored.differencesExceptLogIn(from: truth) == [], "\(context.log)")
            #expect(try await Workload.contradictions(in: target.client()) == [])
            #expect(result.oplogEntries > 0)
            await source.kill()
            await target.kill()
        }
    }

    /// What an administrator and an application do to collections while a backup runs.
    private static let storm: [(database: String, command: String)] = [
        ("s", #"{"insert": "a", "documents": [{"_id": 100}, {"_id": 101, "t": {"$timestamp": {"t": 9, "i": 9}}}]}"#),
        (
            "s",
            #"{"update": "a", "updates": [{"q": {"_id": 1}, "u": {"$set": {"deep.x": [1, 2]}}}, {"q": {"_id": 2}, "u": {"_id": 2, "new": 1}}]}"#
        ),
        (
            "s",
            #"{"update": "a", "updates": [{"q": {"_id": 3}, "u": [{"$replaceWith": {"$literal": {"_id": 3, "zero": {"$timestamp": {"t": 0, "i": 0}}}}}]}]}"#
        ),
        (
            "s",
            #"{"update": "a", "updates": [{"q": {"_id": 900}, "u": [{"$replaceWith": {"$literal": {"_id": 900, "zero": {"$timestamp": {"t": 0, "i": 0}}}}}], "upsert": true}]}"#
        ),
        ("s", #"{"delete": "a", "deletes": [{"q": {"_id": {"$gte": 10, "$lt": 15}}, "limit": 0}]}"#),
        ("s", #"{"create": "capped", "capped": true, "size": 4096, "max": 10}"#),
        ("s", #"{"insert": "capped", "documents": [{"_id": 5}, {"_id": 3}, {"_id": 4}]}"#),
        (
            "s",
            #"{"createIndexes": "a", "indexes": [{"key": {"n": 1}, "name": "n_1", "sparse": true}, {"key": {"d": 1}, "name": "ttl", "expireAfterSeconds": 100000}]}"#
        ),
        ("s", #"{"collMod": "a", "index": {"name": "ttl", "expireAfterSeconds": 200000, "hidden": true}}"#),
        ("s", #"{"dropIndexes": "a", "index": "old_1"}"#),
        ("s", #"{"createIndexes": "empty", "indexes": [{"key": {"q": "text"}, "name": "text"}]}"#),
        ("s", #"{"collMod": "a", "validator": {"never": {"$exists": false}}, "validationLevel": "moderate"}"#),
        ("s", #"{"create": "view", "viewOn": "a", "pipeline": [{"$match": {"n": 1}}]}"#),
        ("s", #"{"collMod": "oldview", "viewOn": "a", "pipeline": [{"$limit": 3}]}"#),
        ("s", #"{"create": "view2", "viewOn": "view", "pipeline": []}"#),
        ("s", #"{"drop": "view2"}"#),
        (
            "s",
            #"{"create": "ts", "timeseries": {"timeField": "t", "metaField": "m"}, "expireAfterSeconds": 999999999}"#
        ),
        (
            "s",
            #"{"insert": "ts", "documents": [{"t": {"$date": "2024-01-01T00:00:00Z"}, "m": 1, "v": 1}, {"t": {"$date": "2024-01-01T00:00:01Z"}, "m": 1, "v": 2}]}"#
        ),
        ("s", #"{"insert": "ts", "documents": [{"t": {"$date": "2024-01-01T00:00:02Z"}, "m": 1, "v": 3}]}"#),
        ("s", #"{"createIndexes": "ts", "indexes": [{"key": {"m": 1, "t": -1}, "name": "mt"}]}"#),
        ("s", #"{"insert": "oldts", "documents": [{"t": {"$date": "2024-01-01T00:00:09Z"}, "v": 9}]}"#),
        ("s", #"{"collMod": "oldts", "expireAfterSeconds": 888888888}"#),
        ("admin", #"{"renameCollection": "s.moved", "to": "s.arrived"}"#),
        ("s", #"{"insert": "arrived", "documents": [{"_id": "after"}]}"#),
        ("admin", #"{"renameCollection": "s.over", "to": "s.under", "dropTarget": true}"#),
        ("s", #"{"aggregate": "a", "pipeline": [{"$match": {"_id": {"$lt": 5}}}, {"$out": "out"}], "cursor": {}}"#),
        ("s", #"{"aggregate": "a", "pipeline": [{"$match": {"_id": {"$lt": 9}}}, {"$out": "out"}], "cursor": {}}"#),
        ("s", #"{"convertToCapped": "tocap", "size": 65536}"#),
        ("s", #"{"insert": "tocap", "documents": [{"_id": 999}]}"#),
        ("s", #"{"drop": "doomed"}"#),
        ("s", #"{"create": "doomed", "collation": {"locale": "de", "strength": 1}}"#),
        ("s", #"{"insert": "doomed", "documents": [{"_id": "again"}]}"#),
        ("gone", #"{"insert": "x", "documents": [{"_id": 1}]}"#),
        ("gone", #"{"dropDatabase": 1}"#),
        ("gone", #"{"insert": "x", "documents": [{"_id": 2}]}"#),
        ("gone2", #"{"dropDatabase": 1}"#),
        (
            "s",
            #"{"create": "clustered", "clusteredIndex": {"key": {"_id": 1}, "unique": true}, "expireAfterSeconds": 99999999}"#
        ),
        ("s", #"{"insert": "clustered", "documents": [{"_id": 1}, {"_id": "x"}]}"#),
        ("admin", #"{"createUser": "newcomer", "pwd": "x", "roles": ["read"]}"#),
        ("admin", #"{"updateUser": "veteran", "roles": ["readAnyDatabase"]}"#),
        ("admin", #"{"createRole": "novelty", "privileges": [], "roles": ["read"]}"#),
        ("admin", #"{"dropUser": "leaver"}"#),
    ]

    private func prepareStorm(_ client: MongoClient) async throws {
        for (collection, count) in [("a", 50), ("moved", 5), ("over", 6), ("under", 7), ("tocap", 20), ("doomed", 3)] {
            let documents = (0..<count).map {
                TestDocument(bytes: BSONDocument([("_id", .integer($0)), ("n", .integer($0 % 3))]).bytes)
            }
            try await client.insert(documents, into: collection, of: "s")
        }
        for (database, command) in [
            ("s", #"{"createIndexes": "a", "indexes": [{"key": {"old": 1}, "name": "old_1"}]}"#),
            ("s", #"{"createIndexes": "moved", "indexes": [{"key": {"n": 1}, "name": "moving", "unique": false}]}"#),
            ("s", #"{"create": "empty"}"#), ("s", #"{"create": "oldview", "viewOn": "a", "pipeline": []}"#),
            ("s", #"{"create": "oldts", "timeseries": {"timeField": "t"}}"#),
            ("s", #"{"insert": "oldts", "documents": [{"t": {"$date": "2024-01-01T00:00:00Z"}, "v": 1}]}"#),
            ("gone2", #"{"insert": "y", "documents": [{"_id": 1}]}"#),
            ("admin", #"{"createUser": "veteran", "pwd": "x", "roles": ["read"]}"#),
            ("admin", #"{"createUser": "leaver", "pwd": "x", "roles": ["read"]}"#),
        ] { try await client.command(command, on: database) }
    }

    /// Where in the storm the data is read: before it, in the middle, after it.
    ///
    /// The oplog is always the whole of it.
    @Test("schema changes of every kind are replayed over data of any moment", arguments: [0, 12, 22, 27, 34, 100])
    func storm(readAfter: Int) async throws {
        try await withTestDirectory { directory in
            let source = try await singleMemberSet(directory)
            let client = try await source.primary().client()
            try await prepareStorm(client)
            let start = try await newest(client)
            var image: DumpImage?
            for (index, (database, command)) in Self.storm.enumerated() {
                if index == readAfter { image = try await DumpImage.read(client) }
                try await client.command(command, on: database)
            }
            var dump = try await { if let image { image } else { try await DumpImage.read(client) } }()
            dump.oplog = try await oplog(client, from: start)
            let truth = try await ClusterFingerprint.read(client)

            let target = try await MongoServer.start(.authenticated, in: directory)
            let context = RecordingContext()
            try await RestoreRig.restore(try await dump.store(), into: target, context: context)
            let restored = try await ClusterFingerprint.read(target.client())
            #expect(restored.differencesExceptLogIn(from: truth) == [], "\(context.log)")
            await source.kill()
            await target.kill()
        }
    }

    @Test("a part of a backup is replayed exactly, beside what is there", arguments: [0, 27, 100])
    func partialStorm(readAfter: Int) async throws {
        try await withTestDirectory { directory in
            let source = try await singleMemberSet(directory)
            let client = try await source.primary().client()
            try await prepareStorm(client)
            let start = try await newest(client)
            var image: DumpImage?
            for (index, (database, command)) in Self.storm.enumerated() {
                if index == readAfter { image = try await DumpImage.read(client) }
                try await client.command(command, on: database)
            }
            var dump = try await { if let image { image } else { try await DumpImage.read(client) } }()
            dump.oplog = try await oplog(client, from: start)
            let snapshot = try await dump.store()

            // `out` is made by `$out`: under another name, in the oplog alone.
            let names = ["a", "capped", "moved", "arrived", "out", "doomed", "tocap"]
            let selection = NamespaceSelection(
                include: names.map { "s.\($0)" } + ["gone.*"],
                renames: [.init(from: "s.*", to: "r.*")]
            )
            let target = try await MongoServer.start(.authenticated, in: directory)
            let targetClient = try target.client()
            try await targetClient.insert([TestDocument(json: #"{"_id": "mine"}"#)], into: "keep", of: "r")
            try await targetClient.insert([TestDocument(json: #"{"_id": "mine"}"#)], into: "capped", of: "r")
            let failure = try await #require(throws: JobFailure.self) {
                try await RestoreRig.restore(snapshot, into: target, selection: selection)
            }
            #expect(failure.code == "targetNotEmpty")
            #expect(failure.message.contains("r.capped"))
            #expect(!failure.message.contains("partially"))
            #expect(try await targetClient.count("capped", of: "r") == 1)

            let context = RecordingContext()
            try await RestoreRig.restore(
                snapshot,
                into: target,
                conflict: .dropCollections,
                selection: selection,
                context: context
            )
            for name in names {
                let sort = #"{"sort": {"_id": 1}}"#
                let found = try await targetClient.find(in: name, of: "r", options: sort).map(\.bytes)
                #expect(
                    try await client.find(in: name, of: "s", options: sort).map(\.bytes) == found,
                    "\(name): \(context.log)"
                )
            }
            let kept = try await targetClient.find(in: "keep", of: "r")
            #expect(kept.map { $0["_id"]?.string } == ["mine"])
            #expect(try await targetClient.count("x", of: "gone") == client.count("x", of: "gone"))
            let list = try await targetClient.command(#"{"listCollections": 1, "nameOnly": true}"#, on: "r")
            let listed = (list["cursor.firstBatch"]?.documents ?? []).compactMap { $0["name"]?.string }
            #expect(Set(listed) == Set(names).subtracting(["moved"]).union(["keep"]))
            await source.kill()
            await target.kill()
        }
    }

    @Test("what the oplog makes replaces what has its name, when a backup is restored over the same set")
    func madeByOplog() async throws {
        let server = try await SharedServers.standalone()
        let client = try server.client()
        let name = SharedServers.uniqueName("made")
        try await client.insert([TestDocument(json: #"{"_id": 1}"#)], into: "a", of: name)
        var image = try await DumpImage.read(client) { $0 == name }
        // Version and variant as the server wants them.
        let uuid: [UInt8] = [9, 9, 9, 9, 9, 9, 0x49, 9, 0x89, 9, 9, 9, 9, 9, 9, 9]
        var log = OplogWriter()
        log.command(name, ["create": "b"], ui: uuid)
        log.insert("\(name).b", ["_id": 2], ui: uuid)
        image.oplog = log.entries
        try await client.insert([TestDocument(json: #"{"_id": "later"}"#)], into: "b", of: name)
        let selection = NamespaceSelection(include: ["\(name).*"])
        try await RestoreRig.restore(
            try await image.store(),
            into: server,
            conflict: .dropCollections,
            selection: selection
        )
        let found = try await client.find(in: "b", of: name)
        #expect(found.map { $0["_id"]?.int } == [2])
        try await client.command(#"{"dropDatabase": 1}"#, on: name)
    }

    @Test("transactions in several entries, prepared ones and ops on big documents are applied whole")
    func handMade() async throws {
        let server = try await SharedServers.standalone()
        let client = try server.client()
        let name = SharedServers.uniqueName("handmade")
        try await client.insert(
            (0..<10).map { TestDocument(bytes: BSONDocument([("_id", .integer($0))]).bytes) },
            into: "a",
            of: name
        )
        var image = try await DumpImage.read(client) { $0 == name }
        try await client.command(#"{"dropDatabase": 1}"#, on: name)

        var log = OplogWriter()
        let space = "\(name).a"
        func operations(_ ids: [Int], _ more: [(String, BSONValue)] = []) -> BSONDocument {
            BSONDocument(
                [("applyOps", .array(ids.map { OplogWriter.inner("i", space, ["_id": .integer($0)]) }))] + more
            )
        }
        log.note()
        log.transaction(1, operations([20, 21], [("partialTxn", true)]), previous: false)
        log.transaction(1, operations([22], [("count", 3)]), previous: true)
        log.transaction(2, operations([30], [("prepare", true)]), previous: false)
        log.transaction(3, operations([40], [("prepare", true)]), previous: false)
        log.transaction(2, ["commitTransaction": 1, "commitTimestamp": .timestamp(1)], previous: true)
        log.transaction(3, ["abortTransaction": 1], previous: true)
        log.transaction(4, operations([50], [("partialTxn", true)]), previous: false)
        log.insert(space, ["_id": 60, "big": .string(String(repeating: "x", count: 15 << 20))])
        log.insert(space, ["_id": 61, "big": .string(String(repeating: "y", count: (16 << 20) - 100))])
        // The document is gone before the data was read, and deleted later: an update finds nothing to change.
        log.update(space, 70, ["$v": 2, "diff": ["i": ["x": 1]]])
        log.delete(space, 70)
        log.insert(space, ["_id": 3])
        log.delete(space, 4)
        image.oplog = log.entries
        let selection = NamespaceSelection(include: ["\(name).*"])
        let result = try await RestoreRig.restore(try await image.store(), into: server, selection: selection)
        #expect(result.oplogEntries == 10)
        let ids = try await client.find(in: "a", of: name, options: #"{"sort": {"_id": 1}, "projection": {"_id": 1}}"#)
        #expect(ids.compactMap { $0["_id"]?.int } == [0, 1, 2, 3, 5, 6, 7, 8, 9, 20, 21, 22, 30, 60, 61])
        try await client.command(#"{"dropDatabase": 1}"#, on: name)
    }

    @Test("an update of a document that nothing explains shows that the snapshot has a hole")
    func hole() async throws {
        let server = try await SharedServers.standalone()
        let client = try server.client()
        let name = SharedServers.uniqueName("hole")
        try await client.insert([TestDocument(json: #"{"_id": 1}"#)], into: "a", of: name)
        var image = try await DumpImage.read(client) { $0 == name }
        try await client.command(#"{"dropDatabase": 1}"#, on: name)
        var log = OplogWriter()
        log.update("\(name).a", 2, ["$v": 2, "diff": ["i": ["x": 1]]])
        image.oplog = log.entries
        let snapshot = try await image.store()
        let failure = try await #require(throws: JobFailure.self) {
            try await RestoreRig.restore(snapshot, into: server, selection: NamespaceSelection(include: ["\(name).*"]))
        }
        #expect(failure.code == "verificationFailed")
        #expect(failure.message.contains("\(name).a"))
        #expect(failure.message.contains("DropCollections"))
        try await client.command(#"{"dropDatabase": 1}"#, on: name)
    }

    @Test("an oplog that isn't the one the manifest tells of, or can't be applied, fails before anything is written")
    func unfit() async throws {
        let server = try await SharedServers.standalone()
        let client = try server.client()
        let name = SharedServers.uniqueName("unfit")
        try await client.insert([TestDocument(json: #"{"_id": 1}"#)], into: "a", of: name)
        var image = try await DumpImage.read(client) { $0 == name }
        try await client.command(#"{"dropDatabase": 1}"#, on: name)
        let selection = NamespaceSelection(include: ["\(name).*"])
        var unknown = OplogWriter()
        unknown.command(name, ["importCollection": "a"])
        var foreign = OplogWriter()
        foreign.insert("\(name).b", ["_id": 1])
        for log in [unknown, foreign] {
            image.oplog = log.entries
            let snapshot = try await image.store()
            let failure = try await #require(throws: JobFailure.self) {
                try await RestoreRig.restore(snapshot, into: server, selection: selection)
            }
            #expect(failure.code == "badOplog")
            #expect(!failure.message.contains("partially"))
        }
        let list = try await client.command(#"{"listDatabases": 1, "nameOnly": true}"#)
        #expect((list["databases"]?.documents ?? []).allSatisfy { $0["name"]?.string != name })
    }
}
