/// One value, decoded: for commands and replies, not for documents on their way through a backup.
public indirect enum BSONValue: Sendable, Hashable {
    case double(Double)
    case string(String)
    case document(BSONDocument)
    case array([BSONValue])
    case binary(subtype: UInt8, bytes: [UInt8])
    case undefined
    case objectID(BSONObjectID)
    case bool(Bool)
    /// Milliseconds since 1970.
    case date(Int64)
    case null
    case regex(pattern: String, options: String)
    case dbPointer(namespace: String, id: BSONObjectID)
    case javascript(String)
    case symbol(String)
    case javascriptWithScope(String, scope: BSONDocument)
    case int32(Int32)
    /// Seconds in the upper 32 bits, ordinal in the lower.
    case timestamp(UInt64)
    case int64(Int64)
    case decimal128(BSONDecimal128)
    case minKey
    case maxKey

    /// The text of a string or symbol.
    public var string: String? {
        switch self {
        case .string(let text), .symbol(let text): text
        default: nil
        }
    }

    /// A number of any kind that is whole and fits, as an integer.
    public var integer: Int64? {
        switch self {
        case .int32(let value): Int64(value)
        case .int64(let value): value
        case .double(let value): Int64(exactly: value.rounded(.towardZero))
        default: nil
        }
    }

    /// A number of any binary kind.
    public var number: Double? {
        switch self {
        case .int32(let value): Double(value)
        case .int64(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }

    /// A boolean, or a number that isn't zero: servers answer `ok` in both ways.
    public var truth: Bool? {
        switch self {
        case .bool(let value): value
        default: number.map { $0 != 0 }
        }
    }

    /// The nested document.
    public var document: BSONDocument? {
        if case .document(let value) = self { return value }
        return nil
    }

    /// The elements of an array.
    public var array: [BSONValue]? {
        if case .array(let value) = self { return value }
        return nil
    }

    /// The bits of a timestamp: seconds above, ordinal below.
    public var timestamp: UInt64? {
        if case .timestamp(let value) = self { return value }
        return nil
    }

    /// The type byte that this value is written with.
    public var type: BSONType {
        switch self {
        case .double: .double
        case .string: .string
        case .document: .document
        case .array: .array
        case .binary: .binary
        case .undefined: .undefined
        case .objectID: .objectID
        case .bool: .bool
        case .date: .date
        case .null: .null
        case .regex: .regex
        case .dbPointer: .dbPointer
        case .javascript: .javascript
        case .symbol: .symbol
        case .javascriptWithScope: .javascriptWithScope
        case .int32: .int32
        case .timestamp: .timestamp
        case .int64: .int64
        case .decimal128: .decimal128
        case .minKey: .minKey
        case .maxKey: .maxKey
        }
    }
}

extension BSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByFloatLiteral, ExpressibleByNilLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// A string.
    public init(stringLiteral value: String) { self = .string(value) }
    /// An int32 where it fits, else an int64.
    public init(integerLiteral value: Int64) { self = .integer(value) }
    /// A bool.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// A double.
    public init(floatLiteral value: Double) { self = .double(value) }
    /// BSON's null.
    public init(nilLiteral: ()) { self = .null }
    /// An array.
    public init(arrayLiteral elements: BSONValue...) { self = .array(elements) }
    /// A document with its elements in the order written.
    public init(dictionaryLiteral elements: (String, BSONValue)...) { self = .document(BSONDocument(elements)) }

    /// An int32 where it fits, else an int64.
    public static func integer(_ value: some BinaryInteger) -> BSONValue {
        if let small = Int32(exactly: value) { return .int32(small) }
        return .int64(Int64(clamping: value))
    }
}

/// Twelve bytes that identify a document.
public struct BSONObjectID: Sendable, Hashable, CustomStringConvertible {
    /// The first eight bytes, big-endian, so that order and equality are cheap.
    private let high: UInt64
    private let low: UInt32

    /// Makes one of exactly 12 bytes; nil for any other number.
    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == 12 else { return nil }
        high = bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        low = bytes.suffix(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// The 12 bytes.
    public var bytes: [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: high >> UInt64(56 - 8 * $0)) }
            + (0..<4).map { UInt8(truncatingIfNeeded: low >> UInt32(24 - 8 * $0)) }
    }

    /// 24 lower-case hexadecimal digits.
    public var description: String { Hexadecimal.encode(bytes) }
}

/// Bytes as hexadecimal digits and back.
public enum Hexadecimal {
    private static let digits = [UInt8]("0123456789abcdef".utf8)

    /// Two lower-case digits a byte.
    public static func encode(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes, or nil when the text has an odd length or another character.
    public static func decode(_ text: String) -> [UInt8]? {
        let characters = [UInt8](text.utf8)
        guard characters.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(characters.count / 2)
        for index in stride(from: 0, to: characters.count, by: 2) {
            guard let high = value(characters[index]), let low = value(characters[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func value(_ character: UInt8) -> UInt8? {
        switch character {
        case 0x30...0x39: character - 0x30
        case 0x41...0x46: character - 0x41 + 10
        case 0x61...0x66: character - 0x61 + 10
        default: nil
        }
    }
}
