/// How often and how long to try again.
public struct RetryPolicy: Sendable {
    /// The most tries, the first one included.
    public var attempts: Int
    /// The longest pause before the second try; each further one may be twice as long.
    public var firstDelay: Duration
    /// The longest pause at all.
    public var maximumDelay: Duration
    /// No try begins later than this after the first one did.
    public var totalTime: Duration

    /// Makes a policy; the default rides out some minutes, as a store needs to start again.
    public init(
        attempts: Int = 20,
        firstDelay: Duration = .milliseconds(500),
        maximumDelay: Duration = .seconds(30),
        totalTime: Duration = .seconds(900)
    ) {
        self.attempts = attempts
        self.firstDelay = firstDelay
        self.maximumDelay = maximumDelay
        self.totalTime = totalTime
    }

    /// The longest pause after a number of failed tries, before chance shortens it.
    func longestDelay(afterFailures failures: Int) -> Duration {
        // Beyond that the factor would overflow, and the maximum is long reached.
        let doublings = min(max(failures - 1, 0), 30)
        return min(maximumDelay, firstDelay * (1 << doublings))
    }
}

/// Time and chance as a retry sees them; tests bring their own.
public struct RetryTiming: Sendable {
    /// Time that has passed since some fixed moment.
    public var elapsed: @Sendable () -> Duration
    /// Waits; throws when the task is cancelled.
    public var sleep: @Sendable (Duration) async throws -> Void
    /// A number from 0 to 1.
    public var chance: @Sendable () -> Double

    /// Makes one from its parts.
    public init(
        elapsed: @escaping @Sendable () -> Duration,
        sleep: @escaping @Sendable (Duration) async throws -> Void,
        chance: @escaping @Sendable () -> Double
    ) {
        self.elapsed = elapsed
        self.sleep = sleep
        self.chance = chance
    }

    /// The real ones.
    public static var system: RetryTiming {
        let begun = ContinuousClock.now
        return RetryTiming(
            elapsed: { ContinuousClock.now - begun },
            sleep: { try await Task.sleep(for: $0) },
            chance: { Double.random(in: 0...1) }
        )
    }
}

/// Tries calls of another store again when they fail with a transient error.
///
/// Pauses grow exponentially and are shortened by chance down to nothing ("full jitter"), so that many clients don't come
/// back together. Errors that won't go away are thrown at once, and so is cancellation.
public struct RetryingStore<Base: ObjectStore>: ObjectStore {
    private let base: Base
    private let policy: RetryPolicy
    private let timing: RetryTiming
    private let onRetry: @Sendable (String) -> Void

    /// Wraps a store.
    ///
    /// - Parameters:
    ///   - base: the store whose calls are tried again.
    ///   - policy: how often and how long.
    ///   - timing: time and chance.
    ///   - onRetry: told before each pause what failed and when the next try comes, for the log.
    public init(
        _ base: Base,
        policy: RetryPolicy = RetryPolicy(),
        timing: RetryTiming = .system,
        onRetry: @escaping @Sendable (String) -> Void
    ) {
        self.base = base
        self.policy = policy
        self.timing = timing
        self.onRetry = onRetry
    }

    /// Where this is, for people.
    public var location: String { base.location }

    /// Stores `bytes` under `key`.
    ///
    /// A conditional put whose answer was lost may have succeeded. When a later try then finds an object, it is compared:
    /// the same bytes are our own success.
    public func put(_ key: String, _ bytes: [UInt8], options: PutOptions) async throws {
        try await retry { hasFailedBefore in
            do {
                try await base.put(key, bytes, options: options)
            } catch let error as ObjectStorageError where error.code == .alreadyExists && hasFailedBefore {
                guard try await base.stat(key).size == bytes.count, try await base.get(key) == bytes else {
                    throw error
                }
            }
        }
    }

    /// The object's bytes, or those of `range`.
    public func get(_ key: String, range: Range<Int>?) async throws -> [UInt8] {
        try await retry { _ in try await base.get(key, range: range) }
    }

    /// Size of one object.
    public func stat(_ key: String) async throws -> ObjectInfo {
        try await retry { _ in try await base.stat(key) }
    }

    /// All objects whose key begins with `prefix`.
    public func list(prefix: String) async throws -> [ObjectInfo] {
        try await retry { _ in try await base.list(prefix: prefix) }
    }

    /// Removes an object; succeeds when there is none.
    public func delete(_ key: String) async throws {
        try await retry { _ in try await base.delete(key) }
    }

    private func retry<Value>(_ call: (_ hasFailedBefore: Bool) async throws -> Value) async throws -> Value {
        let begun = timing.elapsed()
        var failures = 0
        while true {
            do {
                return try await call(failures > 0)
            } catch var error as ObjectStorageError where error.isTransient {
                failures += 1
                try Task.checkCancellation()
                let spent = timing.elapsed() - begun
                guard failures < policy.attempts, spent < policy.totalTime else {
                    error.message +=
                        "; gave up after \(failures) \(failures == 1 ? "try" : "tries") in \(Self.seconds(spent))"
                    throw error
                }
                // One long pause by chance must not cost the time that is left: the last try is made when it is over.
                let pause = min(
                    policy.longestDelay(afterFailures: failures) * timing.chance(),
                    policy.totalTime - spent
                )
                let limit = policy.attempts == .max ? "" : " of \(policy.attempts)"
                onRetry("try \(failures + 1)\(limit) follows in \(Self.seconds(pause)): \(error.message)")
                try await timing.sleep(pause)
            }
        }
    }

    /// Seconds with one digit after the point.
    private static func seconds(_ duration: Duration) -> String {
        let tenths = Int(duration / .milliseconds(100))
        return "\(tenths / 10).\(tenths % 10) s"
    }
}
