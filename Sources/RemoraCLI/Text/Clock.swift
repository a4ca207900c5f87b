import BackupModel
import Glibc

/// A moment as coordinator and agents write it (`Repository` has a `Timestamp` of its own).
typealias Moment = BackupModel.Timestamp

/// Now, and the zone in which people read times.
struct Clock: Sendable {
    var now: @Sendable () -> Moment
    /// Offset from UTC in seconds and the zone's short name at a moment.
    var zone: @Sendable (Moment) -> (offset: Int64, name: String)

    /// The system's clock and zone (`TZ`).
    static let system = Clock(
        now: {
            var time = timespec()
            clock_gettime(CLOCK_REALTIME, &time)
            return Moment(unixMs: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
        },
        zone: { moment in
            var seconds = time_t(moment.unixMs / 1000)
            var parts = tm()
            guard localtime_r(&seconds, &parts) != nil, let name = parts.tm_zone else { return (0, "UTC") }
            return (Int64(parts.tm_gmtoff), String(cString: name))
        }
    )

    /// `2026-08-22 12:00:00 CEST`.
    func time(_ moment: Moment) -> String {
        let (offset, name) = zone(moment)
        return "\(local(moment, offset).prefix(19).replacing("T", with: " ")) \(name)"
    }

    /// `12:00:00`, for lines that follow each other.
    func timeOfDay(_ moment: Moment) -> String { String(local(moment, zone(moment).offset).prefix(19).suffix(8)) }

    /// `12:00:00.250`.
    func preciseTimeOfDay(_ moment: Moment) -> String {
        let milliseconds = ((moment.unixMs % 1000) + 1000) % 1000
        let digits = String(milliseconds)
        return "\(timeOfDay(moment)).\(String(repeating: "0", count: 3 - digits.count))\(digits)"
    }

    /// `3 min ago`.
    func age(_ moment: Moment) -> String { Format.age(seconds: (now().unixMs - moment.unixMs) / 1000) }

    /// `2026-08-22 12:00:00 CEST (3 min ago)`.
    func timeAndAge(_ moment: Moment) -> String { "\(time(moment)) (\(age(moment)))" }

    private func local(_ moment: Moment, _ offset: Int64) -> String {
        Moment(unixMs: moment.unixMs + offset * 1000).description
    }
}
