import BSON
import BackupModel

/// What is known of an oplog after reading it once, before any of it is applied.
struct OplogScan: Sendable {
    /// Entries, those without meaning included.
    private(set) var entries: Int64 = 0
    /// Bytes of all entries.
    private(set) var bytes: Int64 = 0
    /// Time of the first entry.
    private(set) var first: ClusterTime?
    /// Time of the last entry.
    private(set) var last: ClusterTime?
    /// What became of transactions.
    private(set) var ledger: TransactionLedger
    /// The point to which it is applied; nil applies all.
    let cut: ClusterTime?
    /// When each collection was last dropped, by UUID.
    private var drops: [[UInt8]: ClusterTime] = [:]
    /// When a collection of this name was last dropped or renamed away.
    private var namedDrops: [Namespace: ClusterTime] = [:]
    /// When a collection was last created (or renamed to that name), by UUID and by name.
    private var creations: [[UInt8]: ClusterTime] = [:]
    private var namedCreations: [Namespace: ClusterTime] = [:]
    /// Where each collection was renamed to, by UUID, in this order.
    private(set) var destinations: [[UInt8]: [Namespace]] = [:]
    /// When a database was last dropped.
    private var databaseDrops: [String: ClusterTime] = [:]

    /// Begins a scan.
    ///
    /// - Parameter cut: Entries behind it don't count, except as the end of a transaction that was committed by then.
    init(cut: ClusterTime? = nil) {
        self.cut = cut
        ledger = TransactionLedger(cut: cut)
    }

    /// Whether an entry of this time had happened at the cut.
    func isInside(_ time: ClusterTime) -> Bool { cut.map { time <= $0 } ?? true }

    /// Takes the next entry.
    ///
    /// - Throws: `RestoreFailure` when entries are out of order, or one can't be understood: before anything is written.
    mutating func take(_ bytes: RawSpan, at place: Range<Int>) throws {
        let entry = try OplogEntry(bytes, at: place.lowerBound)
        let operation = entry.operation
        if let last, operation.time < last {
            throw RestoreFailure.badOplog("its entries are out of order: \(operation.time) follows \(last)")
        }
        entries += 1
        self.bytes += Int64(place.count)
        first = first ?? operation.time
        last = operation.time
        guard operation.kind == .command else { return }
        let command = try OplogCommand(operation)
        guard isInside(operation.time) else {
            // A commit's entry may lie behind the cut, and its commit timestamp before it.
            if case .commitTransaction = command { try ledger.note(entry, command) }
            return
        }
        try ledger.note(entry, command)
        if case .operations(let operations) = command {
            for inner in try OplogCommand.unpack(operations.array, time: operation.time) where inner.kind == .command {
                note(inner, try OplogCommand(inner))
            }
        } else {
            note(operation, command)
        }
    }

    private mutating func note(_ operation: OplogOperation, _ command: OplogCommand) {
        let database = operation.namespace.database
        switch command {
        case .create(let name, _):
            namedCreations[Namespace(database: database, collection: name)] = operation.time
            if let uuid = operation.uuid { creations[uuid] = operation.time }
        case .drop(let name):
            namedDrops[Namespace(database: database, collection: name)] = operation.time
            if let uuid = operation.uuid { drops[uuid] = operation.time }
        case .dropDatabase:
            databaseDrops[database] = operation.time
        case .rename(let from, let to, let dropsTarget):
            namedDrops[from] = operation.time
            namedCreations[to] = operation.time
            if let uuid = operation.uuid { destinations[uuid, default: []].append(to) }
            if dropsTarget {
                namedDrops[to] = operation.time
                if let uuid = Self.droppedUUID(operation) { drops[uuid] = operation.time }
            }
        default: break
        }
    }

    /// The UUID in a renameCollection's `dropTarget`.
    static func droppedUUID(_ operation: OplogOperation) -> [UInt8]? {
        // What was scanned is valid: `OplogCommand` has validated the same bytes before.
        guard let document = try? BSONDocument(validating: operation.object),
            case .binary(_, let bytes)? = document["dropTarget"], bytes.count == 16
        else { return nil }
        return bytes
    }

    /// Whether the collection goes after `time`, so that what is written to it until then doesn't matter.
    func isDropped(uuid: [UInt8]?, _ name: Namespace, after time: ClusterTime) -> Bool {
        if let uuid, let drop = drops[uuid], drop >= time { return true }
        if let drop = namedDrops[name], drop >= time { return true }
        if let drop = databaseDrops[name.database], drop >= time { return true }
        return false
    }

    /// Whether the collection comes into being after `time`.
    func isCreated(uuid: [UInt8]?, _ name: Namespace, after time: ClusterTime) -> Bool {
        if let uuid { return creations[uuid].map { $0 > time } ?? false }
        return namedCreations[name].map { $0 > time } ?? false
    }
}
