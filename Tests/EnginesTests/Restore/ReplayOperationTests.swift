import BSON
import BackupModel
import Testing

@testable import Engines

@Suite("Oplog operations as they are sent")
struct ReplayOperationTests {
    @Test("an update that makes the document is no hole, one that needs it is; only the first says so to the server")
    func upserts() throws {
        let place = Namespace(database: "d", collection: "a")
        func touched(_ more: [(String, BSONValue)]) throws -> (touched: TouchedDocuments, sent: BSONDocument) {
            let entry = BSONDocument(
                [
                    ("ts", .timestamp(1 << 32 | 1)), ("op", "u"), ("ns", "d.a"), ("o", ["_id": 1, "n": 2]),
                    ("o2", ["_id": 1]),
                ] + more
            )
            let parsed = try OplogEntry(entry.bytes.span.bytes, at: 0).operation
            let operation = ReplayOperation(parsed, to: parsed.namespace)
            var touched = TouchedDocuments()
            try touched.note(operation)
            return (touched, try BSONDocument(validating: ReplayBatch.command([operation])))
        }
        let upsert = try touched([("b", .bool(true))])
        #expect(upsert.touched.holes(in: place) == 0 && upsert.touched.expected(in: place) == 1)
        #expect(upsert.sent["applyOps"]?.array?.first?.document?["b"]?.truth == true)
        let update = try touched([])
        #expect(update.touched.holes(in: place) == 1)
        #expect(update.sent["applyOps"]?.array?.first?.document?["b"] == nil)
    }

    @Test("a batch holds a thousand operations or fifteen megabytes, and one of any size")
    func batches() {
        func operation(_ size: Int) -> ReplayOperation {
            ReplayOperation(
                kind: .insert,
                namespace: Namespace(database: "d", collection: "a"),
                object: [UInt8](repeating: 0, count: size),
                time: ClusterTime(t: 1, i: 1)
            )
        }
        var batch = ReplayBatch()
        func takes(_ size: Int) -> Bool { batch.add(operation(size)) }
        for _ in 0..<1000 { #expect(takes(10)) }
        #expect(!takes(10))
        batch = ReplayBatch()
        #expect(takes(16 << 20))
        #expect(!takes(10))
        batch = ReplayBatch()
        #expect(takes(8 << 20))
        #expect(!takes(8 << 20))
    }
}
