/// How long to wait before a failed call is made again: exponential from 1 s to 60 s with full jitter, so that
/// thousands of agents whose coordinator went away don't come back in step.
struct Backoff: Sendable {
    /// Longest wait after the first failure.
    var base: Duration = .seconds(1)
    /// Longest wait at all.
    var cap: Duration = .seconds(60)
    /// Failures in a row so far.
    private(set) var failures = 0

    /// Whether this failure should be told: the first at once, then ever more seldom, or an hour without the
    /// coordinator would fill the log with one sentence.
    var isWorthTelling: Bool { failures.nonzeroBitCount == 1 }

    init(base: Duration = .seconds(1), cap: Duration = .seconds(60)) {
        self.base = base
        self.cap = cap
    }

    /// The call succeeded.
    mutating func succeed() {
        failures = 0
    }

    /// The call failed: how long to wait now.
    ///
    /// - Parameters:
    ///   - atLeast: what the other side asked for (`retryAfterMs`); the jitter comes on top of it.
    ///   - generator: where the jitter comes from.
    /// - Returns: the wait.
    mutating func fail(
        atLeast: Duration = .zero,
        using generator: inout some RandomNumberGenerator
    ) -> Duration {
        failures += 1
        // 2^20 × 1 s is far above any cap: the exponent is bounded only to keep the multiplication in range.
        let ceiling = min(cap, base * (1 << min(failures - 1, 20)))
        return atLeast + ceiling * Double.random(in: 0..<1, using: &generator)
    }

    /// As above, with the system's randomness.
    mutating func fail(atLeast: Duration = .zero) -> Duration {
        var generator = SystemRandomNumberGenerator()
        return fail(atLeast: atLeast, using: &generator)
    }
}

/// When to call the coordinator again after the check-in failed.
package struct ReconnectPolicy: Sendable {
    /// Failures in a row after which the coordinator is believed to be away, with every other agent waiting too.
    static let failuresUntilAway = 3

    /// The spread that the coordinator asked for.
    package var spread: Duration = .seconds(5)
    private var backoff = Backoff()

    /// Nothing has failed yet.
    package init() {}

    init(backoff: Backoff) { self.backoff = backoff }

    /// What kind of failure it was.
    package enum Failure: Sendable {
        /// The session token isn't good any more: the first time, registering again is all there is to do.
        case unauthorized
        /// Anything that may pass, with the wait asked for.
        case retryable(after: Duration)
        /// The coordinator goes down in good order and says when to come back.
        case draining(after: Duration)
    }

    /// A call succeeded.
    package mutating func succeed() { backoff.succeed() }

    /// How long to wait now.
    package mutating func delay(
        after failure: Failure,
        using generator: inout some RandomNumberGenerator
    ) -> Duration {
        switch failure {
        case .unauthorized:
            let delay = backoff.fail(using: &generator)
            return backoff.failures == 1 ? .zero : delay
        case .retryable(let after):
            let delay = backoff.fail(atLeast: after, using: &generator)
            guard backoff.failures == Self.failuresUntilAway else { return delay }
            return delay + spread * Double.random(in: 0..<1, using: &generator)
        case .draining(let after):
            // Already random by the coordinator's hand; never zero, so that a coordinator that drains for minutes
            // isn't asked in a loop.
            return max(after, .milliseconds(200))
        }
    }
}
