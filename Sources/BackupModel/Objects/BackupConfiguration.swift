/// What is backed up, when, and where to (kind `BackupConfiguration`).
public typealias BackupConfiguration = Resource<BackupConfigurationSpec>

/// What a `BackupConfiguration` wants (Stash's field names, and `timeZone`, `startingDeadlineSeconds` from CronJob).
public struct BackupConfigurationSpec: ResourceSpec {
    /// When: five cron fields or a macro (`@daily`, `@every 6h`).
    ///
    /// Absent: only on request.
    public var schedule: String?
    /// Time zone of the schedule, like `Europe/Berlin`.
    ///
    /// Absent: UTC.
    public var timeZone: String?
    /// A run that was missed (the coordinator was down) is caught up if it is not older than this.
    ///
    /// Absent: 3600.
    public var startingDeadlineSeconds: Int?
    /// Runs begin up to so many seconds late, each configuration always equally late, so that not all begin at once.
    ///
    /// Absent: 0.
    public var jitterSeconds: Int?
    /// What a run does while the one before it goes on.
    ///
    /// Absent, and only: `Skip`.
    public var concurrencyPolicy: ConcurrencyPolicy?
    /// How.
    public var task: TaskReference?
    /// Where to.
    public var repository: ResourceReference
    /// What.
    public var target: TargetReference
    /// True: the schedule does nothing; requests still work.
    public var paused: Bool?
    /// The longest a session may take.
    ///
    /// Absent: 24h.
    public var timeOut: GoDuration?
    /// What happens when an attempt fails.
    public var retryConfig: RetryConfig?
    /// How many finished sessions are remembered, of good and of bad ones each.
    ///
    /// Absent: 20.
    public var backupHistoryLimit: Int?
    /// Which backups are kept.
    ///
    /// Absent: all.
    public var retentionPolicy: RetentionPolicy?
    /// `Restic`, the only one.
    public var driver: String?
    /// Accepted and unused: everything streams.
    public var interimVolumeTemplate: OpaqueValue?
    /// Accepted and unused: nothing is staged.
    public var tempDir: OpaqueValue?
    /// Accepted and unused: agents run beside their database.
    public var runtimeSettings: OpaqueValue?

    /// What a run does while the one before it goes on.
    public enum ConcurrencyPolicy: String, Codable, Sendable, CaseIterable {
        /// It becomes a session with phase `Skipped`.
        case skip = "Skip"
    }

    /// Makes a spec.
    public init(
        schedule: String? = nil,
        timeZone: String? = nil,
        task: TaskReference? = nil,
        repository: ResourceReference,
        target: TargetReference
    ) {
        self.schedule = schedule
        self.timeZone = timeZone
        self.task = task
        self.repository = repository
        self.target = target
    }

    /// `BackupConfiguration`.
    public static let kind = "BackupConfiguration"

    /// What is wrong with it by itself; schedule and time zone are judged by the scheduler.
    public func problems() -> [FieldProblem] {
        var found = target.problems().map { FieldProblem("target." + $0.path, $0.message) }
        if target.rules != nil { found.append(FieldProblem("target.rules", "is for a RestoreSession only")) }
        if let reason = ResourceName.reasonAgainst(repository.name) {
            found.append(FieldProblem("repository.name", reason))
        }
        if let driver, driver != "Restic" { found.append(FieldProblem("driver", "is '\(driver)'; allowed: Restic")) }
        if let value = startingDeadlineSeconds, value < 0 {
            found.append(FieldProblem("startingDeadlineSeconds", "must not be negative"))
        }
        if let value = jitterSeconds, !(0...Self.maximumJitterSeconds).contains(value) {
            found.append(FieldProblem("jitterSeconds", "is \(value); allowed: 0 to \(Self.maximumJitterSeconds)"))
        }
        found += BackupPolicy(
            backupHistoryLimit: backupHistoryLimit,
            timeOut: timeOut,
            retryConfig: retryConfig,
            retentionPolicy: retentionPolicy,
            task: task
        ).problems()
        return found
    }

    /// The longest jitter: a day.
    public static let maximumJitterSeconds = 86_400

    /// What is accepted but does nothing: one sentence each, for conditions.
    public var notices: [String] {
        var notices: [String] = []
        if interimVolumeTemplate != nil {
            notices.append("spec.interimVolumeTemplate is unused: everything streams, nothing is staged on a volume")
        }
        if tempDir != nil { notices.append("spec.tempDir is unused: nothing is staged") }
        if runtimeSettings != nil {
            notices.append("spec.runtimeSettings is unused: agents run beside their database")
        }
        return notices
    }
}

/// A task by name, and its parameters.
public struct TaskReference: Codable, Sendable, Hashable {
    /// One parameter.
    public struct Parameter: Codable, Sendable, Hashable {
        /// Name.
        public var name: String
        /// Value, always a text.
        public var value: String

        /// Makes one.
        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// `mongodb-backup`, `mongodb-restore`, or that of a `Task` of your own.
    public var name: String
    /// Its parameters.
    public var params: [Parameter]?

    /// Makes a reference.
    public init(name: String, params: [Parameter]? = nil) {
        self.name = name
        self.params = params
    }
}

/// What happens when an attempt fails.
public struct RetryConfig: Codable, Sendable, Hashable {
    /// Further attempts after the first; absent: 2.
    public var maxRetry: Int?
    /// Time between them; absent: 30s.
    public var delay: GoDuration?

    /// Makes one.
    public init(maxRetry: Int? = nil, delay: GoDuration? = nil) {
        self.maxRetry = maxRetry
        self.delay = delay
    }
}

/// Which backups are kept.
public struct RetentionPolicy: Codable, Sendable, Hashable {
    /// For people.
    public var name: String?
    /// The newest so many.
    public var keepLast: Int?
    /// Of each of the last so many hours, the newest; and so on below.
    public var keepHourly: Int?
    /// See `keepHourly`.
    public var keepDaily: Int?
    /// See `keepHourly`.
    public var keepWeekly: Int?
    /// See `keepHourly`.
    public var keepMonthly: Int?
    /// See `keepHourly`.
    public var keepYearly: Int?
    /// Also remove the data that nothing refers to any more.
    public var prune: Bool?
    /// Only say what would be removed.
    public var dryRun: Bool?

    /// Makes a policy.
    public init(keepLast: Int? = nil) { self.keepLast = keepLast }

    func problems() -> [FieldProblem] {
        let counts = [
            ("keepLast", keepLast), ("keepHourly", keepHourly), ("keepDaily", keepDaily),
            ("keepWeekly", keepWeekly), ("keepMonthly", keepMonthly), ("keepYearly", keepYearly),
        ]
        var found = counts.filter { ($0.1 ?? 0) < 0 }.map { FieldProblem($0.0, "must not be negative") }
        if counts.allSatisfy({ ($0.1 ?? 0) <= 0 }) {
            found.append(FieldProblem("keepLast", "or another keep… must be greater than 0: nothing would be kept"))
        }
        return found
    }
}
