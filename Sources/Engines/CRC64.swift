import CPlatform

/// CRC-64 with the ECMA-182 polynomial, reflected: the checksum that mongodump's archives carry per collection
/// (Go's `crc64.ECMA`; known elsewhere as CRC-64/XZ).
///
/// Parts of one stream may be computed apart and joined in order, which costs about 2 µs a part. 14 GB/s a core where
/// the processor multiplies without carry, 50 where it does so four times at once, 1.6 elsewhere.
public struct CRC64: Sendable, Hashable, CustomStringConvertible {
    /// The checksum of all bytes so far.
    public private(set) var value: UInt64

    /// The checksum of nothing.
    public init() { value = 0 }

    /// The checksum of `bytes`.
    public init(_ bytes: RawSpan) {
        value = 0
        update(bytes)
    }

    /// Adds bytes to the end.
    public mutating func update(_ bytes: RawSpan) {
        value = bytes.withUnsafeBytes { remora_crc64(value, $0.baseAddress, $0.count) }
    }

    /// Adds a part to the end of which only the checksum and the length are known.
    public mutating func append(_ crc: UInt64, length: Int) {
        value = remora_crc64_combine(value, crc, UInt64(length))
    }

    /// 16 hexadecimal digits, as manifests have it.
    public var description: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
