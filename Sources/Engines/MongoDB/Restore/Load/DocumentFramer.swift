import BSON

/// Cuts a stream of chunks into runs of whole documents.
///
/// Chunks that Remora wrote end where a document ends and pass untouched; those of other tools are joined.
struct DocumentFramer {
    /// A document may be 16 MiB and a little more inside the server (oplog entries, buckets).
    static let largestDocument = 16 * 1024 * 1024 + 64 * 1024

    private var rest: [UInt8] = []
    private var offset: Int64 = 0

    /// Takes the next chunk and returns the whole documents that are complete by now, perhaps none.
    ///
    /// - Throws: `BSONError` when what should be a document's length can't be one; `offset` counts from the stream's
    ///   beginning.
    mutating func push(_ chunk: [UInt8]) throws(BSONError) -> [UInt8] {
        let bytes: [UInt8]
        if rest.isEmpty {
            bytes = chunk
        } else {
            rest.append(contentsOf: chunk)
            bytes = rest
            rest = []
        }
        let end = try Self.endOfLastWhole(bytes, at: offset)
        offset += Int64(end)
        if end == bytes.count { return bytes }
        rest = [UInt8](bytes[end...])
        return end == 0 ? [] : [UInt8](bytes[..<end])
    }

    /// Says that the stream has ended.
    ///
    /// - Throws: `BSONError` when it ended inside a document.
    func finish() throws(BSONError) {
        guard rest.isEmpty else {
            throw BSONError(
                .truncated,
                "the file ends inside a document, \(rest.count) bytes after its start",
                offset: Int(clamping: offset)
            )
        }
    }

    private static func endOfLastWhole(_ bytes: [UInt8], at start: Int64) throws(BSONError) -> Int {
        let span = bytes.span.bytes
        var position = 0
        while span.byteCount - position >= 4 {
            let length = Int(Int32(littleEndian: span.unsafeLoadUnaligned(fromByteOffset: position, as: Int32.self)))
            guard length >= 5, length <= largestDocument else {
                throw BSONError(
                    .badLength,
                    "a document claims \(length) bytes",
                    offset: Int(clamping: start + Int64(position))
                )
            }
            guard span.byteCount - position >= length else { break }
            guard span.unsafeLoad(fromByteOffset: position + length - 1, as: UInt8.self) == 0 else {
                throw BSONError(
                    .badTerminator,
                    "a document doesn't end with NUL",
                    offset: Int(clamping: start + Int64(position + length - 1))
                )
            }
            position += length
        }
        return position
    }
}
