/// A document that owns its bytes, checked to the last level when it was made.
///
/// For commands, replies and metadata. Documents on their way through a backup stay in the buffers they came in.
public struct BSONDocument: Sendable, Hashable {
    /// The document's bytes, from its length to its NUL.
    public let bytes: [UInt8]

    /// Takes bytes from outside.
    ///
    /// - Throws: `BSONError` on the first defect at any depth.
    public init(validating bytes: [UInt8]) throws(BSONError) {
        try BSONView.validate(bytes.span.bytes)
        self.bytes = bytes
    }

    /// Copies the document at `range` of `span`.
    public init(copying span: RawSpan, _ range: Range<Int>) throws(BSONError) {
        try self.init(validating: BSONDocument.copy(span, range))
    }

    /// Elements in this order.
    public init(_ elements: [(String, BSONValue)]) {
        var writer = BSONWriter()
        writer.beginDocument()
        for (key, value) in elements { writer.append(key, value) }
        writer.end()
        bytes = writer.bytes
    }

    init(trusted bytes: [UInt8]) { self.bytes = bytes }

    /// The bytes at `range`, copied.
    public static func copy(_ span: RawSpan, _ range: Range<Int>) -> [UInt8] {
        span.extracting(range).withUnsafeBytes { [UInt8]($0) }
    }

    /// Whether it has no elements.
    public var isEmpty: Bool { bytes.count == 5 }

    /// All elements in order.
    ///
    /// Complexity: O(n) in the document's bytes.
    public var elements: [(key: String, value: BSONValue)] {
        var result: [(key: String, value: BSONValue)] = []
        forEach { element in
            result.append((text(element.key), value(element)))
            return true
        }
        return result
    }

    /// The keys in order.
    public var keys: [String] {
        var result: [String] = []
        forEach { element in
            result.append(text(element.key))
            return true
        }
        return result
    }

    /// The first value under `key`.
    ///
    /// Complexity: O(n) in the number of elements.
    public subscript(_ key: String) -> BSONValue? {
        let wanted = [UInt8](key.utf8)
        var found: BSONValue?
        forEach { element in
            guard BSONView.equals(bytes.span.bytes, element.key, wanted) else { return true }
            found = value(element)
            return false
        }
        return found
    }

    /// The value at a path of keys through nested documents.
    public subscript(path path: String...) -> BSONValue? {
        var document = self
        for key in path.dropLast() {
            guard let next = document[key]?.document else { return nil }
            document = next
        }
        return path.last.flatMap { document[$0] }
    }

    /// A copy with this element appended.
    public func appending(_ key: String, _ value: BSONValue) -> BSONDocument {
        var writer = BSONWriter(capacity: bytes.count + 64)
        writer.beginDocument()
        writer.append(rawElements: bytes.dropFirst(4).dropLast())
        writer.append(key, value)
        writer.end()
        return BSONDocument(trusted: writer.bytes)
    }

    /// Places of the top-level elements in `bytes`, in order.
    public var places: [BSONElement] {
        var result: [BSONElement] = []
        forEach { element in
            result.append(element)
            return true
        }
        return result
    }

    /// Calls `body` until it returns false.
    ///
    /// The bytes were checked when the document was made, so no walk fails.
    private func forEach(_ body: (BSONElement) -> Bool) {
        do throws(BSONError) {
            var elements = try BSONElements(bytes.span.bytes)
            while let element = try elements.next() {
                guard body(element) else { return }
            }
        } catch {
            // Every initializer validates or builds the bytes, so there is nothing that could be thrown here.
            assertionFailure("a checked document is malformed: \(error)")
        }
    }

    private func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    private func value(_ element: BSONElement) -> BSONValue {
        BSONDecoder.value(element.type, bytes[element.value])
    }
}

extension BSONDocument: ExpressibleByDictionaryLiteral {
    /// Elements in the order written.
    public init(dictionaryLiteral elements: (String, BSONValue)...) { self.init(elements) }
}

extension BSONDocument: CustomStringConvertible {
    /// Canonical extended JSON.
    public var description: String { ExtendedJSON.canonical(self) }
}

/// Turns the bytes of one checked value into a `BSONValue`.
enum BSONDecoder {
    static func value(_ type: BSONType, _ bytes: ArraySlice<UInt8>) -> BSONValue {
        switch type {
        case .double: .double(Double(bitPattern: integer(bytes)))
        case .string: .string(string(bytes))
        case .document: .document(BSONDocument(trusted: [UInt8](bytes)))
        case .array: .array(BSONDocument(trusted: [UInt8](bytes)).elements.map(\.value))
        case .binary:
            .binary(subtype: bytes[bytes.startIndex + 4], bytes: [UInt8](bytes.dropFirst(5)))
        case .undefined: .undefined
        case .objectID: objectID(bytes).map(BSONValue.objectID) ?? .null
        case .bool: .bool(bytes.first != 0)
        case .date: .date(Int64(bitPattern: integer(bytes)))
        case .null: .null
        case .regex: regex(bytes)
        case .dbPointer:
            objectID(bytes.suffix(12)).map { .dbPointer(namespace: string(bytes.dropLast(12)), id: $0) } ?? .null
        case .javascript: .javascript(string(bytes))
        case .symbol: .symbol(string(bytes))
        case .javascriptWithScope: scopedCode(bytes.dropFirst(4))
        case .int32: .int32(Int32(truncatingIfNeeded: Int64(bitPattern: integer(bytes))))
        case .timestamp: .timestamp(integer(bytes))
        case .int64: .int64(Int64(bitPattern: integer(bytes)))
        case .decimal128:
            .decimal128(BSONDecimal128(low: integer(bytes.prefix(8)), high: integer(bytes.dropFirst(8))))
        case .minKey: .minKey
        case .maxKey: .maxKey
        }
    }

    /// Up to eight little-endian bytes.
    private static func integer(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        var result: UInt64 = 0
        for byte in bytes.prefix(8).reversed() { result = result << 8 | UInt64(byte) }
        return result
    }

    private static func string(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: bytes.dropFirst(4).dropLast(), as: UTF8.self)
    }

    private static func objectID(_ bytes: ArraySlice<UInt8>) -> BSONObjectID? { BSONObjectID(bytes) }

    private static func regex(_ bytes: ArraySlice<UInt8>) -> BSONValue {
        let parts = bytes.split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
        return .regex(
            pattern: String(decoding: parts.first ?? [], as: UTF8.self),
            options: String(decoding: parts.dropFirst().first ?? [], as: UTF8.self)
        )
    }

    private static func scopedCode(_ bytes: ArraySlice<UInt8>) -> BSONValue {
        let length = Int(integer(bytes.prefix(4)))
        let code = bytes.prefix(4 + length)
        return .javascriptWithScope(
            string(code),
            scope: BSONDocument(trusted: [UInt8](bytes.dropFirst(4 + length)))
        )
    }
}
