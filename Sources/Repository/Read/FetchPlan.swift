/// How the chunks of a part of a file are fetched: in few requests, without downloading much that nobody wants.
///
/// Chunks of a file lie mostly in consecutive packs, in order, but interleaved with those of files that were stored at the
/// same time. So: a pack of which a third or more is wanted is fetched whole, once for all readers; from others, ranges
/// that lie close together are one request.
struct FetchPlan {
    /// One request.
    struct Extent: Equatable {
        var pack: PackID
        /// The part of the pack; nil for the whole pack, which readers share.
        var range: Range<Int>?
        /// Chunks that it holds.
        var chunks: Int
    }

    /// Where the chunks are.
    var locations: [BlobLocation]
    /// The extent that holds the chunk of the same number.
    var extentOfChunk: [Int]
    var extents: [Extent]

    /// Ranges closer than this are fetched in one request: it costs less than another round trip.
    static let gap = 128 << 10
    /// Largest range of one request.
    static let longest = 8 << 20
    /// Packs above this size are never fetched whole: other tools may make packs of 128 MiB.
    static let largestWholePack = 24 << 20

    init(_ locations: [BlobLocation]) {
        self.locations = locations
        extentOfChunk = [Int](repeating: 0, count: locations.count)
        extents = []
        // Same pack together, packs in the order of their first use.
        var chunksOfPack: [PackID: [Int]] = [:]
        var order: [PackID] = []
        for (number, location) in locations.enumerated() {
            if chunksOfPack[location.pack] == nil { order.append(location.pack) }
            chunksOfPack[location.pack, default: []].append(number)
        }
        for pack in order { add(pack, chunksOfPack[pack] ?? []) }
    }

    private mutating func add(_ pack: PackID, _ chunks: [Int]) {
        guard let first = chunks.first else { return }
        let end = locations[first].packEnd
        let distinct = Dictionary(chunks.map { (locations[$0].offset, locations[$0].length) }) { first, _ in first }
        let wanted = distinct.values.reduce(0, +)
        if wanted * 3 >= end, end <= Self.largestWholePack {
            for chunk in chunks { extentOfChunk[chunk] = extents.count }
            extents.append(Extent(pack: pack, range: nil, chunks: chunks.count))
            return
        }
        var current: Extent?
        for chunk in chunks.sorted(by: { locations[$0].offset < locations[$1].offset }) {
            let range = locations[chunk].range
            if var open = current, let covered = open.range, range.lowerBound - covered.upperBound <= Self.gap,
                max(covered.upperBound, range.upperBound) - covered.lowerBound <= Self.longest
            {
                open.range = covered.lowerBound..<max(covered.upperBound, range.upperBound)
                open.chunks += 1
                current = open
            } else {
                if let current { extents.append(current) }
                current = Extent(pack: pack, range: range, chunks: 1)
            }
            extentOfChunk[chunk] = extents.count
        }
        if let current { extents.append(current) }
    }
}
