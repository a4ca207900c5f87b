/// Where blobs are: id → pack, offset, lengths, in about 56 bytes a blob.
///
/// Entries lie in segments that never move (48 bytes each); an open-addressing table of 32-bit entry numbers
/// finds them. At most 2^32 - 2 blobs.
struct BlobIndex: Sendable {
    /// One blob's place.
    struct Entry: Sendable {
        var id: BlobID
        var pack: UInt32
        var offset: UInt32
        /// Length in the pack.
        var length: UInt32
        /// Length of the plaintext when the blob is compressed, otherwise 0.
        var plainLength: UInt32
    }

    private static let segmentBits = 12
    private static let segmentSize = 1 << segmentBits

    private var segments: [[Entry]] = []
    /// Number of entries.
    private(set) var count = 0
    // 0 = free, otherwise entry number + 1.
    private var slots = [UInt32](repeating: 0, count: 1024)

    /// Bytes that the tables hold.
    var memory: Int { segments.count * Self.segmentSize * MemoryLayout<Entry>.stride + slots.count * 4 }

    /// The entry at a number below `count`.
    subscript(number: Int) -> Entry {
        @inline(__always) get { segments[number >> Self.segmentBits][number & (Self.segmentSize - 1)] }
    }

    /// The blob's place, or nil.
    func find(_ id: BlobID) -> Entry? {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: id.word0) & mask
        while true {
            let number = slots[slot]
            if number == 0 { return nil }
            let entry = self[Int(number) - 1]
            if entry.id == id { return entry }
            slot = (slot + 1) & mask
        }
    }

    /// Adds a blob; the first place of a blob wins.
    ///
    /// - Returns: whether it was new.
    @discardableResult
    mutating func insert(_ entry: Entry) -> Bool {
        if (count + 1) * 4 > slots.count * 3 { grow() }
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: entry.id.word0) & mask
        while slots[slot] != 0 {
            if self[Int(slots[slot]) - 1].id == entry.id { return false }
            slot = (slot + 1) & mask
        }
        if count & (Self.segmentSize - 1) == 0 {
            var segment: [Entry] = []
            segment.reserveCapacity(Self.segmentSize)
            segments.append(segment)
        }
        segments[segments.count - 1].append(entry)
        count += 1
        slots[slot] = UInt32(count)
        return true
    }

    private mutating func grow() {
        let size = slots.count * 2
        var larger = [UInt32](repeating: 0, count: size)
        let mask = size - 1
        for number in 0..<count {
            var slot = Int(truncatingIfNeeded: self[number].id.word0) & mask
            while larger[slot] != 0 { slot = (slot + 1) & mask }
            larger[slot] = UInt32(number + 1)
        }
        slots = larger
    }
}

/// A blob's place, for reading it.
struct BlobLocation: Sendable, Equatable {
    var id: BlobID
    var type: BlobType
    var pack: PackID
    var offset: Int
    var length: Int
    /// Length of the plaintext when the blob is compressed, otherwise nil.
    var plainLength: Int?
    /// Where the last blob of the pack ends.
    var packEnd: Int

    /// Length of the plaintext.
    var size: Int { plainLength ?? max(0, length - CryptoContext.overhead) }
    /// Where the blob's bytes are in its pack.
    var range: Range<Int> { offset..<offset + length }
}

/// The index of a whole repository: a table for data blobs, another for trees, and the packs that hold them.
struct RepositoryIndex: Sendable {
    private(set) var data = BlobIndex()
    private(set) var trees = BlobIndex()
    private(set) var packs: [PackID] = []
    /// Where the last blob of each pack ends.
    private var packEnds: [UInt32] = []
    /// Index files that are in the tables.
    private(set) var files: Set<ObjectID> = []

    /// Bytes that the tables hold.
    var memory: Int { data.memory + trees.memory + packs.capacity * 36 }

    /// The blob's place, or nil.
    func find(_ id: BlobID, _ type: BlobType) -> BlobLocation? {
        guard let entry = type == .data ? data.find(id) : trees.find(id) else { return nil }
        return BlobLocation(
            id: id,
            type: type,
            pack: packs[Int(entry.pack)],
            offset: Int(entry.offset),
            length: Int(entry.length),
            plainLength: entry.plainLength == 0 ? nil : Int(entry.plainLength),
            packEnd: Int(packEnds[Int(entry.pack)])
        )
    }

    /// Whether the blob is stored and indexed.
    func contains(_ id: BlobID, _ type: BlobType) -> Bool {
        (type == .data ? data.find(id) : trees.find(id)) != nil
    }

    /// Adds what an index file holds, once.
    mutating func add(file: ObjectID, _ packs: [IndexedPack]) {
        guard files.insert(file).inserted else { return }
        for pack in packs { add(pack) }
    }

    /// Adds a pack with its blobs.
    private mutating func add(_ pack: IndexedPack) {
        let number = UInt32(packs.count)
        packs.append(pack.id)
        packEnds.append(pack.blobs.reduce(0) { max($0, $1.offset &+ $1.length) })
        for blob in pack.blobs {
            let entry = BlobIndex.Entry(
                id: blob.id,
                pack: number,
                offset: blob.offset,
                length: blob.length,
                plainLength: blob.plainLength
            )
            if blob.type == .data { data.insert(entry) } else { trees.insert(entry) }
        }
    }
}

/// A pack as an index file describes it.
struct IndexedPack: Sendable, Equatable {
    var id: PackID
    var blobs: [IndexedBlob]
}

/// A blob as an index file or a pack's header describes it.
struct IndexedBlob: Sendable, Equatable {
    var id: BlobID
    var type: BlobType
    var offset: UInt32
    var length: UInt32
    /// Length of the plaintext when the blob is compressed, otherwise 0.
    var plainLength: UInt32
}
