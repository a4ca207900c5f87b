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
    static func decide(_ entry: Entry, schedule: CronSchedule, now: Timestamp) -> Decision {
        guard let last = entry.lastHandled else { return .adopt(now: now) }
        guard var due = schedule.next(after: last), due <= now else {
            return .wait(until: schedule.next(after: max(last, now)))
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

    /// The name of the session for one time of the schedule: the same whoever computes it.
    static func sessionName(configuration: String, scheduled: Timestamp) -> String {
        "\(configuration)-\(scheduled.unixMs / 60_000)"
    }
}
