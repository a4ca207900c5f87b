/// A moment: milliseconds since 1970, UTC; in JSON and YAML an RFC 3339 text like `2026-08-22T10:00:00.250Z`.
///
/// For people and for order within one clock. Nothing is decided by comparing the clocks of two hosts.
public struct Timestamp: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    public var unixMs: Int64

    /// Makes one from milliseconds since 1970.
    public init(unixMs: Int64) { self.unixMs = unixMs }

    /// Makes one from whole seconds since 1970.
    public init(unixSeconds: Int64) { self.unixMs = unixSeconds * 1000 }

    /// Parses RFC 3339: `YYYY-MM-DDThh:mm:ss[.fraction](Z|±hh:mm)`; nil when the text isn't that.
    public init?(_ text: String) {
        var rest = Array(text.utf8)[...]
        func number(_ digits: Int) -> Int64? {
            guard rest.count >= digits else { return nil }
            var value: Int64 = 0
            for byte in rest.prefix(digits) {
                guard byte >= 0x30, byte <= 0x39 else { return nil }
                value = value * 10 + Int64(byte - 0x30)
            }
            rest = rest.dropFirst(digits)
            return value
        }
        func skip(_ characters: String) -> Bool {
            guard let first = rest.first, characters.utf8.contains(first) else { return false }
            rest = rest.dropFirst()
            return true
        }
        guard let year = number(4), skip("-"), let month = number(2), skip("-"), let day = number(2), skip("Tt "),
            let hour = number(2), skip(":"), let minute = number(2), skip(":"), let second = number(2),
            (1...12).contains(month), day >= 1, day <= Self.days(inMonth: month, year: year),
            hour < 24, minute < 60, second < 61
        else { return nil }
        var milliseconds: Int64 = 0
        if skip(".") {
            var scale: Int64 = 100
            var digits = 0
            while let digit = rest.first, digit >= 0x30, digit <= 0x39 {
                milliseconds += Int64(digit - 0x30) * scale
                scale /= 10
                digits += 1
                rest = rest.dropFirst()
            }
            guard digits > 0 else { return nil }
        }
        var offsetMinutes: Int64 = 0
        if !skip("Zz") {
            guard let sign = rest.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") else { return nil }
            rest = rest.dropFirst()
            guard let hours = number(2), skip(":"), let minutes = number(2), hours < 24, minutes < 60 else {
                return nil
            }
            offsetMinutes = (hours * 60 + minutes) * (sign == UInt8(ascii: "-") ? -1 : 1)
        }
        guard rest.isEmpty else { return nil }
        let days = Self.daysSince1970(year: year, month: month, day: day)
        let seconds = days * 86_400 + hour * 3600 + (minute - offsetMinutes) * 60 + second
        self.unixMs = seconds * 1000 + milliseconds
    }

    /// RFC 3339 in UTC; the fraction only when there is one.
    public var description: String {
        let milliseconds = Self.floorModulo(unixMs, 1000)
        let seconds = (unixMs - milliseconds) / 1000
        let secondOfDay = Self.floorModulo(seconds, 86_400)
        let (year, month, day) = Self.civil(daysSince1970: (seconds - secondOfDay) / 86_400)
        let date = "\(Self.padded(year, 4))-\(Self.padded(month, 2))-\(Self.padded(day, 2))"
        let hour = Self.padded(secondOfDay / 3600, 2)
        let minute = Self.padded(secondOfDay / 60 % 60, 2)
        let fraction = milliseconds == 0 ? "" : "." + Self.padded(milliseconds, 3)
        return "\(date)T\(hour):\(minute):\(Self.padded(secondOfDay % 60, 2))\(fraction)Z"
    }

    /// Order in time.
    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.unixMs < right.unixMs }

    /// The moment so many milliseconds later; at the ends of time it stays there.
    public func adding(milliseconds: Int64) -> Timestamp {
        let (sum, isTooMuch) = unixMs.addingReportingOverflow(milliseconds)
        return Timestamp(unixMs: isTooMuch ? (milliseconds < 0 ? .min : .max) : sum)
    }

    /// The moment so many seconds later; at the ends of time it stays there.
    public func adding(seconds: Int64) -> Timestamp {
        let (milliseconds, isTooMuch) = seconds.multipliedReportingOverflow(by: 1000)
        return adding(milliseconds: isTooMuch ? (seconds < 0 ? .min : .max) : milliseconds)
    }

    /// Milliseconds from `earlier` to this one.
    public func milliseconds(since earlier: Timestamp) -> Int64 {
        let (difference, isTooMuch) = unixMs.subtractingReportingOverflow(earlier.unixMs)
        return isTooMuch ? (earlier.unixMs > unixMs ? .min : .max) : difference
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }

    private static func floorModulo(_ value: Int64, _ divisor: Int64) -> Int64 {
        let remainder = value % divisor
        return remainder < 0 ? remainder + divisor : remainder
    }

    private static func days(inMonth month: Int64, year: Int64) -> Int64 {
        switch month {
        case 2: (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    // Days and dates by the proleptic Gregorian calendar, in eras of 400 years that begin in March
    // (H. Hinnant, "chrono-compatible low-level date algorithms").
    private static func daysSince1970(year: Int64, month: Int64, day: Int64) -> Int64 {
        let marchYear = month <= 2 ? year - 1 : year
        let era = (marchYear >= 0 ? marchYear : marchYear - 399) / 400
        let yearOfEra = marchYear - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    private static func civil(daysSince1970 days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}

extension Timestamp: Codable {
    /// From RFC 3339.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Timestamp(text) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "'\(text)' is not an RFC 3339 time like 2026-08-22T10:00:00Z"
            )
        }
        self = value
    }

    /// To RFC 3339.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
