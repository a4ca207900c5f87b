/// Pauses that double from one failure to the next and are shortened by chance down to nothing ("full jitter"), so that
/// many clients don't come back together.
struct Backoff: Sendable {
    let first: Duration
    let longest: Duration
    private(set) var failures = 0

    init(first: Duration, longest: Duration) {
        self.first = first
        self.longest = longest
    }

    /// The longest pause after a number of failures, before chance shortens it.
    static func ceiling(failures: Int, first: Duration, longest: Duration) -> Duration {
        // Beyond that the factor would overflow, and the maximum is long reached.
        min(longest, first * (1 << min(max(failures - 1, 0), 30)))
    }

    /// Counts a failure and says how long to pause.
    mutating func next(chance: Double) -> Duration {
        failures += 1
        return Self.ceiling(failures: failures, first: first, longest: longest) * chance
    }

    mutating func reset() { failures = 0 }
}
