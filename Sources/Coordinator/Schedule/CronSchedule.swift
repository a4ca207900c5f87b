import Foundation

/// A schedule: five cron fields or a macro, in a time zone.
///
/// Fields are minute, hour, day of month, month, day of week; each a list of values, ranges and steps, months and
/// days of the week also by name (`jan`, `mon`; Sunday is 0 and 7). As in cron(5): when both day fields are restricted,
/// a day matches when *either* does. Macros: `@yearly` (`@annually`), `@monthly`, `@weekly`, `@daily` (`@midnight`),
/// `@hourly`, `@every DURATION`.
struct CronSchedule: Sendable, Hashable {
    /// Why a text is no schedule: one sentence with what is allowed.
    struct ParseError: Error, Sendable, CustomStringConvertible {
        var description: String
    }

    enum Rule: Sendable, Hashable {
        case fields(Fields)
        /// So many seconds between runs, counted from 1970, so that restarts don't shift it.
        case every(seconds: Int64)
    }

    /// Sets of allowed values as bits.
    struct Fields: Sendable, Hashable {
        var minutes: UInt64
        var hours: UInt64
        var days: UInt64
        var months: UInt64
        var weekdays: UInt64
        /// Whether the day of the month, or of the week, was given as `*` (or `*/n`, as in Vixie's cron).
        var isAnyDay: Bool
        var isAnyWeekday: Bool

        func matches(day: Int, weekday: Int) -> Bool {
            let isDay = days & (1 << UInt64(day)) != 0
            let isWeekday = weekdays & (1 << UInt64(weekday)) != 0
            return isAnyDay || isAnyWeekday ? isDay && isWeekday : isDay || isWeekday
        }
    }

    var rule: Rule
    var timeZone: TimeZone

    /// Parses a schedule and the name of its time zone (nil: UTC).
    init(_ text: String, timeZone name: String? = nil) throws(ParseError) {
        timeZone = try Self.zone(name)
        rule = try Self.parse(text)
    }

    /// The time zone of a name like `Europe/Berlin`.
    static func zone(_ name: String?) throws(ParseError) -> TimeZone {
        guard let name else { return .gmt }
        guard let zone = TimeZone(identifier: name) else {
            throw ParseError(
                description:
                    "'\(name)' is not a time zone; allowed are names like Europe/Berlin, America/New_York or UTC"
            )
        }
        return zone
    }

    private static let macros: [String: String] = [
        "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
        "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
    ]

    private static func parse(_ text: String) throws(ParseError) -> Rule {
        let trimmed = text.trimmingCharacters(in: .whitespaces).lowercased()
        if trimmed.hasPrefix("@every") {
            let rest = trimmed.dropFirst("@every".count).trimmingCharacters(in: .whitespaces)
            guard let duration = GoDurationText.seconds(rest), duration >= 60 else {
                throw ParseError(
                    description: "'\(text)' is not a schedule; @every needs a duration of at least 1m, like @every 6h"
                )
            }
            return .every(seconds: duration)
        }
        if trimmed.hasPrefix("@"), macros[trimmed] == nil {
            let known = (macros.keys.sorted() + ["@every 6h"]).joined(separator: ", ")
            throw ParseError(description: "'\(text)' is not a schedule; allowed macros are \(known)")
        }
        let parts = (macros[trimmed] ?? trimmed).split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
        guard parts.count == 5 else {
            throw ParseError(
                description:
                    "'\(text)' has \(parts.count) fields; a schedule has five (minute hour day month weekday), "
                    + "like '0 */6 * * *', or is a macro like @daily"
            )
        }
        let fields = Fields(
            minutes: try CronField.minute.parse(parts[0]),
            hours: try CronField.hour.parse(parts[1]),
            days: try CronField.day.parse(parts[2]),
            months: try CronField.month.parse(parts[3]),
            weekdays: try CronField.weekday.parse(parts[4]),
            isAnyDay: parts[2].hasPrefix("*"),
            isAnyWeekday: parts[4].hasPrefix("*")
        )
        guard canMatch(fields) else {
            throw ParseError(description: "'\(text)' never happens: no month that it allows has such a day")
        }
        return .fields(fields)
    }

    /// Whether some year has a day that matches; 30 February never comes.
    private static func canMatch(_ fields: Fields) -> Bool {
        if !fields.isAnyWeekday { return true }
        let longest = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        return (1...12).contains { month in
            fields.months & (1 << UInt64(month)) != 0
                && (1...longest[month - 1]).contains { fields.days & (1 << UInt64($0)) != 0 }
        }
    }
}

/// One of the five fields: its range and names.
struct CronField: Sendable {
    let title: String
    let range: ClosedRange<Int>
    var names: [String: Int] = [:]

    static let minute = CronField(title: "minute", range: 0...59)
    static let hour = CronField(title: "hour", range: 0...23)
    static let day = CronField(title: "day of month", range: 1...31)
    static let month = CronField(
        title: "month",
        range: 1...12,
        names: numbered(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], from: 1)
    )
    static let weekday = CronField(
        title: "day of week",
        range: 0...7,
        names: numbered(["sun", "mon", "tue", "wed", "thu", "fri", "sat"], from: 0)
    )

    private static func numbered(_ names: [String], from first: Int) -> [String: Int] {
        Dictionary(uniqueKeysWithValues: zip(names, first...))
    }

    /// The values that a text like `1-10/3,20` allows, as bits.
    func parse(_ text: String) throws(CronSchedule.ParseError) -> UInt64 {
        var bits: UInt64 = 0
        for item in text.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = item.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count <= 2 else { throw problem(text) }
            var step = 1
            if parts.count == 2 {
                guard let value = Int(parts[1]), value > 0, value <= range.upperBound else { throw problem(text) }
                step = value
            }
            let bounds = try bounds(String(parts[0]), isStepped: parts.count == 2, of: text)
            for value in stride(from: bounds.lowerBound, through: bounds.upperBound, by: step) {
                bits |= 1 << UInt64(range.upperBound == 7 && value == 7 ? 0 : value)
            }
        }
        return bits
    }

    private func bounds(
        _ item: String,
        isStepped: Bool,
        of text: String
    ) throws(CronSchedule.ParseError) -> ClosedRange<Int> {
        if item == "*" { return range.lowerBound...(range.upperBound == 7 ? 6 : range.upperBound) }
        let ends = item.split(separator: "-", omittingEmptySubsequences: false).map { value(String($0)) }
        switch ends.count {
        case 1:
            guard let only = ends[0] else { throw problem(text) }
            // `5/15` means from 5 to the end.
            return only...(isStepped ? range.upperBound : only)
        case 2:
            guard let first = ends[0], let last = ends[1], first <= last else { throw problem(text) }
            return first...last
        default:
            throw problem(text)
        }
    }

    private func value(_ text: String) -> Int? {
        if let named = names[text] { return named }
        guard !text.isEmpty, text.allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int(text),
            range.contains(number)
        else { return nil }
        return number
    }

    private func problem(_ text: String) -> CronSchedule.ParseError {
        let examples = names.isEmpty ? "" : ", names like \(names.min { $0.value < $1.value }?.key ?? "")"
        return CronSchedule.ParseError(
            description:
                "'\(text)' is not a \(title); allowed are \(range.lowerBound) to \(range.upperBound)\(examples), "
                + "lists (1,2), ranges (1-5) and steps (*/2)"
        )
    }
}
