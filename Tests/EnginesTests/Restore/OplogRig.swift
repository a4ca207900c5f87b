import BSON
import BackupModel
import TestSupport
import Testing

@testable import Engines

/// Hand-made oplog entries.
struct OplogWriter {
    private(set) var entries: [BSONDocument] = []
    private var second: UInt64 = 1_700_000_000

    private mutating func time() -> BSONValue {
        second += 1
        return .timestamp(second << 32 | 1)
    }

    mutating func add(_ elements: [(String, BSONValue)]) {
        entries.append(BSONDocument([("ts", time()), ("t", .int64(1)), ("v", .int64(2))] + elements))
    }

    mutating func insert(_ namespace: String, _ document: BSONDocument, ui: [UInt8]? = nil) {
        add(Self.operation("i", namespace, document, ui: ui))
    }

    mutating func update(_ namespace: String, _ id: BSONValue, _ change: BSONDocument, ui: [UInt8]? = nil) {
        add(Self.operation("u", namespace, change, key: ["_id": id], ui: ui))
    }

    mutating func delete(_ namespace: String, _ id: BSONValue, ui: [UInt8]? = nil) {
        add(Self.operation("d", namespace, ["_id": id], ui: ui))
    }

    mutating func command(_ database: String, _ command: BSONDocument, ui: [UInt8]? = nil) {
        add(Self.operation("c", "\(database).$cmd", command, ui: ui))
    }

    /// Time of the last entry.
    func last() throws -> ClusterTime { ClusterTime(bits: try #require(entries.last?["ts"]?.timestamp)) }

    mutating func note() { add([("op", "n"), ("ns", ""), ("o", ["msg": "periodic noop"])]) }

    /// One entry of a transaction.
    mutating func transaction(_ number: Int64, _ command: BSONDocument, previous: Bool) {
        add(
            [
                ("lsid", ["id": .binary(subtype: 4, bytes: Array(repeating: 7, count: 16))]),
                ("txnNumber", .int64(number)),
            ]
                + Self.operation("c", "admin.$cmd", command) + [
                    ("prevOpTime", ["ts": .timestamp(previous ? second << 32 | 1 : 0), "t": .int64(previous ? 1 : -1)])
                ]
        )
    }

    static func operation(
        _ kind: String,
        _ namespace: String,
        _ object: BSONDocument,
        key: BSONDocument? = nil,
        ui: [UInt8]? = nil
    ) -> [(String, BSONValue)] {
        var elements: [(String, BSONValue)] = [("op", .string(kind)), ("ns", .string(namespace))]
        if let ui { elements.append(("ui", .binary(subtype: 4, bytes: ui))) }
        elements.append(("o", .document(object)))
        if let key { elements.append(("o2", .document(key))) }
        return elements
    }

    static func inner(_ kind: String, _ namespace: String, _ object: BSONDocument, key: BSONDocument? = nil)
        -> BSONValue
    {
        .document(BSONDocument(operation(kind, namespace, object, key: key)))
    }
}
