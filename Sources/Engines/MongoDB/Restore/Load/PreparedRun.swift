import BSON

/// A run of whole documents, looked through once before it is sent.
struct PreparedRun: Sendable {
    /// The documents, one after the other.
    let bytes: [UInt8]
    /// CRC64 of the bytes.
    let crc: UInt64
    /// All documents.
    let checksum: DocumentChecksum
    /// Parts in order: documents that may be inserted as they are, and those that the server would change.
    let parts: [Part]

    /// Neighbouring documents that are written in the same way.
    struct Part: Sendable {
        var range: Range<Int>
        var hasZeroTimestamps: Bool
    }

    /// Looks through the documents.
    ///
    /// - Parameters:
    ///   - bytes: whole documents.
    ///   - sparesZeroTimestamps: whether the server has been told to leave zero timestamps alone.
    /// - Returns: what they come to, and how each has to be written.
    /// - Throws: `BSONError` when they aren't documents.
    @concurrent
    static func prepare(_ bytes: [UInt8], sparesZeroTimestamps: Bool) async throws(BSONError) -> PreparedRun {
        var checksum = DocumentChecksum()
        var parts: [Part] = []
        let span = bytes.span.bytes
        var documents = BSONDocumentSequence(span)
        var open = Part(range: 0..<0, hasZeroTimestamps: false)
        while let range = try documents.next() {
            checksum.add(span.extracting(range))
            let isZero = !sparesZeroTimestamps && DocumentTraits.hasZeroTimestamp(span, at: range.lowerBound)
            if isZero == open.hasZeroTimestamps {
                open.range = open.range.lowerBound..<range.upperBound
            } else {
                if !open.range.isEmpty { parts.append(open) }
                open = Part(range: range, hasZeroTimestamps: isZero)
            }
        }
        if !open.range.isEmpty { parts.append(open) }
        return PreparedRun(bytes: bytes, crc: CRC64(span).value, checksum: checksum, parts: parts)
    }

    /// Places of the documents in a part.
    func documents(in range: Range<Int>) throws(BSONError) -> [Range<Int>] {
        var places: [Range<Int>] = []
        var documents = BSONDocumentSequence(bytes.span.bytes.extracting(range))
        while let place = try documents.next() {
            places.append(range.lowerBound + place.lowerBound..<range.lowerBound + place.upperBound)
        }
        return places
    }
}
