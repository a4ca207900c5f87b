/// Writes BSON byte by byte: every type, deprecated ones too, names twice, strings that aren't UTF-8: all that a
/// well-behaved library refuses and a database holds nevertheless (BSON specification 1.1).
public struct TestDocumentBuilder: Sendable {
    private var bytes: [UInt8] = [0, 0, 0, 0]

    /// Starts an empty document.
    public init(reserving capacity: Int = 256) {
        bytes.reserveCapacity(capacity)
    }

    /// Bytes so far.
    public var count: Int { bytes.count }

    /// The whole document.
    public consuming func finish() -> TestDocument {
        close(from: 0)
        return TestDocument(bytes: bytes)
    }

    private mutating func close(from start: Int) {
        bytes.append(0)
        let length = UInt32(bytes.count - start)
        for index in 0..<4 { bytes[start + index] = UInt8(truncatingIfNeeded: length >> (8 * UInt32(index))) }
    }

    private mutating func header(_ type: UInt8, _ name: String) {
        bytes.append(type)
        bytes.append(contentsOf: name.utf8)
        bytes.append(0)
    }

    private mutating func append<Number: FixedWidthInteger>(_ number: Number) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private mutating func append(text: String) {
        append(Int32(text.utf8.count + 1))
        bytes.append(contentsOf: text.utf8)
        bytes.append(0)
    }

    /// A double (1).
    public mutating func double(_ name: String, _ value: Double) {
        header(0x01, name)
        append(value.bitPattern)
    }

    /// A string (2).
    public mutating func string(_ name: String, _ value: String) {
        header(0x02, name)
        append(text: value)
    }

    /// A string (2) of these bytes, which needn't be UTF-8.
    public mutating func string(_ name: String, bytes value: [UInt8]) {
        header(0x02, name)
        append(Int32(value.count + 1))
        bytes.append(contentsOf: value)
        bytes.append(0)
    }

    /// A document (3).
    public mutating func document(_ name: String, _ build: (inout TestDocumentBuilder) -> Void) {
        nested(0x03, name, build)
    }

    /// An array (4); the names are up to the caller, and ought to be "0", "1" ….
    public mutating func array(_ name: String, _ build: (inout TestDocumentBuilder) -> Void) {
        nested(0x04, name, build)
    }

    /// A document (3) that was built already.
    public mutating func document(_ name: String, _ value: TestDocument) {
        header(0x03, name)
        bytes.append(contentsOf: value.bytes)
    }

    /// A value as it was read.
    public mutating func value(_ name: String, _ value: TestValue) {
        header(value.type, name)
        bytes.append(contentsOf: value.bytes)
    }

    private mutating func nested(_ type: UInt8, _ name: String, _ build: (inout TestDocumentBuilder) -> Void) {
        header(type, name)
        let start = bytes.count
        bytes.append(contentsOf: [0, 0, 0, 0])
        build(&self)
        close(from: start)
    }

    /// Binary data (5); subtype 2 has its length twice.
    public mutating func binary(_ name: String, _ value: [UInt8], subtype: UInt8 = 0) {
        header(0x05, name)
        append(Int32(value.count + (subtype == 2 ? 4 : 0)))
        bytes.append(subtype)
        if subtype == 2 { append(Int32(value.count)) }
        bytes.append(contentsOf: value)
    }

    /// Undefined (6, deprecated).
    public mutating func undefined(_ name: String) { header(0x06, name) }

    /// An object id (7), its 12 bytes made from a number.
    public mutating func objectID(_ name: String, _ value: UInt64) {
        header(0x07, name)
        // Seconds first, then a counter: the layout of real ones, so that they sort by time.
        append((0x6500_0000 + UInt32(truncatingIfNeeded: value >> 16) & 0xff_ffff).byteSwapped)
        append(value.byteSwapped)
    }

    /// A boolean (8).
    public mutating func bool(_ name: String, _ value: Bool) {
        header(0x08, name)
        bytes.append(value ? 1 : 0)
    }

    /// A date (9) in milliseconds since 1970.
    public mutating func date(_ name: String, milliseconds: Int64) {
        header(0x09, name)
        append(milliseconds)
    }

    /// Null (10).
    public mutating func null(_ name: String) { header(0x0a, name) }

    /// A regular expression (11); options in alphabetical order.
    public mutating func regex(_ name: String, _ pattern: String, _ options: String) {
        header(0x0b, name)
        bytes.append(contentsOf: pattern.utf8)
        bytes.append(0)
        bytes.append(contentsOf: options.utf8)
        bytes.append(0)
    }

    /// A DBPointer (12, deprecated).
    public mutating func pointer(_ name: String, _ collection: String, _ identifier: [UInt8]) {
        header(0x0c, name)
        append(text: collection)
        bytes.append(contentsOf: identifier)
    }

    /// JavaScript (13).
    public mutating func code(_ name: String, _ value: String) {
        header(0x0d, name)
        append(text: value)
    }

    /// A symbol (14, deprecated).
    public mutating func symbol(_ name: String, _ value: String) {
        header(0x0e, name)
        append(text: value)
    }

    /// JavaScript with a scope (15, deprecated).
    public mutating func code(_ name: String, _ value: String, scope: (inout TestDocumentBuilder) -> Void) {
        header(0x0f, name)
        let scope = TestDocument(scope).bytes
        append(Int32(4 + 4 + value.utf8.count + 1 + scope.count))
        append(text: value)
        bytes.append(contentsOf: scope)
    }

    /// A 32-bit integer (16).
    public mutating func int32(_ name: String, _ value: Int32) {
        header(0x10, name)
        append(value)
    }

    /// A timestamp (17).
    public mutating func timestamp(_ name: String, seconds: UInt32, increment: UInt32) {
        header(0x11, name)
        append(increment)
        append(seconds)
    }

    /// A 64-bit integer (18).
    public mutating func int64(_ name: String, _ value: Int64) {
        header(0x12, name)
        append(value)
    }

    /// A decimal (19) by its two halves.
    public mutating func decimal(_ name: String, low: UInt64, high: UInt64) {
        header(0x13, name)
        append(low)
        append(high)
    }

    /// The smallest key (-1).
    public mutating func minKey(_ name: String) { header(0xff, name) }

    /// The greatest key (127).
    public mutating func maxKey(_ name: String) { header(0x7f, name) }
}
