internal import CMongoC

/// One BSON document's bytes, as tests make and read them.
///
/// Made for tests alone: it walks the bytes itself and asks libbson for extended JSON, so that what it says doesn't
/// depend on the code under test.
public struct TestDocument: Sendable, Hashable, CustomStringConvertible {
    /// The document, length and closing zero included.
    public let bytes: [UInt8]

    /// Takes bytes as they are.
    public init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Parses extended JSON, canonical or relaxed: `{"ts": {"$timestamp": {"t": 1, "i": 2}}}`.
    public init(json: String) throws {
        var error = bson_error_t()
        var text = json
        let parsed = text.withUTF8 { bson_new_from_json($0.baseAddress, $0.count, &error) }
        guard let parsed else {
            throw TestSupportError("cannot read this as extended JSON: \(error.text): \(json.prefix(300))")
        }
        defer { bson_destroy(parsed) }
        bytes = bytesOfBSON(parsed)
    }

    /// Builds one field by field, in raw BSON.
    public init(reserving capacity: Int = 256, _ build: (inout TestDocumentBuilder) -> Void) {
        var builder = TestDocumentBuilder(reserving: capacity)
        build(&builder)
        self = builder.finish()
    }

    /// Canonical extended JSON.
    public var json: String {
        withBSON(self) { bson in
            var length = 0
            guard let text = bson_as_canonical_extended_json(bson, &length) else { return "(not valid BSON)" }
            defer { bson_free(text) }
            return String(cString: text)
        }
    }

    /// Canonical extended JSON.
    public var description: String { json }

    /// All fields in order; a name may come more than once.
    public var fields: [(name: String, value: TestValue)] {
        var result: [(name: String, value: TestValue)] = []
        var position = 4
        while position < bytes.count, bytes[position] != 0 {
            let type = bytes[position]
            guard let end = bytes[(position + 1)...].firstIndex(of: 0) else { break }
            let name = String(decoding: bytes[(position + 1)..<end], as: UTF8.self)
            guard let length = valueLength(type: type, at: end + 1), end + 1 + length <= bytes.count else { break }
            result.append((name, TestValue(type: type, bytes: Array(bytes[(end + 1)..<(end + 1 + length)]))))
            position = end + 1 + length
        }
        return result
    }

    /// The first value at a dotted path: `reply["cursor.firstBatch.0._id"]`.
    public subscript(path: String) -> TestValue? {
        var current: TestDocument? = self
        var value: TestValue?
        for name in path.split(separator: ".", omittingEmptySubsequences: false) {
            value = current?.fields.first { $0.name == name }?.value
            current = value?.document
        }
        return value
    }

    private func int32(at position: Int) -> Int? {
        guard position + 4 <= bytes.count else { return nil }
        return bytes.withUnsafeBytes {
            Int(Int32(littleEndian: $0.loadUnaligned(fromByteOffset: position, as: Int32.self)))
        }
    }

    private func cString(at position: Int) -> Int? {
        bytes[min(position, bytes.count)...].firstIndex(of: 0).map { $0 - position + 1 }
    }

    /// Length in bytes of a value (BSON specification 1.1, "element").
    private func valueLength(type: UInt8, at position: Int) -> Int? {
        switch type {
        case 0x01, 0x09, 0x11, 0x12: 8
        case 0x02, 0x0d, 0x0e: int32(at: position).map { $0 + 4 }
        case 0x03, 0x04, 0x0f: int32(at: position)
        case 0x05: int32(at: position).map { $0 + 5 }
        case 0x06, 0x0a, 0x7f, 0xff: 0
        case 0x07: 12
        case 0x08: 1
        case 0x0b: cString(at: position).flatMap { first in cString(at: position + first).map { first + $0 } }
        case 0x0c: int32(at: position).map { $0 + 16 }
        case 0x10: 4
        case 0x13: 16
        default: nil
        }
    }
}

/// One value inside a document.
public struct TestValue: Sendable, Hashable {
    /// BSON's type byte.
    public let type: UInt8
    /// The value's bytes, without type and name.
    public let bytes: [UInt8]

    private func load<Number: FixedWidthInteger>(_: Number.Type, at position: Int = 0) -> Number {
        bytes.withUnsafeBytes { Number(littleEndian: $0.loadUnaligned(fromByteOffset: position, as: Number.self)) }
    }

    /// An integer, or a double without fraction.
    public var int: Int? {
        switch type {
        case 0x10: Int(load(Int32.self))
        case 0x12: Int(load(Int64.self))
        case 0x01: Int(exactly: Double(bitPattern: load(UInt64.self)))
        default: nil
        }
    }

    /// Any number.
    public var double: Double? {
        type == 0x01 ? Double(bitPattern: load(UInt64.self)) : int.map(Double.init)
    }

    /// A string.
    public var string: String? {
        type == 0x02 ? String(decoding: bytes[4..<(bytes.count - 1)], as: UTF8.self) : nil
    }

    /// A boolean, or whether a number isn't zero.
    public var bool: Bool? {
        type == 0x08 ? bytes == [1] : double.map { $0 != 0 }
    }

    /// A document, or an array as a document with the names "0", "1" ….
    public var document: TestDocument? {
        type == 0x03 || type == 0x04 ? TestDocument(bytes: bytes) : nil
    }

    /// An array's values.
    public var array: [TestValue]? {
        type == 0x04 ? TestDocument(bytes: bytes).fields.map(\.value) : nil
    }

    /// An array's documents.
    public var documents: [TestDocument]? { array?.compactMap(\.document) }

    /// A timestamp: seconds in the upper 32 bits, the increment in the lower, so that it compares as time does.
    public var timestamp: UInt64? { type == 0x11 ? load(UInt64.self) : nil }

    /// A binary value's content.
    public var binary: [UInt8]? { type == 0x05 ? Array(bytes[5...]) : nil }
}
