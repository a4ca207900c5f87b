/// Where one element of a document lies: its type and the places of its key and value.
///
/// Offsets count from the start of the span that was walked. Nothing is copied.
public struct BSONElement: Sendable, Hashable {
    /// The type byte.
    public var type: BSONType
    /// The key's bytes, without the NUL that ends it.
    public var key: Range<Int>
    /// The value's bytes, with the lengths and terminators that belong to it.
    public var value: Range<Int>

    @inlinable
    init(type: BSONType, key: Range<Int>, value: Range<Int>) {
        self.type = type
        self.key = key
        self.value = value
    }
}

/// Walks the top level of one document, checking every length against the document's own.
///
/// Hostile bytes throw; they never read outside of the span. Nested documents are framed, not entered.
public struct BSONElements: ~Copyable, ~Escapable {
    @usableFromInline let bytes: RawSpan
    @usableFromInline var offset: Int
    /// Offset of the document's final NUL.
    @usableFromInline let end: Int

    /// Begins a walk over the document that starts at `start` of `bytes`; more may follow after it.
    ///
    /// - Throws: `BSONError` when the document's own length or terminator is wrong.
    @inlinable
    @_lifetime(copy bytes)
    public init(_ bytes: RawSpan, at start: Int = 0) throws(BSONError) {
        let length = try BSONLayout.documentLength(bytes, at: start)
        self.bytes = bytes
        self.offset = start + 4
        self.end = start + length - 1
    }

    /// The next element, or nil at the end of the document.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func next() throws(BSONError) -> BSONElement? {
        if offset == end { return nil }
        let typeByte = bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
        guard let type = BSONType(rawValue: typeByte) else {
            throw BSONError(.unknownType, "unknown element type \(typeByte)", offset: offset)
        }
        let keyStart = offset + 1
        let keyEnd = try BSONLayout.endOfCString(bytes, from: keyStart, limit: end)
        let valueStart = keyEnd + 1
        let length = try BSONLayout.valueLength(type, bytes, at: valueStart, limit: end)
        offset = valueStart + length
        return BSONElement(type: type, key: keyStart..<keyEnd, value: valueStart..<offset)
    }
}

/// Lengths of things, each checked against the bytes that are there.
@usableFromInline
enum BSONLayout {
    /// The smallest document: length and terminator.
    @usableFromInline static let minimumDocument = 5

    /// Length of the document that starts at `start`, whose last byte is seen to be NUL.
    @inlinable
    static func documentLength(_ bytes: RawSpan, at start: Int) throws(BSONError) -> Int {
        guard start >= 0, bytes.byteCount - start >= minimumDocument else {
            throw BSONError(.truncated, "no room for a document", offset: start)
        }
        let length = Int(Int32(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: start, as: Int32.self)))
        guard length >= minimumDocument else {
            throw BSONError(.badLength, "a document claims \(length) bytes", offset: start)
        }
        guard length <= bytes.byteCount - start else {
            throw BSONError(
                .truncated,
                "a document claims \(length) bytes where \(bytes.byteCount - start) are left",
                offset: start
            )
        }
        guard bytes.unsafeLoad(fromByteOffset: start + length - 1, as: UInt8.self) == 0 else {
            throw BSONError(.badTerminator, "a document doesn't end with NUL", offset: start + length - 1)
        }
        return length
    }

    /// Offset of the NUL that ends the string from `start`, which must lie before `limit`.
    @inlinable
    static func endOfCString(_ bytes: RawSpan, from start: Int, limit: Int) throws(BSONError) -> Int {
        var offset = start
        while offset < limit {
            if bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self) == 0 { return offset }
            offset += 1
        }
        throw BSONError(.badTerminator, "a name has no end", offset: start)
    }

    @inlinable
    static func int32(_ bytes: RawSpan, at offset: Int, limit: Int) throws(BSONError) -> Int {
        guard limit - offset >= 4 else { throw BSONError(.truncated, "no room for a length", offset: offset) }
        return Int(Int32(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: Int32.self)))
    }

    /// Length of a value of `type` at `offset`; it ends at or before `limit`.
    @inlinable
    static func valueLength(
        _ type: BSONType,
        _ bytes: RawSpan,
        at offset: Int,
        limit: Int
    ) throws(BSONError) -> Int {
        let length: Int
        switch type {
        case .undefined, .null, .minKey, .maxKey: length = 0
        case .bool: length = 1
        case .int32: length = 4
        case .double, .date, .timestamp, .int64: length = 8
        case .objectID: length = 12
        case .decimal128: length = 16
        case .string, .javascript, .symbol:
            length = try stringLength(bytes, at: offset, limit: limit)
        case .document, .array:
            length = try nestedLength(bytes, at: offset, limit: limit)
        case .binary:
            length = try binaryLength(bytes, at: offset, limit: limit)
        case .regex:
            let pattern = try endOfCString(bytes, from: offset, limit: limit)
            length = try endOfCString(bytes, from: pattern + 1, limit: limit) + 1 - offset
        case .dbPointer:
            length = try stringLength(bytes, at: offset, limit: limit) + 12
        case .javascriptWithScope:
            length = try scopedCodeLength(bytes, at: offset, limit: limit)
        }
        guard length <= limit - offset else {
            throw BSONError(.truncated, "a value of \(length) bytes leaves its document", offset: offset)
        }
        return length
    }

    @usableFromInline
    static func stringLength(_ bytes: RawSpan, at offset: Int, limit: Int) throws(BSONError) -> Int {
        let length = try int32(bytes, at: offset, limit: limit)
        guard length >= 1, length <= limit - offset - 4 else {
            throw BSONError(.badLength, "a string claims \(length) bytes", offset: offset)
        }
        guard bytes.unsafeLoad(fromByteOffset: offset + 4 + length - 1, as: UInt8.self) == 0 else {
            throw BSONError(.badTerminator, "a string doesn't end with NUL", offset: offset)
        }
        return length + 4
    }

    @usableFromInline
    static func nestedLength(_ bytes: RawSpan, at offset: Int, limit: Int) throws(BSONError) -> Int {
        let length = try int32(bytes, at: offset, limit: limit)
        guard length >= minimumDocument, length <= limit - offset else {
            throw BSONError(.badLength, "a nested document claims \(length) bytes", offset: offset)
        }
        guard bytes.unsafeLoad(fromByteOffset: offset + length - 1, as: UInt8.self) == 0 else {
            throw BSONError(.badTerminator, "a nested document doesn't end with NUL", offset: offset)
        }
        return length
    }

    @usableFromInline
    static func binaryLength(_ bytes: RawSpan, at offset: Int, limit: Int) throws(BSONError) -> Int {
        let length = try int32(bytes, at: offset, limit: limit)
        guard length >= 0, length <= limit - offset - 5 else {
            throw BSONError(.badLength, "a binary value claims \(length) bytes", offset: offset)
        }
        return length + 5
    }

    /// Total length, string, scope: each must fill exactly what the total says.
    @usableFromInline
    static func scopedCodeLength(_ bytes: RawSpan, at offset: Int, limit: Int) throws(BSONError) -> Int {
        let length = try int32(bytes, at: offset, limit: limit)
        guard length >= 14, length <= limit - offset else {
            throw BSONError(.badLength, "code with scope claims \(length) bytes", offset: offset)
        }
        let code = try stringLength(bytes, at: offset + 4, limit: offset + length)
        let scope = try nestedLength(bytes, at: offset + 4 + code, limit: offset + length)
        guard 4 + code + scope == length else {
            throw BSONError(.badLength, "code with scope doesn't fill its \(length) bytes", offset: offset)
        }
        return length
    }
}
