import BSON
import BackupModel
import Repository
import TestSupport
import Testing

@testable import Engines

@Suite("MongoDB dump at one point of history", .serialized, .timeLimit(.minutes(15)))
struct HistoryTests {
    private static let window = "minSnapshotHistoryWindowInSeconds"

    private func window(_ server: MongoServer) async throws -> Int {
        try await server.client().command(#"{"getParameter": 1, "\#(Self.window)": 1}"#)[Self.window]?.int ?? -1
    }

    /// Restores into an empty server and returns what is there then.
    private func restored(_ rig: BackupRig, in directory: TestDirectory) async throws -> ClusterFingerprint {
        try await rig.repository.loadIndex()
        let snapshot = try await rig.repository.reader(of: #require(try await rig.repository.snapshots().last).id)
        let target = try await MongoServer.start(in: directory)
        try await RestoreRig.restore(snapshot, into: target)
        let result = try await ClusterFingerprint.read(target.client()) { $0 != "admin" }
        await target.kill()
        return result
    }

    /// Changes nearly everything there is: what is read afterwards as it is would be something else.
    private func upset(_ client: MongoClient) async throws {
        for name in ["plain", "mixed", "clustered"] {
            try await client.command(
                #"{"update": "\#(name)", "updates": [{"q": {"_id": {"$mod": [3, 1]}}, "u": {"$set": {"x": 1}}, "multi": true}]}"#,
                on: "parts"
            )
            try await client.command(
                #"{"delete": "\#(name)", "deletes": [{"q": {"_id": {"$mod": [5, 2]}}, "limit": 0}]}"#,
                on: "parts"
            )
            try await client.command(
                #"{"insert": "\#(name)", "documents": [{"_id": -1}, {"_id": 1000000}]}"#,
                on: "parts"
            )
        }
        try await client.command(#"{"insert": "later", "documents": [{"_id": 1}]}"#, on: "parts")
        try await client.command(
            #"{"createIndexes": "plain", "indexes": [{"key": {"x": 1}, "name": "x_1"}]}"#,
            on: "parts"
        )
    }

    @Test("no lock, no oplog: what was there when it began comes back, whatever was done meanwhile")
    func exact() async throws {
        try await withTestDirectory("history") { directory in
            let set = try await ReplicaSet.start(in: directory)
            let primary = try await set.primary()
            try await PartitionData.load(primary)
            let client = try primary.client()
            try await client.command(#"{"create": "ticks", "timeseries": {"timeField": "t"}}"#, on: "parts")
            try await client.insert(
                (0..<2000).map { number in
                    TestDocument(
                        bytes: BSONDocument([("t", .date(Int64(number) * 1_000_000)), ("n", .integer(number))]).bytes
                    )
                },
                into: "ticks",
                of: "parts"
            )
            try await client.command(#"{"drop": "capped"}"#, on: "parts")
            try await client.command(#"{"create": "v", "viewOn": "plain", "pipeline": []}"#, on: "parts")
            try await set.waitUntilInSync()
            let member = try #require(try await set.secondaries().first)
            let truth = try await ClusterFingerprint.read(member.client()) { $0 != "admin" }
            let rig = try await BackupRig(directory)
            let engine = rig.engine(member) { tuning in
                tuning.partitionBytes = 4 << 20
                tuning.pause = { step in
                    guard step == "time chosen" else { return }
                    do {
                        #expect(try await self.window(member) == 1234)
                        try await self.upset(client)
                        try await set.waitUntilInSync()
                    } catch {
                        Issue.record("\(error)")
                    }
                }
            }
            let context = BackupContext()
            let spec = BackupSpec(consistency: .snapshot, lockBudgetSeconds: 1234, parallelism: 3)
            let backup = try await rig.backUp(engine, spec, context: context)
            #expect(backup.result.consistency == .snapshot, "\(context.log)")
            #expect(backup.result.guarantee == .groupCut)
            #expect(backup.result.warnings == [])
            #expect(context.lastLock == nil)
            #expect(try await window(member) == 300)
            #expect(try engine.historyNotes.all() == [])
            let manifest = try BackupRig.manifest(try await rig.restore(backup))
            #expect(manifest.oplog == nil && manifest.cut == backup.result.cut && manifest.cut != nil)
            let differences = try await restored(rig, in: directory).differences(from: truth)
            #expect(differences == [], "\(context.log)")
            await set.kill()
        }
    }

    @Test(
        "where names have changed or the history is gone, it is read with the oplog instead, and said so",
        arguments: ["drop", "rename", "too old"]
    )
    func fallsBack(cause: String) async throws {
        try await withTestDirectory("history-lost") { directory in
            var options = ReplicaSetOptions(members: 1)
            if cause == "too old" { options.members[0].parameters[Self.window] = "1" }
            let set = try await ReplicaSet.start(options, in: directory)
            let primary = try await set.primary()
            let client = try primary.client()
            for name in ["a", "b"] {
                try await client.insert(
                    (0..<2000).map { TestDocument(bytes: BSONDocument([("_id", .integer($0))]).bytes) },
                    into: name,
                    of: "t"
                )
            }
            let rig = try await BackupRig(directory)
            let engine = rig.engine(primary) { tuning in
                tuning.pause = { step in
                    guard step == "time chosen" else { return }
                    do {
                        switch cause {
                        case "drop": try await client.command(#"{"drop": "a"}"#, on: "t")
                        case "rename": try await client.command(#"{"renameCollection": "t.a", "to": "t.c"}"#)
                        default: try await Self.forget(client)
                        }
                    } catch {
                        Issue.record("\(error)")
                    }
                }
            }
            let context = BackupContext()
            let backup = try await rig.backUp(
                engine,
                BackupSpec(consistency: .snapshot, lockBudgetSeconds: 1),
                context: context
            )
            #expect(backup.result.consistency == .oplog, "\(context.log)")
            #expect(backup.result.guarantee == .groupCut)
            let warning = backup.result.warnings.first { $0.contains("instead of at one point of history") }
            let expected = ["drop": "a was dropped", "rename": "t.a was renamed to t.c"][cause]
            // A name that is gone is found by the reader or by the look at the oplog, whichever comes first.
            #expect(
                warning.map { said in
                    [expected, "no longer there as it was", "can't be read any more as it was"].contains {
                        $0.map(said.contains) ?? false
                    }
                } == true,
                "\(backup.result.warnings)"
            )
            let truth = try await ClusterFingerprint.read(client) { $0 == "t" }
            let result = try await restored(rig, in: directory)
            for (name, collection) in truth.collections where name != "t.noise" {
                #expect(result.collections[name] == collection, "\(name)")
            }
            #expect(
                result.collections.keys.filter { $0 != "t.noise" }.sorted()
                    == truth.collections.keys.filter { $0 != "t.noise" }.sorted()
            )
            await set.kill()
        }
    }

    /// Writes until the server no longer knows what was there a while ago.
    private static func forget(_ client: MongoClient) async throws {
        let hello = try await client.command(#"{"hello": 1}"#)
        let time = try #require(hello["lastWrite.opTime.ts"]?.timestamp)
        let find =
            #"{"find": "a", "limit": 1, "readConcern": {"level": "snapshot", "atClusterTime": {"$timestamp": {"t": \#(time >> 32), "i": \#(time & 0xFFFF_FFFF)}}}}"#
        try await eventually("the history is forgotten", within: .seconds(60), every: .milliseconds(200)) {
            try await client.command(#"{"insert": "noise", "documents": [{}]}"#, on: "t")
            do {
                try await client.command(find, on: "t")
                return false
            } catch let error as TestSupport.MongoError {
                return error.code == 239
            }
        }
    }

    @Test("a window that a killed agent left raised is put back by the next one, and one that somebody has set stays")
    func leftovers() async throws {
        let server = try await SharedServers.standalone()
        let rig = try await BackupRig(TestDirectory("history-note"))
        defer { rig.directory.remove() }
        let engine = rig.engine(server)
        func note(raised: Int64) -> HistoryNote {
            HistoryNote(jobID: "dead", host: server.address, before: 300, raised: raised, since: 0)
        }
        try engine.historyNotes.write(note(raised: 900))
        try await server.client().command(#"{"setParameter": 1, "\#(Self.window)": 900}"#)
        let said = try await engine.releaseLeftovers()
        #expect(said.count == 1 && said[0].contains("keeps 300 s of its history again"), "\(said)")
        #expect(try await window(server) == 300)
        #expect(try engine.historyNotes.all() == [])

        try engine.historyNotes.write(note(raised: 900))
        try await server.client().command(#"{"setParameter": 1, "\#(Self.window)": 450}"#)
        _ = try await engine.releaseLeftovers()
        #expect(try await window(server) == 450)
        #expect(try engine.historyNotes.all() == [])
        try await server.client().command(#"{"setParameter": 1, "\#(Self.window)": 300}"#)
    }

    @Test("a standalone keeps no history that could be read")
    func standalone() async throws {
        let server = try await SharedServers.standalone()
        let rig = try await BackupRig(TestDirectory("history-standalone"))
        defer { rig.directory.remove() }
        let failure = try await #require(throws: JobFailure.self) {
            try await rig.backUp(rig.engine(server), BackupSpec(consistency: .snapshot))
        }
        #expect(failure.message.contains("needs a replica set"))
    }
}

@Suite("MongoDB changes of the schema around a point of history")
struct SchemaChangesTests {
    private func found(_ type: String, _ namespace: String, _ object: BSONDocument, at time: UInt32) throws -> [String]
    {
        let entry: BSONDocument = [
            "ts": .timestamp(UInt64(time) << 32 | 1), "op": .string(type), "ns": .string(namespace),
            "o": .document(object),
        ]
        var changes = SchemaChanges(after: ClusterTime(t: 10, i: 1), through: ClusterTime(t: 20, i: 1))
        try changes.take(try OplogEntry(entry.bytes.span.bytes, at: 0).operation)
        return changes.found
    }

    @Test("any change between catalog and data counts; afterwards only what takes a name away")
    func counted() throws {
        let commands: [(BSONDocument, isHarmless: Bool)] = [
            (["create": "a"], true), (["collMod": "a"], true), (["createIndexes": "a", "v": 2], true),
            (["dropIndexes": "a", "index": "x"], true), (["drop": "a"], false), (["dropDatabase": 1], false),
            (["renameCollection": "d.a", "to": "d.b"], false), (["convertToCapped": "a"], false),
        ]
        for (command, isHarmlessLater) in commands {
            #expect(try found("c", "d.$cmd", command, at: 15).count == 1, "\(command)")
            #expect(try found("c", "d.$cmd", command, at: 25).isEmpty == isHarmlessLater, "\(command)")
            let nested: BSONDocument = [
                "applyOps": [["op": "c", "ns": "d.$cmd", "o": .document(command)]]
            ]
            #expect(try found("c", "admin.$cmd", nested, at: 15).count == 1, "\(command)")
        }
        #expect(try found("c", "d.$cmd", ["startIndexBuild": "a"], at: 15) == [])
        #expect(try found("i", "d.system.views", ["_id": "d.v"], at: 15).count == 1)
        #expect(try found("i", "d.system.views", ["_id": "d.v"], at: 25) == [])
        #expect(try found("i", "d.a", ["_id": 1], at: 15) == [])
        #expect(throws: JobFailure.self) { try found("c", "d.$cmd", ["unheardOf": "a"], at: 15) }
    }
}
