/// What is wrong with a JSON text, and where.
struct JSONError: Error, CustomStringConvertible {
    var offset: Int
    var reason: String
    var description: String { "at byte \(offset): \(reason)" }
}

/// Walks a JSON text once, without building a tree of it: index files have hundreds of bytes a blob, and a
/// general decoder takes seconds for what this takes milliseconds.
///
/// Numbers are read as `UInt64` and never through `Double`. Use inside `withUnsafeBytes` only.
struct JSONScanner {
    private let bytes: UnsafeRawBufferPointer
    private(set) var position = 0
    private var depth = 0

    private static let deepest = 200

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    func failure(_ reason: String) -> JSONError { JSONError(offset: position, reason: reason) }

    @inline(__always)
    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position &+= 1
            default: return
            }
        }
    }

    /// The next byte that isn't space, left where it is.
    @inline(__always)
    mutating func peek() throws -> UInt8 {
        skipSpace()
        guard position < bytes.count else { throw failure("the text ends early") }
        return bytes[position]
    }

    /// Moves over one byte that must be there.
    @inline(__always)
    private mutating func expect(_ byte: UInt8) throws {
        guard try peek() == byte else { throw failure("expected '\(Character(Unicode.Scalar(byte)))'") }
        position &+= 1
    }

    /// Succeeds when nothing but space is left.
    mutating func expectEnd() throws {
        skipSpace()
        guard position == bytes.count else { throw failure("text after the end") }
    }

    /// Calls `body` with the key of each member, standing before its value; `body` must move over the value.
    mutating func object(_ body: (inout JSONScanner, JSONKey) throws -> Void) throws {
        try expect(0x7B)
        try enter()
        if try peek() == 0x7D {
            position &+= 1
        } else {
            while true {
                let key = try rawString()
                try expect(0x3A)
                try body(&self, key)
                if try peek() == 0x2C {
                    position &+= 1
                    continue
                }
                try expect(0x7D)
                break
            }
        }
        depth -= 1
    }

    /// Calls `body` before each element; `body` must move over it.
    mutating func array(_ body: (inout JSONScanner) throws -> Void) throws {
        try expect(0x5B)
        try enter()
        if try peek() == 0x5D {
            position &+= 1
        } else {
            while true {
                try body(&self)
                if try peek() == 0x2C {
                    position &+= 1
                    continue
                }
                try expect(0x5D)
                break
            }
        }
        depth -= 1
    }

    private mutating func enter() throws {
        depth += 1
        guard depth <= Self.deepest else { throw failure("nested deeper than \(Self.deepest)") }
    }

    /// Moves over `null` and says true, or stays.
    mutating func null() throws -> Bool {
        guard try peek() == 0x6E else { return false }
        try literal("null")
        return true
    }

    private mutating func literal(_ text: StaticString) throws {
        let count = text.utf8CodeUnitCount
        guard bytes.count - position >= count else { throw failure("the text ends early") }
        for index in 0..<count where bytes[position + index] != text.utf8Start[index] {
            throw failure("unknown word")
        }
        position += count
    }

    /// `true` or `false`.
    mutating func bool() throws -> Bool {
        if try peek() == 0x74 {
            try literal("true")
            return true
        }
        try literal("false")
        return false
    }

    /// A whole number that is not negative.
    mutating func uint64() throws -> UInt64 {
        _ = try peek()
        var value: UInt64 = 0
        let start = position
        while position < bytes.count, bytes[position] &- 0x30 < 10 {
            let (product, overflowed) = value.multipliedReportingOverflow(by: 10)
            let (sum, carried) = product.addingReportingOverflow(UInt64(bytes[position] &- 0x30))
            guard !overflowed, !carried else { throw failure("a number is too large") }
            value = sum
            position &+= 1
        }
        guard position > start else { throw failure("expected a whole number") }
        if position < bytes.count, [0x2E, 0x65, 0x45].contains(bytes[position]) {
            throw failure("expected a whole number")
        }
        return value
    }

    /// A whole number that fits 32 bits.
    mutating func uint32() throws -> UInt32 {
        guard let value = UInt32(exactly: try uint64()) else { throw failure("a number is above 32 bits") }
        return value
    }

    /// The inside of a string as it stands in the text, escapes and all.
    mutating func rawString() throws -> JSONKey {
        try expect(0x22)
        let start = position
        var hasEscapes = false
        while position < bytes.count {
            let byte = bytes[position]
            if byte == 0x22 {
                position &+= 1
                return JSONKey(
                    bytes: UnsafeRawBufferPointer(rebasing: bytes[start..<position - 1]),
                    hasEscapes: hasEscapes
                )
            }
            if byte == 0x5C {
                hasEscapes = true
                position &+= 1
            } else if byte < 0x20 {
                throw failure("a control character in a string")
            }
            position &+= 1
        }
        throw failure("a string without its end")
    }

    /// The bytes of a string, escapes resolved.
    mutating func stringBytes() throws -> [UInt8] {
        let raw = try rawString()
        guard raw.hasEscapes else { return Array(raw.bytes) }
        guard let plain = JSONText.unescape(raw.bytes) else { throw failure("a bad escape in a string") }
        return plain
    }

    /// A string; bytes that are not UTF-8 become U+FFFD, as Go's decoder has it.
    mutating func string() throws -> String { String(decoding: try stringBytes(), as: UTF8.self) }

    /// A string of 64 hex digits.
    mutating func id() throws -> ObjectID {
        guard let id = ObjectID(hexDigits: try rawString().bytes) else {
            throw failure("expected an id of 64 hex digits")
        }
        return id
    }

    /// A time in RFC 3339.
    mutating func timestamp() throws -> Timestamp {
        guard let time = Timestamp(try string()) else { throw failure("expected a time like 2026-01-31T12:00:00Z") }
        return time
    }

    /// An array of strings; `null` counts as empty.
    mutating func strings() throws -> [String] {
        guard try !null() else { return [] }
        var list: [String] = []
        try array { list.append(try $0.string()) }
        return list
    }

    /// Moves over one value of any kind.
    mutating func skip() throws {
        switch try peek() {
        case 0x7B: try object { scanner, _ in try scanner.skip() }
        case 0x5B: try array { try $0.skip() }
        case 0x22: _ = try rawString()
        case 0x74, 0x66: _ = try bool()
        case 0x6E: try literal("null")
        default:
            var digits = 0
            number: while position < bytes.count {
                switch bytes[position] {
                case 0x30...0x39: digits += 1
                case 0x2B, 0x2D, 0x2E, 0x45, 0x65: break
                default: break number
                }
                position &+= 1
            }
            guard digits > 0 else { throw failure("unexpected character") }
        }
    }
}

/// A key, or any string, where it stands in the text.
struct JSONKey {
    let bytes: UnsafeRawBufferPointer
    let hasEscapes: Bool

    /// Whether the key is this ASCII text.
    @inline(__always)
    static func ~= (text: StaticString, key: JSONKey) -> Bool {
        let count = text.utf8CodeUnitCount
        guard key.bytes.count == count else { return false }
        for index in 0..<count where key.bytes[index] != text.utf8Start[index] { return false }
        return true
    }
}
