import Synchronization

/// Where two neighbouring partitions of a collection meet: after the first strong document behind their boundary.
///
/// Both readers find that document on their own. Whoever comes first writes it down and the other must have found
/// the same; on a member that changes meanwhile they may not, and then the collection is read again in one piece.
final class DumpSeam: Sendable {
    /// What was found behind the boundary.
    enum Place: Sendable, Equatable {
        /// The document whose `_id` element has these bytes.
        case document([UInt8])
        /// The end of the collection.
        case end
    }

    private let place = Mutex<Place?>(nil)

    /// Says what this side has found.
    ///
    /// - Throws: `PartitionsDisagree` when the other side has found something else.
    func agree(_ found: Place) throws(PartitionsDisagree) {
        let isSame = place.withLock { known in
            guard let old = known else {
                known = found
                return true
            }
            return old == found
        }
        guard isSame else { throw PartitionsDisagree() }
    }
}

/// A collection changed under its readers so that their parts would not fit together.
struct PartitionsDisagree: Error {}
