import BSON

/// The ranges of a shard key that a shard doesn't own, neighbours joined: what lies in them are orphans.
struct ForeignRanges: Sendable, Hashable {
    /// From `min` to below `max`; nil is the end of all keys.
    struct Range: Sendable, Hashable {
        var min: BSONDocument?
        var max: BSONDocument?
    }

    /// In the order of the keys.
    private(set) var ranges: [Range] = []

    /// Finds them; nil when the chunks leave a hole: the list is not whole.
    ///
    /// - Parameters:
    ///   - chunks: all chunks of a collection in the order of their keys, as `config.cache.chunks` has them.
    ///   - shard: whose ranges are left out.
    init?(_ chunks: [BSONDocument], besides shard: String) {
        var end: BSONDocument?
        for (index, chunk) in chunks.enumerated() {
            guard let min = chunk["_id"]?.document, let max = chunk["max"]?.document, let owner = chunk["shard"]?.string
            else { return nil }
            if index == 0 {
                guard min.elements.allSatisfy({ $0.value.type == .minKey }) else { return nil }
            } else if end != min {
                return nil
            }
            end = max
            if owner.isExactly(shard) { continue }
            if let last = ranges.last, last.max == min {
                ranges[ranges.count - 1].max = max
            } else {
                ranges.append(Range(min: index == 0 ? nil : min, max: max))
            }
        }
        guard let end, end.elements.allSatisfy({ $0.value.type == .maxKey }) else { return nil }
        // The greatest key itself belongs to the last chunk.
        if let last = ranges.last, last.max == end { ranges[ranges.count - 1].max = nil }
    }
}
