import Foundation

/// A quantity of the API: `500m`, `1.5Gi`, `2e3`.
struct Quantity: Sendable, Comparable {
    enum Format: Sendable { case decimal, binary, exponent }

    /// The value in billionths, which is as fine as quantities get.
    private let nanos: Decimal
    let format: Format

    private static let binary: [(String, Decimal)] = [
        ("Ki", 1024), ("Mi", 1_048_576), ("Gi", 1_073_741_824), ("Ti", 1_099_511_627_776),
        ("Pi", 1_125_899_906_842_624), ("Ei", 1_152_921_504_606_846_976),
    ]
    private static let decimal: [(String, Int)] = [
        ("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18),
    ]

    /// Reads one; nil when it isn't one.
    init?(_ text: String) {
        guard
            let match = text.wholeMatch(
                of: /([+-]?)(\d+\.?\d*|\.\d+)(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?\d{1,2})?/
            ),
            let number = Decimal(string: String(match.2).hasSuffix(".") ? String(match.2.dropLast()) : String(match.2))
        else { return nil }
        let suffix = match.3.map(String.init) ?? ""
        var value = number
        if let factor = Self.binary.first(where: { $0.0 == suffix })?.1 {
            value *= factor
            format = .binary
        } else if let power = Self.decimal.first(where: { $0.0 == suffix })?.1 {
            value = Self.scaled(value, power)
            format = .decimal
        } else if let power = Int(suffix.dropFirst()) {
            value = Self.scaled(value, power)
            format = .exponent
        } else {
            return nil
        }
        // What is finer than a billionth is rounded up.
        var exact = Self.scaled(value, 9)
        var rounded = Decimal()
        NSDecimalRound(&rounded, &exact, 0, .up)
        nanos = match.1 == "-" ? -rounded : rounded
    }

    private static func scaled(_ value: Decimal, _ power: Int) -> Decimal {
        var value = value
        var result = Decimal()
        _ = NSDecimalMultiplyByPowerOf10(&result, &value, Int16(power), .plain)
        return result
    }

    static func < (left: Quantity, right: Quantity) -> Bool { left.nanos < right.nanos }
    static func == (left: Quantity, right: Quantity) -> Bool { left.nanos == right.nanos }

    /// The value, as near as a floating-point number comes.
    var number: Double { NSDecimalNumber(decimal: nanos).doubleValue / 1e9 }
    var isNegative: Bool { nanos < 0 }
    var isZero: Bool { nanos == 0 }
    /// Whether it is a whole number of thousandths, of which CPUs are made.
    var isWhole: Bool { Self.isWhole(Self.scaled(nanos, -9)) }

    private static func isWhole(_ value: Decimal) -> Bool {
        var value = value
        var rounded = Decimal()
        NSDecimalRound(&rounded, &value, 0, .down)
        return rounded == value
    }

    /// As the API server writes it back: the largest suffix that leaves a whole number.
    var canonical: String {
        if isZero { return "0" }
        let value = Self.scaled(nanos, -9)
        if format == .binary, Self.isWhole(value), abs(value) >= 1024 {
            for (suffix, factor) in Self.binary.reversed() where Self.isWhole(value / factor) && abs(value) >= factor {
                return "\(value / factor)\(suffix)"
            }
            return "\(value)"
        }
        for (suffix, power) in Self.decimal.reversed() {
            let scaled = Self.scaled(value, -power)
            guard Self.isWhole(scaled) else { continue }
            if format == .exponent, power != 0 { return "\(scaled)e\(power)" }
            return "\(scaled)\(suffix)"
        }
        return "\(value)"
    }
}
