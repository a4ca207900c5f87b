/// Writes one JSON object, member by member, in the order it is told: restic's field order is part of a tree's id.
struct JSONObjectWriter {
    private(set) var bytes: [UInt8] = [0x7B]
    private var isEmpty = true

    private mutating func key(_ name: StaticString) {
        if !isEmpty { bytes.append(0x2C) }
        isEmpty = false
        bytes.append(0x22)
        bytes.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        bytes += [0x22, 0x3A]
    }

    /// A string member.
    mutating func member(_ name: StaticString, _ value: String) {
        key(name)
        JSONText.append(value, to: &bytes)
    }

    /// A string member of bytes.
    mutating func member(_ name: StaticString, utf8 value: [UInt8]) {
        key(name)
        JSONText.append(utf8: value, to: &bytes)
    }

    /// A number.
    mutating func member(_ name: StaticString, _ value: some FixedWidthInteger) {
        key(name)
        bytes += Array(String(value).utf8)
    }

    /// `true` or `false`.
    mutating func member(_ name: StaticString, _ value: Bool) {
        key(name)
        bytes += Array((value ? "true" : "false").utf8)
    }

    /// An array of strings.
    mutating func member(_ name: StaticString, _ values: [String]) {
        key(name)
        bytes.append(0x5B)
        for (index, value) in values.enumerated() {
            if index > 0 { bytes.append(0x2C) }
            JSONText.append(value, to: &bytes)
        }
        bytes.append(0x5D)
    }

    /// An array of ids.
    mutating func member(_ name: StaticString, _ values: [ObjectID]) {
        key(name)
        bytes.append(0x5B)
        bytes.reserveCapacity(bytes.count + values.count * 67 + 256)
        for (index, value) in values.enumerated() {
            if index > 0 { bytes.append(0x2C) }
            append(value, quoted: ())
        }
        bytes.append(0x5D)
    }

    /// An id.
    mutating func member(_ name: StaticString, _ value: ObjectID) {
        key(name)
        append(value, quoted: ())
    }

    /// A member whose value is JSON text already.
    mutating func member(_ name: StaticString, json: [UInt8]) {
        key(name)
        bytes += json
    }

    /// The finished object.
    consuming func finish() -> [UInt8] {
        bytes.append(0x7D)
        return bytes
    }

    private mutating func append(_ id: ObjectID, quoted: Void) {
        bytes.append(0x22)
        withUnsafeBytes(of: id) { source in
            for byte in source {
                bytes.append(hexDigit(byte >> 4))
                bytes.append(hexDigit(byte & 15))
            }
        }
        bytes.append(0x22)
    }
}
