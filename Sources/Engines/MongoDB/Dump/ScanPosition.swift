import BSON
import BackupModel

/// In which order a collection is read, and so what it is parted by and how a read that broke off is taken up again.
enum ScanOrder: Sendable, Hashable {
    /// By record ids, as the documents lie on the disk: the fastest.
    case records
    /// By the index on `_id`: where the server doesn't take record ids.
    ///
    /// Bounds are those of the index (`min` and `max`), so they hold for all types and follow the collection's
    /// collation; `$gte` and `$lt` would lose every type but the bound's own.
    case identifiers
    /// As the server likes, in one piece and never taken up again: capped collections, whose order matters, and
    /// collections without an index on `_id`, where the server doesn't take record ids.
    case natural

    /// How to read a collection when its record ids can't be had.
    init(withoutRecordsOf entry: CatalogEntry) {
        let isClustered = entry.isClustered || entry.type == "timeseries"
        let isIndexed = entry.indexes.contains { index in
            guard let key = index["key"]?.document else { return false }
            return key.keys == ["_id"] && key["_id"]?.number == 1
        }
        self = !entry.isCapped && (isClustered || isIndexed) ? .identifiers : .natural
    }
}

/// Where the next cursor of a partition's reader begins: pure, so that every step can be tested.
///
/// By `_id` a partition takes up to three cursors: up to its boundary; beyond it, to the first strong document;
/// and, if that comes to the end of the collection, one for `_id: MaxKey`, which no upper bound includes.
struct ScanPosition: Sendable {
    /// What the end of a cursor means.
    enum CursorEnd: Sendable, Hashable {
        /// The collection has no more documents.
        case collection
        /// The partition's boundary has been reached; more follows beyond it.
        case boundary
        /// Another cursor may have more.
        case more
    }

    private enum Stage: Sendable { case inside, beyond, maxKey }

    let order: ScanOrder
    private let start: PartitionBoundary?
    private let end: PartitionBoundary?
    private var stage = Stage.inside
    /// `{$recordId: …}` of the last record that was read.
    private var token: BSONDocument?
    /// `{_id: …}` of the last document that was read.
    private(set) var last: BSONDocument?
    /// Whether anything has been read.
    private(set) var hasBegun = false

    init(_ order: ScanOrder, start: PartitionBoundary?, end: PartitionBoundary?) {
        self.order = order
        self.start = start
        self.end = end
        if case .record(_, let token, _)? = start { self.token = token }
    }

    /// Notes that a batch has been read: the server's word for where it ended, and the `_id` element of its last document.
    mutating func pass(token: BSONDocument?, last identity: [UInt8]?) throws(BSONError) {
        hasBegun = true
        if let token, RecordPosition(token) != nil { self.token = token }
        guard let identity else { return }
        var writer = BSONWriter(capacity: identity.count + 8)
        writer.beginDocument()
        writer.append(rawElements: identity)
        writer.end()
        last = try BSONDocument(validating: writer.bytes)
    }

    /// Goes on to what follows a cursor that has no more documents.
    mutating func endCursor() -> CursorEnd {
        guard order == .identifiers else { return .collection }
        switch stage {
        case .inside where end != nil:
            stage = .beyond
            // The neighbour begins with the boundary, so what lies beyond it begins there too.
            last = nil
            return .boundary
        case .inside, .beyond:
            // Without a lower bound the cursor had all, `MaxKey` too.
            guard lowerBound != nil, last?["_id"] != .maxKey else { return .collection }
            stage = .maxKey
            return .more
        case .maxKey: return .collection
        }
    }

    /// The `_id` element of the document that the next cursor may begin with although it has been read.
    var passedOver: [UInt8]? {
        guard order == .identifiers, stage != .maxKey else { return nil }
        return last.map { Array($0.bytes.dropFirst(4).dropLast()) }
    }

    private var lowerBound: BSONDocument? {
        if let last { return last }
        guard case .identifier(let bound)? = stage == .beyond ? end : start else { return nil }
        return bound
    }

    /// The `find` that goes on from here, of now or of a point of history.
    func command(_ source: Namespace, batchSize: Int, at time: ClusterTime? = nil) -> BSONDocument {
        var fields: [(String, BSONValue)] = [("find", .string(source.collection))]
        switch order {
        case .records:
            fields += [("hint", ["$natural": 1]), ("$_requestResumeToken", true)]
            if let token { fields.append(("$_resumeAfter", .document(token))) }
        case .natural: fields.append(("hint", ["$natural": 1]))
        case .identifiers:
            if stage == .maxKey {
                fields.append(("filter", ["_id": .maxKey]))
            } else {
                if let lowerBound { fields.append(("min", .document(lowerBound))) }
                if stage == .inside, case .identifier(let bound)? = end { fields.append(("max", .document(bound))) }
            }
            fields.append(("hint", ["_id": 1]))
        }
        fields.append(("batchSize", .integer(batchSize)))
        if let time { fields.append(("readConcern", time.readConcern)) }
        return BSONDocument(fields)
    }
}
