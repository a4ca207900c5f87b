/// Go's `strconv.Quote` without the outer quotes, and back: how trees spell the names of nodes.
///
/// Names are bytes, not text; this makes text of any bytes. The text is then escaped again as JSON.
enum GoQuote {
    /// Spells a name.
    static func quote(_ name: [UInt8]) -> [UInt8] {
        if name.allSatisfy({ $0 >= 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C }) { return name }
        var output: [UInt8] = []
        var position = 0
        while position < name.count {
            let length = UTF8Text.scalarLength(name, at: position)
            guard length > 0 else {
                output += escape("x", UInt32(name[position]), digits: 2)
                position += 1
                continue
            }
            let bytes = name[position..<position + length]
            position += length
            guard let scalar = String(decoding: bytes, as: UTF8.self).unicodeScalars.first else { continue }
            output += quote(scalar, bytes)
        }
        return output
    }

    private static func quote(_ scalar: Unicode.Scalar, _ bytes: ArraySlice<UInt8>) -> [UInt8] {
        switch scalar {
        case "\"", "\\": [0x5C] + bytes
        case _ where isPrintable(scalar): Array(bytes)
        case "\u{07}": Array(#"\a"#.utf8)
        case "\u{08}": Array(#"\b"#.utf8)
        case "\u{0C}": Array(#"\f"#.utf8)
        case "\n": Array(#"\n"#.utf8)
        case "\r": Array(#"\r"#.utf8)
        case "\t": Array(#"\t"#.utf8)
        case "\u{0B}": Array(#"\v"#.utf8)
        case _ where scalar.value < 0x20 || scalar.value == 0x7F: escape("x", scalar.value, digits: 2)
        case _ where scalar.value < 0x10000: escape("u", scalar.value, digits: 4)
        default: escape("U", scalar.value, digits: 8)
        }
    }

    /// Go's `unicode.IsPrint`: letters, marks, numbers, punctuation, symbols, and of spaces only ASCII's.
    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
        case .spaceSeparator: scalar == " "
        default: true
        }
    }

    private static func escape(_ kind: Character, _ value: UInt32, digits: Int) -> [UInt8] {
        let hex = String(value, radix: 16)
        return Array("\\\(kind)\(String(repeating: "0", count: max(0, digits - hex.count)))\(hex)".utf8)
    }

    /// Reads a spelling back; nil for what `strconv.Unquote` refuses.
    static func unquote(_ text: [UInt8]) -> [UInt8]? {
        guard text.contains(0x5C) else { return text.contains(0x22) || text.contains(0x0A) ? nil : text }
        var output: [UInt8] = []
        var position = 0
        while position < text.count {
            let byte = text[position]
            position += 1
            guard byte != 0x22, byte != 0x0A else { return nil }
            guard byte == 0x5C else {
                output.append(byte)
                continue
            }
            guard position < text.count else { return nil }
            let escape = text[position]
            position += 1
            switch escape {
            case 0x61: output.append(0x07)
            case 0x62: output.append(0x08)
            case 0x66: output.append(0x0C)
            case 0x6E: output.append(0x0A)
            case 0x72: output.append(0x0D)
            case 0x74: output.append(0x09)
            case 0x76: output.append(0x0B)
            case 0x5C, 0x22: output.append(escape)
            case 0x78:
                guard let value = number(text, &position, digits: 2, radix: 16) else { return nil }
                output.append(UInt8(truncatingIfNeeded: value))
            case 0x75, 0x55:
                guard let value = number(text, &position, digits: escape == 0x75 ? 4 : 8, radix: 16),
                    let scalar = Unicode.Scalar(value)
                else { return nil }
                output += Array(String(scalar).utf8)
            case 0x30...0x37:
                position -= 1
                guard let value = number(text, &position, digits: 3, radix: 8), value < 256 else { return nil }
                output.append(UInt8(truncatingIfNeeded: value))
            default: return nil
            }
        }
        return output
    }

    private static func number(_ text: [UInt8], _ position: inout Int, digits: Int, radix: UInt32) -> UInt32? {
        guard text.count - position >= digits else { return nil }
        var value: UInt32 = 0
        for index in 0..<digits {
            let digit = UInt32(hexValue(text[position + index]))
            guard digit < radix else { return nil }
            value = value &* radix &+ digit
        }
        position += digits
        return value
    }
}
