/// A moment as the API writes it: RFC 3339, in UTC.
public struct APITime: Sendable, Hashable, Comparable {
    /// Microseconds since 1970.
    public var microseconds: Int64

    /// Makes a moment.
    public init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    /// Makes a moment of whole seconds.
    public init(seconds: Int64) {
        microseconds = seconds &* 1_000_000
    }

    /// Reads RFC 3339 text with or without fraction, in UTC or with an offset; nil for anything else.
    public init?(_ text: String) {
        let units = Array(text.utf8)
        guard units.count >= 20, units[4] == 0x2D, units[7] == 0x2D, units[10] == 0x54 || units[10] == 0x74,
            units[13] == 0x3A, units[16] == 0x3A,
            let year = Self.number(units[0..<4]), let month = Self.number(units[5..<7]),
            let day = Self.number(units[8..<10]), let hour = Self.number(units[11..<13]),
            let minute = Self.number(units[14..<16]), let second = Self.number(units[17..<19]),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61
        else { return nil }
        var position = 19
        var fraction: Int64 = 0
        if units[position] == 0x2E {
            let digits = units[(position + 1)...].prefix { (0x30...0x39).contains($0) }
            guard !digits.isEmpty, let value = Self.number(digits.prefix(6)) else { return nil }
            fraction = value
            for _ in 0..<(6 - min(6, digits.count)) { fraction *= 10 }
            position += 1 + digits.count
        }
        guard let offset = Self.offset(units[position...]) else { return nil }
        let days = Self.days(year: year, month: month, day: day)
        microseconds = ((days * 86400 + hour * 3600 + minute * 60 + second) - offset) * 1_000_000 + fraction
    }

    /// To the microsecond, always with six digits, as Go's `MicroTime` demands: `2026-08-22T10:00:00.000000Z`.
    public var microText: String {
        let micro = ((microseconds % 1_000_000) + 1_000_000) % 1_000_000
        return "\(clock).\(Self.padded(micro, 6))Z"
    }

    /// To the second: `2026-08-22T10:00:00Z`.
    public var text: String { "\(clock)Z" }

    /// The earlier one is less.
    public static func < (left: APITime, right: APITime) -> Bool { left.microseconds < right.microseconds }

    private var clock: String {
        var seconds = microseconds / 1_000_000
        if microseconds % 1_000_000 < 0 { seconds -= 1 }
        var days = seconds / 86400
        if seconds % 86400 < 0 { days -= 1 }
        let rest = seconds - days * 86400
        let (year, month, day) = Self.date(days: days)
        return "\(Self.padded(year, 4))-\(Self.padded(month, 2))-\(Self.padded(day, 2))T"
            + "\(Self.padded(rest / 3600, 2)):\(Self.padded(rest / 60 % 60, 2)):\(Self.padded(rest % 60, 2))"
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
        var value: Int64 = 0
        for digit in digits {
            guard (0x30...0x39).contains(digit) else { return nil }
            value = value * 10 + Int64(digit - 0x30)
        }
        return value
    }

    /// Seconds east of UTC.
    private static func offset(_ units: ArraySlice<UInt8>) -> Int64? {
        let units = Array(units)
        if units == [0x5A] || units == [0x7A] { return 0 }
        guard units.count == 6, units[0] == 0x2B || units[0] == 0x2D, units[3] == 0x3A,
            let hours = number(units[1..<3]), let minutes = number(units[4..<6]), hours < 24, minutes < 60
        else { return nil }
        return (hours * 3600 + minutes * 60) * (units[0] == 0x2D ? -1 : 1)
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// Days since 1970 in the Gregorian calendar, counted in eras of 400 years that begin on 1 March.
    private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func date(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}
