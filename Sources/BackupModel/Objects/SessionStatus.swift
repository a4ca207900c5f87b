/// What became of a session: a summary derived from its conditions, for people and lists.
public enum SessionPhase: String, Codable, Sendable, CaseIterable {
    /// Made, nothing done yet.
    case pending = "Pending"
    /// Waits for another session of the same target, or for the time of its next attempt.
    case queued = "Queued"
    /// Repositories are prepared or jobs are under way.
    case running = "Running"
    /// All jobs are done; the manifest is being written.
    case finalizing = "Finalizing"
    case succeeded = "Succeeded"
    case failed = "Failed"
    case cancelled = "Cancelled"
    /// Not run, because the one before it still was.
    case skipped = "Skipped"

    /// Whether nothing will happen any more.
    public var isFinal: Bool {
        switch self {
        case .pending, .queued, .running, .finalizing: false
        case .succeeded, .failed, .cancelled, .skipped: true
        }
    }
}

/// What was observed of a `BackupSession` or `RestoreSession`.
///
/// Conditions are the contract; everything else is for people, lists and a coordinator that takes over.
public struct SessionStatus: Codable, Sendable, Hashable {
    /// The generation of the spec that this is about.
    public var observedGeneration: Int64?
    /// Epoch of the coordinator that wrote it; a smaller one never replaces it.
    public var epoch: Int64?
    /// Summary of the conditions.
    public var phase: SessionPhase
    /// `Succeeded` and what stands behind it.
    public var conditions: [Condition]
    /// When it began.
    public var startTime: Timestamp?
    /// When it ended.
    public var completionTime: Timestamp?
    /// When it will be given up.
    public var deadlineTime: Timestamp?
    /// Seconds it took, or has taken.
    public var durationSeconds: Int64?
    /// The attempt that is under way or was the last, from 1.
    public var attempt: Int?
    /// When the next attempt begins, while one is awaited.
    public var nextAttemptTime: Timestamp?
    /// How far all its jobs are together.
    public var progress: SessionProgress?
    /// The newest job on every pod that took part: one entry a pod, at most ``maximumHosts``.
    public var hosts: [SessionHost]?
    /// Of a backup: what it stored; of a restore: what it takes.
    public var snapshot: SessionSnapshot?
    /// The coordinator's own record, for the one that takes over; nobody else reads it.
    public var record: String?

    /// Makes a status.
    public init(
        phase: SessionPhase,
        conditions: [Condition] = [],
        startTime: Timestamp? = nil,
        completionTime: Timestamp? = nil
    ) {
        self.phase = phase
        self.conditions = conditions
        self.startTime = startTime
        self.completionTime = completionTime
    }

    /// The most hosts, and groups of a snapshot, that the schema takes.
    public static let maximumHosts = 256
    /// The longest record that the schema takes, in characters.
    public static let maximumRecordLength = 262_144
}
