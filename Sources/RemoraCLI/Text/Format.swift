import Glibc

/// Numbers as people read them.
enum Format {
    /// `0 B`, `812 B`, `1.2 KiB`, `230 MiB`: three digits at most before the point's digit becomes noise.
    static func bytes(_ count: Int64) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
        var value = Double(count)
        var unit = 0
        // 1023.95 would round to "1024.0".
        while abs(value) >= (unit == 0 ? 1024 : 1023.95), unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        if unit == 0 { return "\(count) B" }
        return "\(abs(value) < 99.95 ? tenths(value) : String(Int64(value.rounded()))) \(units[unit])"
    }

    static func bytes(_ count: UInt64) -> String { bytes(Int64(clamping: count)) }

    /// `1,234,567`.
    static func count(_ value: Int64) -> String {
        var digits = String(value.magnitude)
        var groups: [String] = []
        while digits.count > 3 {
            groups.insert(String(digits.suffix(3)), at: 0)
            digits.removeLast(3)
        }
        groups.insert(digits, at: 0)
        return (value < 0 ? "-" : "") + groups.joined(separator: ",")
    }

    /// `1 document`, `2 documents`.
    static func count(_ value: Int64, _ noun: String) -> String { "\(count(value)) \(noun)\(value == 1 ? "" : "s")" }

    /// `0 s`, `59 s`, `1 min 5 s`, `2 h 3 min`, `3 d 4 h`.
    static func duration(seconds: Int64) -> String {
        let seconds = max(0, seconds)
        switch seconds {
        case ..<60: return "\(seconds) s"
        case ..<3600: return pair(seconds / 60, "min", seconds % 60, "s")
        case ..<86_400: return pair(seconds / 3600, "h", seconds / 60 % 60, "min")
        default: return pair(seconds / 86_400, "d", seconds / 3600 % 24, "h")
        }
    }

    /// As above; tenths of a second below ten seconds.
    static func duration(milliseconds: Int64) -> String {
        milliseconds < 10_000
            ? "\(tenths(Double(max(0, milliseconds)) / 1000)) s" : duration(seconds: milliseconds / 1000)
    }

    private static func pair(_ large: Int64, _ largeUnit: String, _ small: Int64, _ smallUnit: String) -> String {
        small == 0 ? "\(large) \(largeUnit)" : "\(large) \(largeUnit) \(small) \(smallUnit)"
    }

    /// `12 s ago`, `3 min ago`, `5 h ago`, `2 d ago`; `in 5 min` for what is to come.
    ///
    /// One unit is enough for a glance.
    static func age(seconds: Int64) -> String {
        let magnitude = Int64(clamping: seconds.magnitude)
        let text =
            switch magnitude {
            case ..<1: "now"
            case ..<60: "\(magnitude) s"
            case ..<3600: "\(magnitude / 60) min"
            case ..<172_800: "\(magnitude / 3600) h"
            default: "\(magnitude / 86_400) d"
            }
        if text == "now" { return text }
        return seconds >= 0 ? "\(text) ago" : "in \(text)"
    }

    /// `230 MiB/s`.
    static func rate(_ bytesPerSecond: Double) -> String {
        "\(bytes(Int64(max(0, bytesPerSecond).rounded())))/s"
    }

    /// `45 %`; 100 only when it is all.
    static func percent(_ value: Double) -> String { "\(value >= 100 ? 100 : Int(max(0, value))) %" }

    private static func tenths(_ value: Double) -> String {
        let tenths = Int64((value * 10).rounded())
        return "\(tenths / 10).\(abs(tenths % 10))"
    }
}
