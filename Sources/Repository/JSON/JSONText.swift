/// Strings in JSON, escaped exactly as Go's `encoding/json` does: ids of trees depend on every byte.
enum JSONText {
    /// Appends `text` with its quotes.
    static func append(_ text: String, to output: inout [UInt8]) {
        append(utf8: Array(text.utf8), to: &output)
    }

    /// Appends bytes as a string with its quotes; each byte that is not part of valid UTF-8 becomes `\ufffd`.
    static func append(utf8 text: [UInt8], to output: inout [UInt8]) {
        output.append(0x22)
        var position = 0
        while position < text.count {
            let byte = text[position]
            if byte < 0x80 {
                appendASCII(byte, to: &output)
                position += 1
                continue
            }
            let length = UTF8Text.scalarLength(text, at: position)
            if length == 0 {
                output += Array(#"\ufffd"#.utf8)
                position += 1
            } else if length == 3, byte == 0xE2, text[position + 1] == 0x80, text[position + 2] & 0xFE == 0xA8 {
                // U+2028 and U+2029 end lines in JavaScript.
                output += Array((text[position + 2] == 0xA8 ? #"\u2028"# : #"\u2029"#).utf8)
                position += 3
            } else {
                output += text[position..<position + length]
                position += length
            }
        }
        output.append(0x22)
    }

    private static func appendASCII(_ byte: UInt8, to output: inout [UInt8]) {
        switch byte {
        case 0x22, 0x5C: output += [0x5C, byte]
        case 0x0A: output += [0x5C, 0x6E]
        case 0x0D: output += [0x5C, 0x72]
        case 0x09: output += [0x5C, 0x74]
        case 0x00..<0x20, 0x3C, 0x3E, 0x26:  // controls, and < > & because Go's output is safe in HTML
            output += Array(#"\u00"#.utf8) + [hexDigit(byte >> 4), hexDigit(byte & 15)]
        default: output.append(byte)
        }
    }

    /// Resolves the escapes of a string's inside; nil for an escape that JSON doesn't have.
    static func unescape(_ raw: UnsafeRawBufferPointer) -> [UInt8]? {
        var plain: [UInt8] = []
        plain.reserveCapacity(raw.count)
        var position = 0
        while position < raw.count {
            let byte = raw[position]
            position += 1
            guard byte == 0x5C else {
                plain.append(byte)
                continue
            }
            guard position < raw.count else { return nil }
            let escape = raw[position]
            position += 1
            switch escape {
            case 0x22, 0x5C, 0x2F: plain.append(escape)
            case 0x62: plain.append(0x08)
            case 0x66: plain.append(0x0C)
            case 0x6E: plain.append(0x0A)
            case 0x72: plain.append(0x0D)
            case 0x74: plain.append(0x09)
            case 0x75:
                guard var unit = hex4(raw, at: position) else { return nil }
                position += 4
                if unit & 0xFC00 == 0xD800 {
                    // A high surrogate counts only together with a low one.
                    if position + 1 < raw.count, raw[position] == 0x5C, raw[position + 1] == 0x75,
                        let low = hex4(raw, at: position + 2), low & 0xFC00 == 0xDC00
                    {
                        unit = 0x10000 + (unit & 0x3FF) << 10 + (low & 0x3FF)
                        position += 6
                    }
                }
                plain += UTF8Text.encode(unit)
            default: return nil
            }
        }
        return plain
    }

    private static func hex4(_ raw: UnsafeRawBufferPointer, at position: Int) -> UInt32? {
        guard raw.count - position >= 4 else { return nil }
        var value: UInt32 = 0
        for index in 0..<4 {
            let digit = hexValue(raw[position + index])
            guard digit < 16 else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }
}

/// UTF-8 in bytes that may not be.
enum UTF8Text {
    /// Length of the valid scalar at `position`, or 0.
    static func scalarLength(_ text: [UInt8], at position: Int) -> Int {
        let first = text[position]
        let length: Int
        var value: UInt32
        switch first {
        case 0..<0x80: return 1
        case 0xC2...0xDF: (length, value) = (2, UInt32(first & 0x1F))
        case 0xE0...0xEF: (length, value) = (3, UInt32(first & 0x0F))
        case 0xF0...0xF4: (length, value) = (4, UInt32(first & 0x07))
        default: return 0
        }
        guard text.count - position >= length else { return 0 }
        for index in 1..<length {
            let byte = text[position + index]
            guard byte & 0xC0 == 0x80 else { return 0 }
            value = value << 6 | UInt32(byte & 0x3F)
        }
        let smallest: [UInt32] = [0, 0, 0x80, 0x800, 0x10000]
        return value >= smallest[length] && Unicode.Scalar(value) != nil ? length : 0
    }

    /// The bytes of a scalar; U+FFFD for a surrogate or a number above Unicode's last.
    static func encode(_ value: UInt32) -> [UInt8] {
        let scalar = Unicode.Scalar(value) ?? "\u{FFFD}"
        return Array(String(scalar).utf8)
    }
}
