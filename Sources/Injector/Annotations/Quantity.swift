/// A quantity as Kubernetes writes it: `250m`, `1`, `96Mi`, `1.5Gi`, `1e3`.
///
/// Kept as it is written, compared by its value in billionths; smaller parts are rounded up (as Kubernetes does:
/// apimachinery, `resource.Quantity`).
struct Quantity: Sendable, Hashable, Comparable {
    /// As it is written.
    let text: String
    private let nano: Int128

    static let zero = Quantity(text: "0", nano: 0)

    static func milli(_ value: Int) -> Quantity { Quantity(text: "\(value)m", nano: Int128(value) * 1_000_000) }

    static func mebi(_ value: Int) -> Quantity {
        Quantity(text: "\(value)Mi", nano: Int128(value) * 1_048_576 * 1_000_000_000)
    }

    private init(text: String, nano: Int128) {
        self.text = text
        self.nano = nano
    }

    /// Reads a quantity; nil when the text is none, or has more than 36 digits.
    init?(_ text: String) {
        var rest = text.utf8[...]
        var sign: Int128 = 1
        if let first = rest.first, first == UInt8(ascii: "+") || first == UInt8(ascii: "-") {
            if first == UInt8(ascii: "-") { sign = -1 }
            rest.removeFirst()
        }
        var mantissa: Int128 = 0
        var digits = 0
        var fraction = 0
        var isFraction = false
        while let byte = rest.first {
            if byte == UInt8(ascii: "."), !isFraction {
                isFraction = true
            } else if (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
                digits += 1
                guard digits <= 20 else { return nil }
                mantissa = mantissa * 10 + Int128(byte - UInt8(ascii: "0"))
                if isFraction { fraction += 1 }
            } else {
                break
            }
            rest.removeFirst()
        }
        guard digits > 0, let (factor, exponent) = Self.suffix(Substring(rest)) else { return nil }
        guard let nano = Self.scale(mantissa * factor, by: exponent + 9 - fraction) else { return nil }
        self.init(text: text, nano: sign * nano)
    }

    /// The power of two and the power of ten that a suffix stands for.
    private static func suffix(_ text: Substring) -> (Int128, Int)? {
        let binary: [Substring: Int] = ["Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6]
        let decimal: [Substring: Int] = [
            "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18,
        ]
        if let power = binary[text] { return (Int128(1) << (10 * power), 0) }
        if let exponent = decimal[text] { return (1, exponent) }
        guard let first = text.first, first == "e" || first == "E", let exponent = Int(text.dropFirst()),
            (-18...18).contains(exponent)
        else { return nil }
        return (1, exponent)
    }

    private static func scale(_ value: Int128, by exponent: Int) -> Int128? {
        var result = value
        for _ in 0..<max(0, exponent) {
            let (product, isOver) = result.multipliedReportingOverflow(by: 10)
            if isOver { return nil }
            result = product
        }
        for _ in 0..<max(0, -exponent) {
            result = result / 10 + (result % 10 > 0 ? 1 : 0)
        }
        return result
    }

    // MARK: Reckoning

    /// What is left of it without another one.
    func minus(_ other: Quantity, in unit: Unit) -> Quantity {
        Quantity(text: "", nano: nano - other.nano).written(unit)
    }

    /// Both together.
    func plus(_ other: Quantity, in unit: Unit) -> Quantity {
        Quantity(text: "", nano: nano + other.nano).written(unit, roundingUp: true)
    }

    /// In what a quantity is written: thousandths of a processor, or bytes.
    enum Unit { case milli, byte }

    /// So many times as much, rounded down; nil when that is more than any quantity.
    func times(_ factor: Quantity, in unit: Unit) -> Quantity? {
        let (product, isOver) = nano.multipliedReportingOverflow(by: factor.nano)
        return isOver ? nil : Quantity(text: "", nano: product / 1_000_000_000).written(unit)
    }

    /// The part of it of which it is so many times as much, rounded up; nil for a divisor that isn't above zero.
    func divided(by divisor: Quantity, in unit: Unit) -> Quantity? {
        let (product, isOver) = nano.multipliedReportingOverflow(by: 1_000_000_000)
        guard divisor.nano > 0, !isOver else { return nil }
        let part = product / divisor.nano + (product % divisor.nano > 0 ? 1 : 0)
        return Quantity(text: "", nano: part).written(unit, roundingUp: true)
    }

    /// The same in whole units, written as people do.
    private func written(_ unit: Unit, roundingUp: Bool = false) -> Quantity {
        let size: Int128 = unit == .milli ? 1_000_000 : 1_000_000_000
        let count = nano / size + (roundingUp && nano % size > 0 ? 1 : 0)
        if unit == .milli { return Quantity(text: "\(count)m", nano: count * size) }
        let mebi: Int128 = 1_048_576
        return Quantity(text: count % mebi == 0 ? "\(count / mebi)Mi" : "\(count)", nano: count * size)
    }

    static func == (left: Quantity, right: Quantity) -> Bool { left.nano == right.nano }
    static func < (left: Quantity, right: Quantity) -> Bool { left.nano < right.nano }
    func hash(into hasher: inout Hasher) { hasher.combine(nano) }
}
