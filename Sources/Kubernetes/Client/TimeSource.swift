public import BackupModel
import Glibc

/// Time and chance as the client sees them; tests bring their own.
public struct TimeSource: Sendable {
    /// Time that has passed since some fixed moment; never goes back.
    public var elapsed: @Sendable () -> Duration
    /// Waits; throws when the task is cancelled.
    public var sleep: @Sendable (Duration) async throws -> Void
    /// A number from 0 to 1.
    public var chance: @Sendable () -> Double
    /// What the wall clock shows; only written into objects, never compared with another's.
    public var wallClock: @Sendable () -> Timestamp

    /// Makes one from its parts.
    public init(
        elapsed: @escaping @Sendable () -> Duration,
        sleep: @escaping @Sendable (Duration) async throws -> Void,
        chance: @escaping @Sendable () -> Double,
        wallClock: @escaping @Sendable () -> Timestamp
    ) {
        self.elapsed = elapsed
        self.sleep = sleep
        self.chance = chance
        self.wallClock = wallClock
    }

    /// The real ones.
    public static let system: TimeSource = {
        let begun = ContinuousClock.now
        return TimeSource(
            elapsed: { ContinuousClock.now - begun },
            sleep: { try await Task.sleep(for: $0) },
            chance: { Double.random(in: 0...1) },
            wallClock: {
                var now = timespec()
                clock_gettime(CLOCK_REALTIME, &now)
                return Timestamp(unixMs: Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000)
            }
        )
    }()
}
