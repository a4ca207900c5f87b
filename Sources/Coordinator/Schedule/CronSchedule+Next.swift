import BackupModel
import Foundation

extension CronSchedule {
    /// No schedule that can match at all leaves a longer gap: 29 February on one day of the week comes every 28 years,
    /// or 40 where a century is no leap year.
    private static let searchYears = 41

    /// The first moment after `moment` at which the schedule fires; nil when it never does again.
    ///
    /// Wall-clock times are those of the time zone. One that is skipped when clocks go forward fires at the moment of
    /// the change, so that a daily backup isn't left out; one that comes twice when they go back fires the first time
    /// only. Schedules with `*` in the hour field go by real time: they fire in both of the doubled hours.
    func next(after moment: Timestamp) -> Timestamp? {
        switch rule {
        case .every(let seconds):
            let now = Int64((Double(moment.unixMs) / 1000).rounded(.down))
            return Timestamp(unixSeconds: (now / seconds + 1) * seconds)
        case .fields(let fields):
            return next(fields, after: moment)
        }
    }

    private func next(_ fields: Fields, after moment: Timestamp) -> Timestamp? {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = timeZone
        let start = Date(timeIntervalSince1970: Double(moment.unixMs) / 1000)
        // One day early: a moment that a change of clocks moved may belong to the wall-clock day before.
        guard var day = calendar.date(byAdding: .day, value: -1, to: calendar.startOfDay(for: start)),
            let end = calendar.date(byAdding: .year, value: Self.searchYears, to: start)
        else { return nil }
        while day <= end {
            let parts = calendar.dateComponents([.year, .month, .day, .weekday], from: day)
            guard let year = parts.year, let month = parts.month, let dayOfMonth = parts.day,
                let weekday = parts.weekday
            else { return nil }
            if fields.months & (1 << UInt64(month)) != 0, fields.matches(day: dayOfMonth, weekday: weekday - 1) {
                let found = moments(fields, year: year, month: month, day: dayOfMonth).filter { $0 > moment }.min()
                if let found { return found }
            }
            // Noon plus a day can't stumble over a change of clocks; then back to that day's beginning.
            guard let noon = calendar.date(byAdding: .hour, value: 12, to: day),
                let following = calendar.date(byAdding: .day, value: 1, to: noon)
            else { return nil }
            day = calendar.startOfDay(for: following)
        }
        return nil
    }

    /// Every moment of one wall-clock day at which the fields fire.
    private func moments(_ fields: Fields, year: Int, month: Int, day: Int) -> [Timestamp] {
        let midnight = Self.unixSeconds(year: year, month: month, day: day)
        var found: [Timestamp] = []
        for hour in 0..<24 where fields.hours & (1 << UInt64(hour)) != 0 {
            for minute in 0..<60 where fields.minutes & (1 << UInt64(minute)) != 0 {
                let wall = midnight + Int64(hour * 3600 + minute * 60)
                found += instants(ofWallClock: wall, isEveryHour: fields.hours == (1 << 24) - 1)
            }
        }
        return found
    }

    /// The moments at which the zone's clocks show a wall-clock time (given as if it were UTC): one, two, or, where the
    /// clocks jumped over it, the moment of the jump.
    private func instants(ofWallClock wall: Int64, isEveryHour: Bool) -> [Timestamp] {
        let offset = { (instant: Int64) in
            Int64(timeZone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(instant))))
        }
        // The offsets before and after any change near this day; a change moves clocks by less than a day.
        let before = offset(wall - 86_400)
        let after = offset(wall + 86_400)
        let candidates = Set([wall - before, wall - after]).filter { $0 + offset($0) == wall }.sorted()
        if let first = candidates.first {
            return isEveryHour ? candidates.map { Timestamp(unixSeconds: $0) } : [Timestamp(unixSeconds: first)]
        }
        // In a gap. An hourly schedule has the next hour right after it; others fire when the clocks jump.
        if isEveryHour { return [] }
        var low = wall - max(before, after)
        var high = wall - min(before, after)
        while low + 1 < high {
            let middle = (low + high) / 2
            if offset(middle) == before { low = middle } else { high = middle }
        }
        return [Timestamp(unixSeconds: high)]
    }

    private static func unixSeconds(year: Int, month: Int, day: Int) -> Int64 {
        let pad = { (value: Int, width: Int) in
            String(repeating: "0", count: max(0, width - String(value).count)) + String(value)
        }
        return (Timestamp("\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))T00:00:00Z")?.unixMs ?? 0) / 1000
    }
}

/// Durations of `@every`, which allow what ``GoDuration`` allows.
enum GoDurationText {
    /// Whole seconds; nil when the text is no duration.
    static func seconds(_ text: String) -> Int64? { GoDuration(text)?.seconds }
}
