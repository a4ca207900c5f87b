/// One job of a session as its object shows it: on which pod, how far, and what became of it.
public struct SessionHost: Codable, Sendable, Hashable {
    /// Pod: one entry a pod.
    public var pod: String
    /// The pod's uid: another pod of that name is another one.
    public var podUID: String?
    /// Node on which the pod runs.
    public var node: String?
    /// Member, `host:port`.
    public var host: String?
    /// Group.
    public var group: String
    /// Role when it was chosen.
    public var role: MemberStatus.Role?
    /// Why this member was chosen.
    public var choice: String?
    /// The job.
    public var jobID: String
    /// From 1.
    public var attempt: Int
    /// Its fence.
    public var fence: Int64
    /// What became of it.
    public var phase: HostView.Phase
    /// When it was assigned.
    public var startTime: Timestamp?
    /// When it ended.
    public var completionTime: Timestamp?
    /// How far it is.
    public var progress: SessionProgress?
    /// What it stored in the group's repository.
    public var snapshotID: String?
    /// Why it failed.
    public var error: SessionFailure?
    /// How many warnings its result has; the manifest and the log have their texts.
    public var warnings: Int?
    /// Where its log is.
    public var log: SessionLog?

    /// Makes an entry.
    public init(pod: String, group: String, jobID: String, attempt: Int, fence: Int64, phase: HostView.Phase) {
        self.pod = pod
        self.group = group
        self.jobID = jobID
        self.attempt = attempt
        self.fence = fence
        self.phase = phase
    }

    /// Makes the entry of an attempt.
    ///
    /// - Parameters:
    ///   - view: the attempt.
    ///   - podUID: uid of its pod, where it is known.
    ///   - node: node of its pod, where it is known.
    ///   - now: when its progress was reported.
    ///   - isArchived: whether its log is beside the backup.
    public init(_ view: HostView, podUID: String? = nil, node: String? = nil, now: Timestamp, isArchived: Bool = false)
    {
        self.init(
            pod: view.pod,
            group: view.group,
            jobID: view.jobID,
            attempt: view.attempt,
            fence: view.fence,
            phase: view.phase
        )
        self.podUID = podUID
        self.node = node
        host = view.host
        role = view.role
        choice = view.choice
        startTime = view.startTime
        completionTime = view.endTime
        progress = view.progress.map { progress in
            let since = view.endTime == nil ? now.milliseconds(since: view.startTime) : nil
            return SessionProgress(progress, updateTime: view.endTime ?? now, elapsedMilliseconds: since)
        }
        snapshotID = view.backup?.snapshotID
        error = view.failure.map(SessionFailure.init)
        warnings = view.backup?.warnings.count ?? view.restore?.warnings.count
        log = SessionLog(bytes: view.logBytes, archived: isArchived)
    }
}

/// How far a job or a session is: for people, never a proof of anything.
public struct SessionProgress: Codable, Sendable, Hashable {
    /// 0 to 100; absent while the total is unknown.
    public var percent: Int?
    /// Bytes of database read (backup) or written (restore).
    public var bytesDone: Int64
    /// Bytes expected, as the server estimates them.
    public var bytesTotal: Int64?
    /// Bytes sent to the repository.
    public var bytesUploaded: Int64?
    /// Seconds that the rest will take if it goes on like this.
    public var etaSeconds: Int64?
    /// What is done right now, like `dump shop.orders`.
    public var step: String?
    /// When this was so.
    public var updateTime: Timestamp?

    /// Makes one.
    public init(bytesDone: Int64 = 0) { self.bytesDone = bytesDone }

    /// Makes one from what a job reports.
    ///
    /// - Parameters:
    ///   - progress: the report.
    ///   - updateTime: when it was made.
    ///   - elapsedMilliseconds: how long the job has been at it; nil for one that is over.
    public init(_ progress: JobProgress, updateTime: Timestamp, elapsedMilliseconds: Int64? = nil) {
        percent = progress.percent.map { Int($0) }
        bytesDone = progress.bytesDone
        bytesTotal = progress.bytesTotal > 0 ? progress.bytesTotal : nil
        bytesUploaded = progress.bytesUploaded
        step = progress.step.isEmpty ? nil : progress.step
        self.updateTime = updateTime
        // The first percent tells nothing yet of how fast it goes.
        if let elapsedMilliseconds, let share = progress.percent, share >= 1 {
            etaSeconds = Int64(Double(elapsedMilliseconds) / 1000 * (100 - share) / share)
        }
    }

    /// The progress of several jobs together; nil when there is none.
    ///
    /// The slowest decides when it will be over. A percentage is there only when all totals are known.
    public static func sum(_ parts: [SessionProgress]) -> SessionProgress? {
        guard let first = parts.first else { return nil }
        if parts.count == 1 { return first }
        var sum = SessionProgress(bytesDone: parts.reduce(0) { $0 + $1.bytesDone })
        let totals = parts.compactMap(\.bytesTotal)
        if totals.count == parts.count {
            let total = totals.reduce(0, +)
            sum.bytesTotal = total
            sum.percent = total > 0 ? Int(min(100, Double(sum.bytesDone) * 100 / Double(total))) : nil
        }
        sum.bytesUploaded = parts.reduce(0) { $0 + ($1.bytesUploaded ?? 0) }
        sum.etaSeconds = parts.compactMap(\.etaSeconds).max()
        sum.updateTime = parts.compactMap(\.updateTime).max()
        return sum
    }
}

/// Why a job failed.
public struct SessionFailure: Codable, Sendable, Hashable {
    /// Stable, like `databaseUnreachable`, `storageUnavailable`, `missingPrivilege`, `lost`.
    public var code: String
    /// One sentence for people.
    public var message: String
    /// Whether a new attempt, perhaps on another member, can help.
    public var retryable: Bool

    /// Makes one from what the job reported.
    public init(_ failure: JobFailure) {
        code = failure.code
        message = failure.message
        retryable = failure.isRetryable
    }
}

/// Where a job's log is; its lines are read through the coordinator.
public struct SessionLog: Codable, Sendable, Hashable {
    /// Bytes of it that the coordinator has.
    public var bytes: Int64
    /// Whether it lies beside the backup too, and so outlives pod and coordinator.
    public var archived: Bool
    /// True when lines are missing because it became too long.
    public var truncated: Bool?

    /// Makes one.
    public init(bytes: Int64, archived: Bool = false, truncated: Bool? = nil) {
        self.bytes = bytes
        self.archived = archived
        self.truncated = truncated
    }
}
