/// Builds BSON bytes front to back; lengths are filled in when a document is closed.
public struct BSONWriter: Sendable {
    /// What has been written so far.
    public private(set) var bytes: [UInt8]
    private var open: [Int] = []

    /// Bytes written so far.
    public var count: Int { bytes.count }

    /// Begins with an empty buffer of this capacity.
    public init(capacity: Int = 256) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    /// Opens the outermost document, or one more after it.
    public mutating func beginDocument() {
        open.append(bytes.count)
        bytes.append(contentsOf: [0, 0, 0, 0])
    }

    /// Opens a nested document or array under `key`.
    public mutating func begin(_ key: String, array: Bool = false) {
        appendHead(array ? .array : .document, key)
        beginDocument()
    }

    /// Closes what was opened last; does nothing when nothing is open.
    public mutating func end() {
        guard let start = open.popLast() else { return }
        bytes.append(0)
        let length = Int32(truncatingIfNeeded: bytes.count - start).littleEndian
        withUnsafeBytes(of: length) { source in
            for index in 0..<4 { bytes[start + index] = source[index] }
        }
    }

    /// Appends one element.
    ///
    /// A NUL in the key ends it: BSON has no way to write one.
    public mutating func append(_ key: String, _ value: BSONValue) {
        appendHead(value.type, key)
        appendBody(value)
    }

    /// Appends one element from bytes that are already BSON, which are trusted.
    public mutating func append(_ key: String, type: BSONType, raw value: some Sequence<UInt8>) {
        appendHead(type, key)
        bytes.append(contentsOf: value)
    }

    /// Appends elements that are already BSON, like the inside of another document; they are trusted.
    public mutating func append(rawElements elements: some Sequence<UInt8>) {
        bytes.append(contentsOf: elements)
    }

    private mutating func appendHead(_ type: BSONType, _ key: String) {
        bytes.append(type.rawValue)
        appendCString(key)
    }

    private mutating func appendCString(_ text: String) {
        for byte in text.utf8 {
            if byte == 0 { break }
            bytes.append(byte)
        }
        bytes.append(0)
    }

    private mutating func appendString(_ text: String) {
        appendInteger(Int32(truncatingIfNeeded: text.utf8.count + 1))
        bytes.append(contentsOf: text.utf8)
        bytes.append(0)
    }

    private mutating func appendInteger(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private mutating func appendBody(_ value: BSONValue) {
        switch value {
        case .double(let number): appendInteger(number.bitPattern)
        case .string(let text), .javascript(let text), .symbol(let text): appendString(text)
        case .document(let document): bytes.append(contentsOf: document.bytes)
        case .array(let elements):
            beginDocument()
            for (index, element) in elements.enumerated() { append(String(index), element) }
            end()
        case .binary(let subtype, let content):
            appendInteger(Int32(truncatingIfNeeded: content.count))
            bytes.append(subtype)
            bytes.append(contentsOf: content)
        case .objectID(let id): bytes.append(contentsOf: id.bytes)
        case .bool(let truth): bytes.append(truth ? 1 : 0)
        case .date(let number), .int64(let number): appendInteger(number)
        case .regex(let pattern, let options):
            appendCString(pattern)
            appendCString(options)
        case .dbPointer(let namespace, let id):
            appendString(namespace)
            bytes.append(contentsOf: id.bytes)
        case .javascriptWithScope(let code, let scope):
            appendInteger(Int32(truncatingIfNeeded: 4 + 4 + code.utf8.count + 1 + scope.bytes.count))
            appendString(code)
            bytes.append(contentsOf: scope.bytes)
        case .int32(let number): appendInteger(number)
        case .timestamp(let bits): appendInteger(bits)
        case .decimal128(let number): bytes.append(contentsOf: number.bytes)
        case .undefined, .null, .minKey, .maxKey: break
        }
    }
}
