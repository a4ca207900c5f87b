/// The table at a pack's end, which says what blobs are in it (restic design.rst, "Pack Format").
///
/// Entries are in file order without gaps, so offsets are not stored: they are sums of the lengths before.
enum PackHeader {
    /// Bytes of an entry without, and with, the plaintext's length.
    private static let plainEntry = 37
    private static let compressedEntry = 41
    /// Longest header a reader takes.
    static let longest = 16 << 20

    /// The entries' bytes, before sealing.
    static func encode(_ blobs: [IndexedBlob]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(blobs.count * compressedEntry)
        for blob in blobs {
            let isCompressed = blob.plainLength != 0
            bytes.append(blob.type.rawValue + (isCompressed ? 2 : 0))
            withUnsafeBytes(of: blob.length.littleEndian) { bytes.append(contentsOf: $0) }
            if isCompressed { withUnsafeBytes(of: blob.plainLength.littleEndian) { bytes.append(contentsOf: $0) } }
            withUnsafeBytes(of: blob.id) { bytes.append(contentsOf: $0) }
        }
        return bytes
    }

    /// Length of the sealed header with its length field: what the index's lengths plus this must add up to.
    static func sealedLength(_ blobs: [IndexedBlob]) -> Int {
        blobs.reduce(CryptoContext.overhead + 4) { $0 + ($1.plainLength != 0 ? compressedEntry : plainEntry) }
    }

    /// Bytes an entry of this blob adds to the header.
    static func entryLength(isCompressed: Bool) -> Int { isCompressed ? compressedEntry : plainEntry }

    /// Reads entries; nil when they make no sense.
    static func decode(_ bytes: [UInt8]) -> [IndexedBlob]? {
        var blobs: [IndexedBlob] = []
        var offset: UInt32 = 0
        let isSound = bytes.withUnsafeBytes { bytes in
            var position = 0
            while position < bytes.count {
                guard let base = bytes.baseAddress, let type = BlobType(rawValue: bytes[position] & 1),
                    bytes[position] < 4
                else { return false }
                let isCompressed = bytes[position] >= 2
                let size = entryLength(isCompressed: isCompressed)
                guard bytes.count - position >= size else { return false }
                let length = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position + 1, as: UInt32.self))
                let plain =
                    isCompressed
                    ? UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position + 5, as: UInt32.self)) : 0
                let id = ObjectID(loading: base + position + size - 32)
                guard length >= UInt32(CryptoContext.overhead) else { return false }
                blobs.append(IndexedBlob(id: id, type: type, offset: offset, length: length, plainLength: plain))
                let (end, overflowed) = offset.addingReportingOverflow(length)
                guard !overflowed else { return false }
                offset = end
                position += size
            }
            return true
        }
        return isSound ? blobs : nil
    }
}
