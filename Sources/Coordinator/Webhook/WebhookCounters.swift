public import Injector
import Synchronization

/// What the webhook has done since it began.
public final class WebhookCounters: Sendable {
    /// Upper ends of the buckets of ``Values/durations``, in seconds; one more bucket holds what took longer.
    public static let bounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2]

    /// The figures at one time.
    public struct Values: Sendable, Hashable {
        /// Answers by what was decided; questions about other things than pods count as `notAsked`.
        public var outcomes: [InjectionDecision.Outcome: Int] = [:]
        /// Refusals by their reason.
        public var reasons: [String: Int] = [:]
        /// Bodies that were no questions.
        public var malformed = 0
        /// How many answers took how long; as many as ``WebhookCounters/bounds`` and one.
        public var durations = [Int](repeating: 0, count: WebhookCounters.bounds.count + 1)
        /// Seconds of all answers together.
        public var seconds = 0.0
    }

    private let state = Mutex(Values())

    init() {}

    /// The figures now.
    public var values: Values { state.withLock(\.self) }

    func count(_ decision: InjectionDecision?, _ duration: Duration) {
        let seconds = duration / .seconds(1)
        let bucket = Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count
        state.withLock { values in
            values.outcomes[decision?.outcome ?? .notAsked, default: 0] += 1
            if let error = decision?.error { values.reasons[error.code.description, default: 0] += 1 }
            values.durations[bucket] += 1
            values.seconds += seconds
        }
    }

    func countMalformed() { state.withLock { $0.malformed += 1 } }
}
