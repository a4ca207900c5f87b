extension JSONTree {
    /// Deeper nesting is refused, so that no text can exhaust the stack.
    public static let deepest = 200

    /// Reads one JSON text (RFC 8259); white space around it is fine, anything else is not.
    ///
    /// Written by hand because reading a tree through `Codable` tries every shape of every value and is too slow for
    /// what the API server waits for.
    ///
    /// - Throws: `JSONError`.
    public init(parsing bytes: [UInt8]) throws(JSONError) {
        var parser = JSONParser(bytes: bytes)
        self = try parser.value(depth: 0)
        try parser.end()
    }

    /// Reads one JSON text.
    ///
    /// - Throws: `JSONError`.
    public init(parsing text: String) throws(JSONError) {
        try self.init(parsing: [UInt8](text.utf8))
    }
}

/// Walks one JSON text once.
private struct JSONParser {
    let bytes: [UInt8]
    var position = 0

    func failure(_ reason: String) -> JSONError { JSONError(offset: position, reason: reason) }

    var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    mutating func end() throws(JSONError) {
        skipSpace()
        if position < bytes.count { throw failure("there is more behind the value") }
    }

    mutating func value(depth: Int) throws(JSONError) -> JSONTree {
        skipSpace()
        guard depth <= JSONTree.deepest else { throw failure("nested deeper than \(JSONTree.deepest)") }
        switch next {
        case UInt8(ascii: "{"): return try object(depth)
        case UInt8(ascii: "["): return try array(depth)
        case UInt8(ascii: "\""): return .string(try text())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case nil: throw failure("it ends where a value should be")
        default: return try number()
        }
    }

    private mutating func word(_ word: StaticString, _ value: JSONTree) throws(JSONError) -> JSONTree {
        for offset in 0..<word.utf8CodeUnitCount {
            guard next == word.utf8Start[offset] else { throw failure("'\(word)' was expected") }
            position += 1
        }
        return value
    }

    private mutating func object(_ depth: Int) throws(JSONError) -> JSONTree {
        position += 1
        var members: [String: JSONTree] = [:]
        skipSpace()
        if next == UInt8(ascii: "}") {
            position += 1
            return .object(members)
        }
        while true {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw failure("a name in quotes was expected") }
            let name = try text()
            skipSpace()
            guard next == UInt8(ascii: ":") else { throw failure("':' was expected") }
            position += 1
            members[name] = try value(depth: depth + 1)
            skipSpace()
            switch next {
            case UInt8(ascii: ","): position += 1
            case UInt8(ascii: "}"):
                position += 1
                return .object(members)
            default: throw failure("',' or '}' was expected")
            }
        }
    }

    private mutating func array(_ depth: Int) throws(JSONError) -> JSONTree {
        position += 1
        var elements: [JSONTree] = []
        skipSpace()
        if next == UInt8(ascii: "]") {
            position += 1
            return .array(elements)
        }
        while true {
            elements.append(try value(depth: depth + 1))
            skipSpace()
            switch next {
            case UInt8(ascii: ","): position += 1
            case UInt8(ascii: "]"):
                position += 1
                return .array(elements)
            default: throw failure("',' or ']' was expected")
            }
        }
    }

    private mutating func text() throws(JSONError) -> String {
        position += 1
        let start = position
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                let found = try string(bytes[start..<position], at: start)
                position += 1
                return found
            case UInt8(ascii: "\\"): return try escapedText(from: start)
            case 0..<0x20: throw failure("a control character within a text")
            default: position += 1
            }
        }
        throw failure("a text without its closing quote")
    }

    private func string(_ units: ArraySlice<UInt8>, at start: Int) throws(JSONError) -> String {
        guard let valid = String(validating: units, as: UTF8.self) else {
            throw JSONError(offset: start, reason: "a text that is not UTF-8")
        }
        return valid
    }

    /// A text with escapes in it, from its beginning.
    private mutating func escapedText(from start: Int) throws(JSONError) -> String {
        var units: [UInt8] = []
        units.reserveCapacity(position - start + 32)
        units += bytes[start..<position]
        while let byte = next {
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return try string(units[...], at: start)
            case UInt8(ascii: "\\"): try appendEscape(to: &units)
            case 0..<0x20: throw failure("a control character within a text")
            default: units.append(byte)
            }
        }
        throw failure("a text without its closing quote")
    }

    private mutating func appendEscape(to units: inout [UInt8]) throws(JSONError) {
        guard let byte = next else { throw failure("a text without its closing quote") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): units.append(byte)
        case UInt8(ascii: "b"): units.append(0x08)
        case UInt8(ascii: "f"): units.append(0x0C)
        case UInt8(ascii: "n"): units.append(0x0A)
        case UInt8(ascii: "r"): units.append(0x0D)
        case UInt8(ascii: "t"): units.append(0x09)
        case UInt8(ascii: "u"): units.append(contentsOf: String(Character(try scalar())).utf8)
        default: throw failure("an escape that JSON doesn't have")
        }
    }

    /// The scalar of `\u`, or of two of them; half a pair becomes the replacement character, as Go reads it.
    private mutating func scalar() throws(JSONError) -> Unicode.Scalar {
        let replacement: Unicode.Scalar = "\u{FFFD}"
        let first = try hexadecimal()
        guard first & 0xFC00 == 0xD800 else { return Unicode.Scalar(first) ?? replacement }
        let here = position
        guard next == UInt8(ascii: "\\") else { return replacement }
        position += 1
        guard next == UInt8(ascii: "u") else {
            position = here
            return replacement
        }
        position += 1
        let second = try hexadecimal()
        guard second & 0xFC00 == 0xDC00 else {
            position = here
            return replacement
        }
        return Unicode.Scalar(0x10000 + (first & 0x3FF) << 10 + second & 0x3FF) ?? replacement
    }

    private mutating func hexadecimal() throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw failure("four hexadecimal digits were expected")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    private mutating func number() throws(JSONError) -> JSONTree {
        let start = position
        var isWhole = true
        if next == UInt8(ascii: "-") { position += 1 }
        guard let first = next, isDigit(first) else { throw failure("a value was expected") }
        if first == UInt8(ascii: "0") { position += 1 } else { skipDigits() }
        if next == UInt8(ascii: ".") {
            isWhole = false
            position += 1
            try digits()
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            isWhole = false
            position += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
            try digits()
        }
        let text = try string(bytes[start..<position], at: start)
        if isWhole, let value = Int64(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else {
            throw JSONError(offset: start, reason: "a number out of range")
        }
        return .number(value)
    }

    private mutating func skipDigits() {
        while let byte = next, isDigit(byte) { position += 1 }
    }

    private func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private mutating func digits() throws(JSONError) {
        let start = position
        skipDigits()
        if position == start { throw failure("a digit was expected") }
    }
}
