/// File names of a dump directory: collection names in the escape that mongodump uses (Go's `url.QueryEscape`).
enum DumpFileName {
    /// The collection name that a file's stem stands for; nil when it holds a broken escape.
    ///
    /// mongodump cuts long names (208 characters, `%24`, 27 characters of a hash) and doesn't mind cutting inside an
    /// escape, so the stem of such a file says nothing: the name is in the metadata's `collectionName`.
    static func unescape(_ stem: String) -> String? {
        let bytes = Array(stem.utf8)
        var name: [UInt8] = []
        name.reserveCapacity(bytes.count)
        var position = 0
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "%") {
                guard position + 2 < bytes.count, let high = hexadecimal(bytes[position + 1]),
                    let low = hexadecimal(bytes[position + 2])
                else { return nil }
                name.append(high << 4 | low)
                position += 3
            } else {
                name.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
                position += 1
            }
        }
        return String(validating: name, as: UTF8.self)
    }

    /// Whether a stem has the form of a name that mongodump cut.
    static func isCut(_ stem: String) -> Bool {
        let bytes = Array(stem.utf8)
        return bytes.count == 208 + 3 + 27 && bytes[208..<211].elementsEqual("%24".utf8)
    }

    private static func hexadecimal(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
