import Glibc

/// The wall clock.
enum SystemTime {
    /// Whole seconds since 1970-01-01T00:00:00Z.
    static func secondsSinceEpoch() -> Int {
        Int(time(nil))
    }
}
