/// Walks an array of documents, like a reply's `firstBatch`, without copying them.
public struct BSONDocumentArray: ~Copyable, ~Escapable {
    @usableFromInline let bytes: RawSpan
    @usableFromInline var offset: Int
    @usableFromInline let end: Int

    /// Begins a walk over the array whose own bytes start at `start` of `bytes`.
    @inlinable
    @_lifetime(copy bytes)
    public init(_ bytes: RawSpan, at start: Int = 0) throws(BSONError) {
        let length = try BSONLayout.documentLength(bytes, at: start)
        self.bytes = bytes
        self.offset = start + 4
        self.end = start + length - 1
    }

    /// Goes on with a walk over the same array behind a document that ended at `place`.
    @inlinable
    public mutating func skip(to place: Int) throws(BSONError) {
        guard place >= offset, place <= end else {
            throw BSONError(.unexpectedValue, "a walk can't go on outside its array", offset: place)
        }
        offset = place
    }

    /// Place of the next document, or nil at the end; its own length and terminator have been checked.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func next() throws(BSONError) -> Range<Int>? {
        if offset == end { return nil }
        let type = bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
        guard type == BSONType.document.rawValue else {
            throw BSONError(.unexpectedValue, "a batch holds an element of type \(type)", offset: offset)
        }
        let keyEnd = try BSONLayout.endOfCString(bytes, from: offset + 1, limit: end)
        let length = try BSONLayout.nestedLength(bytes, at: keyEnd + 1, limit: end)
        offset = keyEnd + 1 + length
        return (keyEnd + 1)..<offset
    }
}

/// Walks documents that lie one after the other, like a `.bson` file.
public struct BSONDocumentSequence: ~Copyable, ~Escapable {
    @usableFromInline let bytes: RawSpan
    @usableFromInline var offset: Int

    /// Begins a walk at the start of `bytes`.
    @inlinable
    @_lifetime(copy bytes)
    public init(_ bytes: RawSpan) {
        self.bytes = bytes
        self.offset = 0
    }

    /// Place of the next document, or nil at the end of the bytes.
    ///
    /// - Throws: `BSONError` with code `.truncated` when the bytes end inside a document.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func next() throws(BSONError) -> Range<Int>? {
        if offset == bytes.byteCount { return nil }
        let start = offset
        offset = start + (try BSONLayout.documentLength(bytes, at: start))
        return start..<offset
    }
}

/// Questions about a document in place.
public enum BSONView {
    /// Place of the `_id` element from its type byte to the end of its value, or nil when there is none.
    ///
    /// Constant time for what comes from a server, which puts `_id` first; otherwise a walk of the top level.
    @inlinable
    public static func idElement(_ bytes: RawSpan, documentAt start: Int) throws(BSONError) -> BSONElement? {
        var elements = try BSONElements(bytes, at: start)
        while let element = try elements.next() {
            if element.key.count == 3,
                bytes.unsafeLoad(fromByteOffset: element.key.lowerBound, as: UInt8.self) == 0x5F,
                bytes.unsafeLoad(fromByteOffset: element.key.lowerBound + 1, as: UInt8.self) == 0x69,
                bytes.unsafeLoad(fromByteOffset: element.key.lowerBound + 2, as: UInt8.self) == 0x64
            {
                return element
            }
        }
        return nil
    }

    /// The first top-level element named `key` of the document at `start`, or nil.
    public static func element(
        _ key: String,
        _ bytes: RawSpan,
        documentAt start: Int = 0
    ) throws(BSONError) -> BSONElement? {
        var key = key
        let wanted = key.withUTF8 { [UInt8]($0) }
        var elements = try BSONElements(bytes, at: start)
        while let element = try elements.next() {
            if equals(bytes, element.key, wanted) { return element }
        }
        return nil
    }

    /// Whether the bytes at `range` are exactly `wanted`.
    @inlinable
    public static func equals(_ bytes: RawSpan, _ range: Range<Int>, _ wanted: [UInt8]) -> Bool {
        guard range.count == wanted.count else { return false }
        var offset = range.lowerBound
        for byte in wanted {
            if bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self) != byte { return false }
            offset += 1
        }
        return true
    }

    /// Checks a whole document with all that is nested in it.
    ///
    /// - Throws: `BSONError` on the first defect; also on bytes after the document's end.
    public static func validate(_ bytes: RawSpan) throws(BSONError) {
        let length = try BSONLayout.documentLength(bytes, at: 0)
        guard length == bytes.byteCount else {
            throw BSONError(.badTerminator, "\(bytes.byteCount - length) bytes follow the document", offset: length)
        }
        try validate(bytes, at: 0, depth: 0)
    }

    /// Servers allow 180 levels in storage; a little more is harmless, unbounded recursion isn't.
    private static let deepest = 250

    private static func validate(_ bytes: RawSpan, at start: Int, depth: Int) throws(BSONError) {
        guard depth <= deepest else {
            throw BSONError(.tooDeep, "documents are nested deeper than \(deepest) levels", offset: start)
        }
        var elements = try BSONElements(bytes, at: start)
        while let element = try elements.next() {
            switch element.type {
            case .document, .array:
                try validate(bytes, at: element.value.lowerBound, depth: depth + 1)
            case .javascriptWithScope:
                let code = try BSONLayout.stringLength(
                    bytes,
                    at: element.value.lowerBound + 4,
                    limit: element.value.upperBound
                )
                try validate(bytes, at: element.value.lowerBound + 4 + code, depth: depth + 1)
            default: break
            }
        }
    }
}
