/// What an informer remembers from one watch to the next: where to go on, and how long to pause.
struct InformerLoop {
    /// Where the next watch begins; nil when a list is needed.
    ///
    /// Opaque: never compared.
    var resourceVersion: String?
    private let timing: WatchTiming
    private let time: TimeSource
    private var backoff: Backoff
    private var begun: Duration?
    private var hasHeard = false
    private var hasFailed = false
    private var retryAfter: Duration?

    init(timing: WatchTiming, time: TimeSource) {
        self.timing = timing
        self.time = time
        backoff = Backoff(first: timing.firstDelay, longest: timing.longestDelay)
    }

    /// A watch begins.
    mutating func begin() {
        begun = time.elapsed()
        hasHeard = false
    }

    /// An event came.
    mutating func heard() { hasHeard = true }

    /// The server ended the watch as it does after some minutes, or as soon as it began, which is a failure.
    mutating func ended() {
        let lasted = begun.map { time.elapsed() - $0 } ?? .zero
        hasFailed = !hasHeard && lasted < timing.veryShort
    }

    /// List or watch failed.
    mutating func failed(_ error: KubernetesError) {
        hasFailed = true
        retryAfter = error.retryAfter
        // After an event that can't be read, nobody knows what it would have said.
        if error.isExpired || error.code == .malformedAnswer { resourceVersion = nil }
    }

    /// How long to pause before the next list or watch.
    mutating func pause() -> Duration {
        defer {
            begun = nil
            hasFailed = false
            retryAfter = nil
        }
        if let begun, time.elapsed() - begun >= timing.healthy { backoff.reset() }
        guard hasFailed else {
            if hasHeard { backoff.reset() }
            return .zero
        }
        let jittered = backoff.next(chance: time.chance())
        return max(jittered, retryAfter ?? .zero)
    }
}
