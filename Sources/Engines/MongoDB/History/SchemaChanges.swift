import BSON
import BackupModel

/// Which changes of the schema make a read at one point of history wrong: pure.
///
/// Catalog and data are from different moments. The catalog is read over a while around the point, or at it; the data
/// is that of the point, found by the names of now. So within the span that has both, any change may be in one and not
/// in the other, and after it a name may stand for another collection, or for none (which the server answers with
/// nothing, not with an error; research: mongodb-live.md §4).
struct SchemaChanges: Sendable {
    /// Where both catalog and data are read: any change within it counts.
    ///
    /// The earlier end doesn't belong to it.
    private let span: (after: ClusterTime, through: ClusterTime)
    /// What was found, in words.
    private(set) var found: [String] = []

    /// Looks for changes after `after`; those beyond `through` count only when they take a name away.
    init(after: ClusterTime, through: ClusterTime) { span = (after, through) }

    /// The entries that have to be looked at, up to `end`.
    func filter(to end: ClusterTime) -> BSONDocument {
        [
            "ts": ["$gt": .timestamp(span.after.bits), "$lte": .timestamp(end.bits)],
            "$or": [["op": "c"], ["ns": .regex(pattern: #"\.system\.views$"#, options: "")]],
        ]
    }

    /// Looks at one entry.
    ///
    /// - Throws: `JobFailure` for an entry that nobody taught us to read.
    mutating func take(_ operation: OplogOperation) throws {
        guard operation.kind == .command else {
            if operation.namespace.collection == "system.views", operation.time <= span.through {
                found.append("a view was changed in \(operation.namespace.database) at \(operation.time)")
            }
            return
        }
        let command = try OplogCommand(operation)
        if case .operations(let operations) = command {
            for inner in try OplogCommand.unpack(operations.array, time: operation.time) { try take(inner) }
            return
        }
        let isWithin = operation.time <= span.through
        let change: String? =
            switch command {
            case .drop(let name): "\(name) was dropped"
            case .dropDatabase: "it was dropped"
            case .rename(let from, let to, _): "\(from) was renamed to \(to)"
            case .passed(let name, _): "\(name) was emptied or made capped"
            case .create(let name, _) where isWithin: "\(name) was created"
            case .modify(let name, _) where isWithin: "\(name) was modified"
            case .createIndexes(let name, _) where isWithin: "an index of \(name) was made"
            case .dropIndex(let name, _, _) where isWithin: "an index of \(name) was dropped"
            default: nil
            }
        if let change { found.append("\(change) in \(operation.namespace.database) at \(operation.time)") }
    }
}
