import BSON
import BackupModel
import Testing

@testable import Engines

@Suite("MongoDB cluster: the oplog up to a cut, without a server")
struct ClusterOplogTests {
    private func inspect(_ log: OplogWriter, layout: LayoutTracker = LayoutTracker(underWay: [])) throws
        -> OplogInspection
    {
        let first = ClusterTime(bits: try #require(log.entries.first?["ts"]?.timestamp))
        var inspection = OplogInspection(from: first, applied: first, layout: layout)
        for entry in log.entries { _ = try inspection.inspect(entry.bytes.span.bytes, 0..<entry.bytes.count) }
        return inspection
    }

    private func document(_ name: String, _ kind: String) -> BSONDocument {
        ["_id": ["namespace": .string(name), "operationType": .string(kind)]]
    }

    @Test("a change of schema counts from its document's insert to its delete")
    func coordinators() throws {
        let space = "config.system.sharding_ddl_coordinators"
        var log = OplogWriter()
        log.note()
        log.insert(space, document("shop.a", "dropCollection"))
        log.insert(space, document("shop.b", "createCollection"))
        log.insert("config.other", document("shop.x", "dropCollection"))
        #expect(
            try inspect(log).layout.changes == [
                "a change of schema (createCollection) of shop.b", "a change of schema (dropCollection) of shop.a",
            ]
        )
        log.add(OplogWriter.operation("d", space, document("shop.a", "dropCollection")))
        #expect(try inspect(log).layout.changes == ["a change of schema (createCollection) of shop.b"])
        log.add(OplogWriter.operation("d", space, document("shop.b", "createCollection")))
        #expect(try inspect(log).layout.changes == [])
    }

    @Test("what was under way when reading began is so until its document goes; a move names its collection")
    func earlier() throws {
        let move: BSONDocument = ["_id": 7, "nss": "shop.orders"]
        let tracker = LayoutTracker(underWay: [("migrationCoordinators", move)])
        var log = OplogWriter()
        log.note()
        log.note()
        #expect(try inspect(log, layout: tracker).layout.changes == ["a move of a chunk of shop.orders"])
        log.add(
            OplogWriter.operation("u", "config.migrationCoordinators", ["$v": 2, "diff": [:]], key: ["_id": 7])
        )
        #expect(try inspect(log, layout: tracker).layout.changes == ["a move of a chunk of shop.orders"])
        log.delete("config.migrationCoordinators", 7)
        #expect(try inspect(log, layout: tracker).layout.changes == [])
    }

    @Test("a command that no restore can replay is named, in a cluster only")
    func unknownCommands() throws {
        var log = OplogWriter()
        log.note()
        log.command("d", ["refineTheUniverse": "a"])
        #expect(try inspect(log).unknown.count == 1)
        #expect(try inspect(log, layout: LayoutTracker()).unknown == [])
    }

    @Test("prepared transactions wait for their decision, those from before the reading too")
    func prepared() throws {
        let prepare: BSONDocument = ["applyOps": [OplogWriter.inner("i", "d.a", ["_id": 1])], "prepare": true]
        var log = OplogWriter()
        log.transaction(1, prepare, previous: false)
        log.transaction(2, prepare, previous: false)
        log.transaction(3, prepare, previous: false)
        log.transaction(4, ["applyOps": [OplogWriter.inner("i", "d.a", ["_id": 1])]], previous: false)
        log.transaction(2, ["commitTransaction": 1, "commitTimestamp": .timestamp(1)], previous: true)
        log.transaction(3, ["abortTransaction": 1], previous: true)
        var inspection = try inspect(log)
        let id = try #require(inspection.prepared.keys.first)
        #expect(inspection.prepared.count == 1)
        #expect(try inspection.prepared[id] == ClusterTime(bits: #require(log.entries[0]["ts"]?.timestamp)))
        let (isForeign, isKnown) = (inspection.decide([1, 2, 3]), inspection.decide(id))
        #expect(!isForeign && isKnown && inspection.prepared.isEmpty)
    }
}
