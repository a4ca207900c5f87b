/// How fast a count grows: over the last ten seconds, so that a pause shows soon and a burst doesn't rule.
struct RateMeter: Sendable {
    private var samples: [(time: Duration, count: Int64)] = []
    private static let window = Duration.seconds(10)

    /// Notes the count at a time, which must not run backwards.
    mutating func add(_ count: Int64, at time: Duration) {
        // Before the first byte nothing is slow, and a new attempt starts from nothing.
        if let last = samples.last, count < last.count || last.count == 0 {
            samples = count > 0 ? samples.suffix(1) : []
        }
        if let last = samples.last, count < last.count { samples = [] }
        samples.append((time, count))
        // One sample older than the window stays, so that the window is covered.
        while samples.count > 2, samples[1].time < time - Self.window { samples.removeFirst() }
    }

    /// Per second; nil before there is anything to tell by.
    var perSecond: Double? {
        guard let first = samples.first, let last = samples.last, last.time - first.time >= .milliseconds(900) else {
            return nil
        }
        return Double(last.count - first.count) / ((last.time - first.time) / .seconds(1))
    }
}
