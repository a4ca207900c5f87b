import BackupModel

/// Which sessions are due: a pure function from configurations, the past and the clock.
enum Scheduler {
    /// One configuration with what is known of its past.
    struct Entry: Sendable {
        var configuration: BackupConfiguration
        /// The newest time of the schedule that was dealt with; nil: it is seen for the first time.
        var lastHandled: Timestamp?
    }

    /// What is to be done for one configuration now.
    enum Decision: Sendable, Hashable {
        /// Nothing was missed; wait until then.
        case wait(until: Timestamp?)
        /// The schedule is seen for the first time: remember `now`, so that nothing before it counts as missed.
        case adopt(now: Timestamp)
        /// Start a session for this time of the schedule.
        case fire(scheduled: Timestamp, skipped: Int)
        /// Runs were missed for longer than the deadline; go on after this one.
        case missed(scheduled: Timestamp, count: Int)
    }

    /// Absent `startingDeadlineSeconds` means this.
    static let defaultStartingDeadlineSeconds: Int64 = 3600
    /// A catch-up looks at no more missed times than this (a week of minutes).
    private static let maximumMissed = 10_080

    /// Decides for one configuration.
    ///
    /// Of several missed times only the newest fires, and only if it isn't older than the deadline: the backup at
    /// noon makes those of ten and eleven superfluous.
    static func decide(_ entry: Entry, schedule: CronSchedule, now clock: Timestamp) -> Decision {
        // Jitter is a clock that is late: everything else stays as it is, the times in sessions' names too.
        let lateMs = jitterMilliseconds(of: entry.configuration)
        let now = clock.adding(milliseconds: -lateMs)
        guard let last = entry.lastHandled else { return .adopt(now: clock) }
        guard var due = schedule.next(after: last), due <= now else {
            return .wait(until: nextRun(of: entry.configuration, schedule: schedule, after: last, now: clock))
        }
        var count = 1
        while count < maximumMissed, let following = schedule.next(after: due), following <= now {
            due = following
            count += 1
        }
        let deadline =
            entry.configuration.spec.startingDeadlineSeconds.map(Int64.init) ?? defaultStartingDeadlineSeconds
        // A run that is due this minute is never late, whatever the deadline says.
        if now <= due.adding(seconds: max(deadline, 60)) { return .fire(scheduled: due, skipped: count - 1) }
        return .missed(scheduled: due, count: count)
    }

    /// How late a configuration's runs begin: always the same for the same name, and spread over its jitter.
    static func jitterMilliseconds(of configuration: BackupConfiguration) -> Int64 {
        let range = UInt64(max(0, configuration.spec.jitterSeconds ?? 0)) * 1000
        guard range > 0 else { return 0 }
        // FNV-1a: Swift's own hash differs from one process to the next.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in configuration.key.description.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        // Names that differ in their last letters differ in the low bits only; mixed, they spread.
        hash ^= hash >> 33
        hash = hash &* 0xFF51_AFD7_ED55_8CCD
        hash ^= hash >> 33
        return Int64(hash % range)
    }

    /// When a configuration runs next, after what was dealt with.
    static func nextRun(
        of configuration: BackupConfiguration,
        schedule: CronSchedule,
        after lastHandled: Timestamp?,
        now: Timestamp
    ) -> Timestamp? {
        let lateMs = jitterMilliseconds(of: configuration)
        let clock = now.adding(milliseconds: -lateMs)
        return schedule.next(after: max(clock, lastHandled ?? clock))?.adding(milliseconds: lateMs)
    }

    /// The name of the session for one time of the schedule: the same whoever computes it.
    static func sessionName(configuration: String, scheduled: Timestamp) -> String {
        "\(configuration)-\(scheduled.unixMs / 60_000)"
    }
}
