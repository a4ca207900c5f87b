/// A pack that blobs are appended to, in memory.
///
/// There is one for data and one for trees: the format forbids mixing them. Every task that stores shares them, so
/// the order of chunks in a pack is not the order of any file, and what is left at the end is one small pack, not many.
struct PackBuilder {
    let type: BlobType
    private(set) var bytes: [UInt8]
    private(set) var blobs: [IndexedBlob] = []

    /// Room beyond a pack's size for the chunk that fills it and for the header.
    static let slack = (4 << 20) + (64 << 10)

    /// Begins a pack in the memory of `storage`, which is taken away from there.
    ///
    /// Taken by exchange, not as a consumed argument: the optimizer keeps a second reference to that, and then the memory
    /// isn't ours alone and is left for fresh pages (seen with Swift 6.3.1).
    init(type: BlobType, storage: inout [UInt8], capacity: Int) {
        self.type = type
        bytes = []
        swap(&bytes, &storage)
        bytes.removeAll(keepingCapacity: true)
        bytes.reserveCapacity(capacity)
    }

    /// Most blobs in a pack: readers take headers of 16 MiB, and ten thousands of tiny blobs are a pack's worth of work.
    private static let mostBlobs = 60_000

    /// Whether the pack has its size, or as many blobs as a pack may have.
    func isFull(_ size: Int) -> Bool { bytes.count >= size || blobs.count >= Self.mostBlobs }

    /// Appends a sealed blob.
    mutating func append(_ sealed: UnsafeRawBufferPointer, id: BlobID, plainLength: Int?) {
        blobs.append(
            IndexedBlob(
                id: id,
                type: type,
                offset: UInt32(bytes.count),
                length: UInt32(sealed.count),
                plainLength: UInt32(plainLength ?? 0)
            )
        )
        bytes.append(contentsOf: sealed)
    }

    /// Appends the header and names the pack by its hash: CPU work for the task that filled it, outside any lock.
    consuming func finish(_ context: CryptoContext) throws -> FinishedPack {
        let header = try PackHeader.encode(blobs).withUnsafeBytes { try context.seal($0) }
        bytes += header
        withUnsafeBytes(of: UInt32(header.count).littleEndian) { bytes.append(contentsOf: $0) }
        let id = try bytes.withUnsafeBytes { try context.sha256($0) }
        return FinishedPack(index: IndexedPack(id: id, blobs: blobs), bytes: bytes)
    }
}

/// A pack ready to be stored.
struct FinishedPack: Sendable {
    var index: IndexedPack
    var bytes: [UInt8]
}
