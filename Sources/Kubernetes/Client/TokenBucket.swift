import Synchronization

/// So many a second, and a few more at once after a quiet time.
struct TokenBucket: Sendable {
    private let perSecond: Double
    private let burst: Double
    /// May be negative: then those who took have to wait for their turn.
    private var tokens: Double
    private var filled: Duration

    init(perSecond: Double, burst: Int, now: Duration) {
        self.perSecond = perSecond
        self.burst = Double(burst)
        tokens = Double(burst)
        filled = now
    }

    /// Takes one and says how long to wait before using it.
    mutating func take(now: Duration) -> Duration {
        tokens = min(burst, tokens + (now - filled) / .seconds(1) * perSecond) - 1
        filled = now
        return tokens >= 0 ? .zero : .seconds(-tokens / perSecond)
    }
}

/// A bucket for many tasks.
final class RateLimit: Sendable {
    private let bucket: Mutex<TokenBucket>
    private let time: TimeSource

    init(perSecond: Double, burst: Int, time: TimeSource) {
        self.time = time
        bucket = Mutex(TokenBucket(perSecond: perSecond, burst: burst, now: time.elapsed()))
    }

    /// Waits for one's turn; throws when the task is cancelled.
    func wait() async throws {
        let now = time.elapsed()
        let pause = bucket.withLock { $0.take(now: now) }
        if pause > .zero { try await time.sleep(pause) }
    }
}
