import Glibc

/// Whole milliseconds, for options and reports.
func milliseconds(_ duration: Duration) -> Int32 {
    let (seconds, attoseconds) = duration.components
    return Int32(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000)
}

/// For people: `1.250 s`.
func seconds(_ duration: Duration) -> String {
    let total = Int64(milliseconds(duration))
    let fraction = String(total % 1000)
    return "\(total / 1000).\(String(repeating: "0", count: 3 - fraction.count))\(fraction) s"
}

/// Seconds since 1970 by this machine's clock.
func unixSeconds() -> Int64 { Int64(time(nil)) }
