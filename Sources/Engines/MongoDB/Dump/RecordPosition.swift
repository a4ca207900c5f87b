import BSON

/// A record id as the server orders records: an integer, or bytes in clustered collections and buckets.
enum RecordPosition: Sendable, Hashable, Comparable {
    case integer(Int64)
    case bytes([UInt8])

    /// Reads `$recordId` of a resume token or a document; nil for the token of an empty collection.
    init?(_ document: BSONDocument) {
        switch document["$recordId"] {
        case .int64(let value)?: self = .integer(value)
        case .binary(_, let value)?: self = .bytes(value)
        default: return nil
        }
    }

    static func < (left: RecordPosition, right: RecordPosition) -> Bool {
        switch (left, right) {
        case (.integer(let left), .integer(let right)): left < right
        case (.bytes(let left), .bytes(let right)): left.lexicographicallyPrecedes(right)
        case (.integer, .bytes): true
        case (.bytes, .integer): false
        }
    }
}

/// A place at which a collection is parted.
enum PartitionBoundary: Sendable, Hashable {
    /// A record: the reader before reads up to it, the next one begins behind it.
    ///
    /// `token` is `{$recordId: …}` as it goes back to the server, `identity` the `_id` element's type byte and value,
    /// to find the document in a batch.
    case record(RecordPosition, token: BSONDocument, identity: [UInt8])
    /// An `_id`, as `{_id: …}`: the reader before ends in front of it, the next one begins with it.
    case identifier(BSONDocument)
}
