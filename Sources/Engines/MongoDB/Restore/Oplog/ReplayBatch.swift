import BSON

/// Operations that go to the server in one `applyOps`.
struct ReplayBatch: Sendable {
    /// More per command gain nothing (mongodb-live §7: 1 000 → 87 k/s, 5 000 → 94 k/s).
    static let mostOperations = 1000
    /// The command is a document itself, which may have 16 MiB.
    static let mostBytes = 15 * 1024 * 1024

    /// In the oplog's order.
    private(set) var operations: [ReplayOperation] = []
    private var bytes = 0

    /// Whether there is nothing in it.
    var isEmpty: Bool { operations.isEmpty }

    /// Adds an operation if it still fits; the first always does.
    mutating func add(_ operation: ReplayOperation) -> Bool {
        let size = operation.encodedBound
        guard operations.isEmpty || (operations.count < Self.mostOperations && bytes + size <= Self.mostBytes) else {
            return false
        }
        operations.append(operation)
        bytes += size
        return true
    }

    /// The operations as `applyOps`.
    static func command(_ operations: some Collection<ReplayOperation>) -> [UInt8] {
        var writer = BSONWriter(capacity: operations.reduce(64) { $0 + $1.encodedBound + 16 })
        writer.beginDocument()
        writer.begin("applyOps", array: true)
        for (index, operation) in operations.enumerated() { operation.append(to: &writer, at: index) }
        writer.end()
        writer.end()
        return writer.bytes
    }
}
