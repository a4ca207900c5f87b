/// An IEEE 754-2008 decimal of 128 bits in its binary integer encoding, kept as it is.
public struct BSONDecimal128: Sendable, Hashable, CustomStringConvertible {
    /// The lower 64 bits of the coefficient.
    public var low: UInt64
    /// Sign, exponent and the upper bits of the coefficient.
    public var high: UInt64

    private static let bias = 6176
    private static let largestCoefficient: UInt128 = 9_999_999_999_999_999_999_999_999_999_999_999

    /// Makes one from its 128 bits.
    public init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }

    /// The 16 bytes as BSON has them.
    public var bytes: [UInt8] {
        [low, high].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) } }
    }

    /// The number as text, as the BSON specification's "Decimal128" prescribes.
    public var description: String {
        let sign = high >> 63 == 1 ? "-" : ""
        switch high >> 58 & 0b11111 {
        case 0b11111: return "NaN"
        case 0b11110: return sign + "Infinity"
        default: break
        }
        // Both upper bits set: a coefficient beyond 34 digits, which counts as zero.
        let isWide = high >> 61 & 0b11 == 0b11
        let exponent = Int(truncatingIfNeeded: (isWide ? high >> 47 : high >> 49) & 0x3FFF) - Self.bias
        var coefficient = UInt128(high & 0x1_FFFF_FFFF_FFFF) << 64 | UInt128(low)
        if isWide || coefficient > Self.largestCoefficient { coefficient = 0 }
        return sign + Self.text(coefficient, exponent: exponent)
    }

    private static func text(_ coefficient: UInt128, exponent: Int) -> String {
        let digits = String(coefficient)
        let adjusted = exponent + digits.count - 1
        if exponent > 0 || adjusted < -6 {
            let head = String(digits.prefix(1))
            let tail = digits.count > 1 ? "." + digits.dropFirst() : ""
            return head + tail + "E" + (adjusted < 0 ? "" : "+") + String(adjusted)
        }
        if exponent == 0 { return digits }
        let whole = digits.count + exponent
        if whole > 0 { return digits.prefix(whole) + "." + digits.dropFirst(whole) }
        return "0." + String(repeating: "0", count: -whole) + digits
    }

    /// Reads what `description` writes and every other exact spelling.
    ///
    /// - Throws: `BSONError` when it isn't a number or has more than 34 significant digits.
    public init(_ text: String) throws(BSONError) {
        let wrong = BSONError(.badJSON, "'\(text)' is no decimal number")
        var rest = Substring(text)
        var sign: UInt64 = 0
        if let first = rest.first, first == "-" || first == "+" {
            sign = first == "-" ? 1 << 63 : 0
            rest = rest.dropFirst()
        }
        switch rest.lowercased() {
        case "nan":
            self.init(low: 0, high: 0b11111 << 58)
            return
        case "infinity", "inf":
            self.init(low: 0, high: sign | 0b11110 << 58)
            return
        default: break
        }
        let parts = rest.split(maxSplits: 1, omittingEmptySubsequences: false) { $0 == "E" || $0 == "e" }
        guard let mantissa = parts.first, !mantissa.isEmpty else { throw wrong }
        var exponent = 0
        if parts.count == 2 {
            guard let value = Int(parts[1]), (-99_999...99_999).contains(value) else { throw wrong }
            exponent = value
        }
        let halves = mantissa.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        if halves.count == 2 { exponent -= halves[1].count }
        var digits = halves.joined()[...]
        guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }) else { throw wrong }
        digits = digits.drop { $0 == "0" }
        // Trailing zeros may move between coefficient and exponent where one of them would not fit.
        while digits.count > 34 || exponent < -Self.bias, digits.last == "0" {
            digits = digits.dropLast()
            exponent += 1
        }
        var padded = String(digits)
        while exponent > 6111, !padded.isEmpty, padded.count < 34 {
            padded += "0"
            exponent -= 1
        }
        if padded.isEmpty { exponent = min(max(exponent, -Self.bias), 6111) }
        guard padded.count <= 34, (-Self.bias...6111).contains(exponent), let coefficient = UInt128("0" + padded)
        else { throw wrong }
        self.init(
            low: UInt64(truncatingIfNeeded: coefficient),
            high: sign | UInt64(exponent + Self.bias) << 49 | UInt64(truncatingIfNeeded: coefficient >> 64)
        )
    }
}
