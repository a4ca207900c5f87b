/// What a supervisor knows of its worker and does about it: no process, no clock.
///
/// Whatever happens to the worker, the supervisor lives on: in a pod its end would be the end of a container, and the
/// database beside it would not be ready for that time.
struct Supervision: Sendable {
    /// Pause before the first new start; it doubles with every worker that dies young.
    static let firstPause: Duration = .seconds(1)
    /// Longest pause, and so how often a configuration that makes no sense is read and complained of.
    static let longestPause: Duration = .seconds(60)
    /// A worker that lived so long was well: what ends it then is a new story.
    static let longLife: Duration = .seconds(60)
    /// After so long without a word from the worker something is wrong.
    static let worryingSilence: Duration = .seconds(30)
    /// After so long it is killed: a hung process does its database no good, and a fresh one releases its locks.
    ///
    /// Longer than the lease of a job: everything that an agent must not miss is missed by then.
    static let longestSilence: Duration = .seconds(120)
    /// The most time that one round of the supervisor counts: when the whole machine or pod stood still, the worker
    /// can't be blamed for its silence.
    static let longestRound: Duration = .seconds(2)

    /// What the worker does.
    private enum Phase: Sendable {
        case running(since: ContinuousClock.Instant)
        /// Has ended; the next one starts then.
        case pausing(until: ContinuousClock.Instant)
    }

    private var phase: Phase
    private var silence: Duration = .zero
    private var report: HealthReport?
    /// Workers in a row that died young.
    private(set) var failures = 0
    private var lastEnd = ""

    /// Nothing runs yet, and the first worker is due.
    init(at now: ContinuousClock.Instant) { phase = .pausing(until: now) }

    /// Whether a worker should be started now.
    func isStartDue(at now: ContinuousClock.Instant) -> Bool {
        if case .pausing(let until) = phase { now >= until } else { false }
    }

    /// When the next worker is due; nil while one runs.
    var nextStart: ContinuousClock.Instant? {
        if case .pausing(let until) = phase { until } else { nil }
    }

    /// Whether the worker has been silent for too long to be left alone.
    var isStuck: Bool {
        if case .running = phase { silence >= Self.longestSilence } else { false }
    }

    /// A worker was started.
    mutating func started(at now: ContinuousClock.Instant) {
        phase = .running(since: now)
        silence = .zero
        report = nil
    }

    /// The worker said how it is.
    mutating func heard(_ report: HealthReport) {
        self.report = report
        silence = .zero
    }

    /// A round of the supervisor has passed.
    mutating func passed(_ elapsed: Duration) { silence += min(elapsed, Self.longestRound) }

    /// The worker has ended, or could not be started.
    ///
    /// - Parameters:
    ///   - how: like "ended with code 1".
    ///   - now: the time.
    /// - Returns: a sentence for the log: what happened, and when the next one starts.
    mutating func ended(_ how: String, at now: ContinuousClock.Instant) -> String {
        if case .running(let since) = phase, since.duration(to: now) >= Self.longLife { failures = 0 }
        failures += 1
        // 2^6 s is above the longest pause: the exponent is bounded only to keep the multiplication in range.
        let pause = min(Self.longestPause, Self.firstPause * (1 << min(failures - 1, 6)))
        phase = .pausing(until: now + pause)
        // Its last word is the reason, as nobody else knows it.
        let reason = report.flatMap { $0.state == .healthy ? nil : ": \($0.sentence)" } ?? ""
        lastEnd = "\(how)\(reason)"
        return "the worker \(lastEnd); the next one starts in \(pause.components.seconds) s"
    }

    /// What is answered to who asks.
    func health(at now: ContinuousClock.Instant) -> HealthReport {
        switch phase {
        case .pausing(let until):
            guard failures > 0 else { return HealthReport(.healthy, "the agent begins") }
            let left = max(0, now.duration(to: until).components.seconds)
            return HealthReport(.troubled, "the worker \(lastEnd); start \(failures + 1) comes in \(left) s")
        case .running:
            if silence >= Self.worryingSilence {
                return HealthReport(
                    .troubled,
                    "the worker has said nothing for \(silence.components.seconds) s; it is started anew after "
                        + "\(Self.longestSilence.components.seconds) s"
                )
            }
            if let report { return report }
            if failures == 0 { return HealthReport(.healthy, "the agent begins") }
            return HealthReport(.troubled, "the worker \(lastEnd); start \(failures + 1) has just begun")
        }
    }
}
