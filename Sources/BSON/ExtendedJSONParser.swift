/// Reads extended JSON by recursive descent, straight into `BSONValue`.
struct ExtendedJSONParser {
    private let text: [UInt8]
    private var offset = 0
    private var depth = 0

    /// As deep as canonical JSON of documents that `BSONView.validate` lets pass can be: two levels for each of theirs
    /// (code with scope is an object that holds its scope), and a value of three levels inside the last.
    private static let deepest = 2 * 251 + 3

    init(_ text: [UInt8]) { self.text = text }

    mutating func document() throws(BSONError) -> BSONValue {
        let result = try value()
        skipSpace()
        guard offset == text.count else { throw wrong("something follows the document") }
        return result
    }

    private func wrong(_ message: String) -> BSONError { BSONError(.badJSON, message, offset: offset) }

    private mutating func skipSpace() {
        while offset < text.count, [0x20, 0x09, 0x0A, 0x0D].contains(text[offset]) { offset += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard offset < text.count, UInt32(text[offset]) == character.value else { return false }
        offset += 1
        return true
    }

    private mutating func value() throws(BSONError) -> BSONValue {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.deepest else { throw wrong("values are nested deeper than \(Self.deepest) levels") }
        if take("{") { return try object() }
        if take("[") { return .array(try array()) }
        skipSpace()
        guard offset < text.count else { throw wrong("the text ends where a value should be") }
        if text[offset] == 0x22 { return .string(try string()) }
        for (word, value) in [("true", BSONValue.bool(true)), ("false", .bool(false)), ("null", .null)]
        where text[offset...].starts(with: word.utf8) {
            offset += word.utf8.count
            return value
        }
        return try number()
    }

    private mutating func array() throws(BSONError) -> [BSONValue] {
        var elements: [BSONValue] = []
        if take("]") { return elements }
        repeat { elements.append(try value()) } while take(",")
        guard take("]") else { throw wrong("an array isn't closed") }
        return elements
    }

    private mutating func object() throws(BSONError) -> BSONValue {
        var elements: [(String, BSONValue)] = []
        if take("}") { return .document(BSONDocument(elements)) }
        repeat {
            skipSpace()
            let key = try string()
            guard !key.utf8.contains(0) else { throw wrong("a field name holds NUL") }
            guard take(":") else { throw wrong("a field has no value") }
            elements.append((key, try value()))
        } while take(",")
        guard take("}") else { throw wrong("an object isn't closed") }
        if elements.contains(where: { $0.0.hasPrefix("$") }), let value = try ExtendedJSONTypes.value(elements) {
            return value
        }
        return .document(BSONDocument(elements))
    }

    private mutating func number() throws(BSONError) -> BSONValue {
        let start = offset
        while offset < text.count, [0x2B, 0x2D, 0x2E, 0x45, 0x65].contains(text[offset]) || isDigit(text[offset]) {
            offset += 1
        }
        let spelling = String(decoding: text[start..<offset], as: UTF8.self)
        if let whole = Int64(spelling) { return .integer(whole) }
        guard let number = Double(spelling) else {
            offset = start
            throw wrong("'\(spelling)' is no value")
        }
        return .double(number)
    }

    private func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private mutating func string() throws(BSONError) -> String {
        guard offset < text.count, text[offset] == 0x22 else { throw wrong("a string is expected") }
        offset += 1
        var result: [UInt8] = []
        while offset < text.count {
            let byte = text[offset]
            offset += 1
            switch byte {
            case 0x22: return String(decoding: result, as: UTF8.self)
            case 0x5C: result.append(contentsOf: String(try escape()).utf8)
            default: result.append(byte)
            }
        }
        throw wrong("a string isn't closed")
    }

    private mutating func escape() throws(BSONError) -> Unicode.Scalar {
        guard offset < text.count else { throw wrong("the text ends inside an escape") }
        let byte = text[offset]
        offset += 1
        switch byte {
        case 0x22: return "\""
        case 0x5C: return "\\"
        case 0x2F: return "/"
        case 0x62: return "\u{8}"
        case 0x66: return "\u{C}"
        case 0x6E: return "\n"
        case 0x72: return "\r"
        case 0x74: return "\t"
        case 0x75:
            let unit = try hexUnit()
            guard (0xD800...0xDBFF).contains(unit) else { return Unicode.Scalar(unit) ?? "\u{FFFD}" }
            guard text[offset...].starts(with: [0x5C, 0x75]) else { return "\u{FFFD}" }
            offset += 2
            let low = try hexUnit()
            guard (0xDC00...0xDFFF).contains(low) else { return "\u{FFFD}" }
            let code = 0x10000 + (UInt32(unit) - 0xD800) << 10 + (UInt32(low) - 0xDC00)
            return Unicode.Scalar(code) ?? "\u{FFFD}"
        default: throw wrong("an escape that JSON doesn't have")
        }
    }

    private mutating func hexUnit() throws(BSONError) -> UInt16 {
        guard offset + 4 <= text.count,
            let bytes = Hexadecimal.decode(String(decoding: text[offset..<offset + 4], as: UTF8.self))
        else { throw wrong("\\u needs four hexadecimal digits") }
        offset += 4
        return UInt16(bytes[0]) << 8 | UInt16(bytes[1])
    }
}
