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
public struct SessionStatus: Codable, Sendable, Hashable {
    /// Summary of the conditions.
    public var phase: SessionPhase
    /// `Succeeded` and what stands behind it.
    public var conditions: [Condition]
    /// When it began.
    public var startTime: Timestamp?
    /// When it ended.
    public var completionTime: Timestamp?

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
}
