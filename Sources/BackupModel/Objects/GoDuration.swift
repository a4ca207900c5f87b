/// A length of time as Go, Kubernetes and Stash write it: `1h30m`, `90s`, `1.5h`, `250ms`; a day is `24h`.
public struct GoDuration: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Milliseconds; never negative.
    public var milliseconds: Int64

    /// Makes one from milliseconds.
    public init(milliseconds: Int64) { self.milliseconds = max(0, milliseconds) }

    /// Makes one from seconds.
    public init(seconds: Int64) { self.init(milliseconds: seconds * 1000) }

    /// What a duration looks like, for messages.
    public static let allowed = "a number and a unit, repeated, with units h, m, s and ms, like 30m, 1h30m or 90s"

    /// The longest that is believed: a hundred years.
    private static let maximumMilliseconds = 100.0 * 366 * 86_400_000

    /// Parses Go's form (`time.ParseDuration`, without signs); nil when the text isn't that.
    public init?(_ text: String) {
        if text == "0" {
            self.init(milliseconds: 0)
            return
        }
        let units: [(name: String, milliseconds: Double)] = [
            ("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1000),
        ]
        var rest = text[...]
        var total = 0.0
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { ("0"..."9").contains($0) || $0 == "." }
            guard !digits.isEmpty, let number = Double(String(digits)) else { return nil }
            rest = rest.dropFirst(digits.count)
            guard let unit = units.first(where: { rest.hasPrefix($0.name) }) else { return nil }
            rest = rest.dropFirst(unit.name.count)
            total += number * unit.milliseconds
        }
        guard total <= Self.maximumMilliseconds else { return nil }
        self.init(milliseconds: Int64(total.rounded()))
    }

    /// Whole seconds, rounded up.
    public var seconds: Int64 { (milliseconds + 999) / 1000 }

    /// Go's form: `1h30m0s` is written `1h30m`.
    public var description: String {
        if milliseconds == 0 { return "0s" }
        var text = ""
        var rest = milliseconds
        for (name, size) in [("h", Int64(3_600_000)), ("m", 60_000), ("s", 1000), ("ms", 1)] where rest >= size {
            text += "\(rest / size)\(name)"
            rest %= size
        }
        return text
    }

    /// Order by length.
    public static func < (left: GoDuration, right: GoDuration) -> Bool { left.milliseconds < right.milliseconds }
}

extension GoDuration: Codable {
    /// From Go's form.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = GoDuration(text) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "'\(text)' is not a duration; allowed is \(Self.allowed)"
            )
        }
        self = value
    }

    /// To Go's form.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
