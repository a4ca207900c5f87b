import Foundation

/// Seconds, sorted, with what is asked of them.
struct Distribution: Sendable {
    private let sorted: [Double]

    init(_ seconds: [Double]) { sorted = seconds.sorted() }

    init(_ instants: [ContinuousClock.Instant], since start: ContinuousClock.Instant) {
        self.init(instants.map { ($0 - start) / .seconds(1) })
    }

    /// The least value that so many of a hundred don't exceed.
    func percentile(_ percent: Double) -> Double {
        guard !sorted.isEmpty else { return .nan }
        let rank = Int((percent / 100 * Double(sorted.count)).rounded(.up))
        return sorted[min(sorted.count, max(1, rank)) - 1]
    }

    var row: String {
        [percentile(50), percentile(99), percentile(100)].map { String(format: "%.2f", $0) }.joined(separator: " | ")
    }
}

/// Prints what was measured as it comes: a run takes minutes.
enum Report {
    static func line(_ text: String) {
        print(text)
        fflush(nil)
    }

    /// A figure beside its aim.
    static func figure(_ name: String, _ value: Double, _ unit: String, aim: Double?) {
        let ratio = aim.map { String(format: "%.2f of the aim (≤ %g %@)", value / $0, $0, unit) } ?? ""
        line("| \(name) | \(String(format: "%.2f", value)) \(unit) | \(ratio) |")
    }

    /// What went wrong, by kind.
    static func failures(_ failures: [String: Int]) -> String {
        failures.isEmpty
            ? "none" : failures.sorted { $0.key < $1.key }.map { "\($0.key) × \($0.value)" }.joined(separator: ", ")
    }
}

/// Processor seconds of this program so far.
func ownCPUSeconds() -> Double {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
        + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
}
