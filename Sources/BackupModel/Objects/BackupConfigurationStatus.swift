/// How well a configuration does: a summary derived from its conditions, for people and lists.
public enum ConfigurationPhase: String, Codable, Sendable, CaseIterable {
    /// The schedule fires, and a session can begin.
    case ready = "Ready"
    /// Something that it needs is missing or doesn't answer.
    case notReady = "NotReady"
    /// A person must change the object.
    case invalid = "Invalid"
    /// Good, and its schedule does nothing because the object says so.
    case paused = "Paused"
}

/// What was observed of a `BackupConfiguration`.
public struct BackupConfigurationStatus: Codable, Sendable, Hashable {
    /// The generation of the spec that this is about.
    public var observedGeneration: Int64?
    /// Summary of the conditions.
    public var phase: ConfigurationPhase?
    /// `Ready` and what stands behind it.
    public var conditions: [Condition]
    /// The target's pods and their agents.
    public var agents: AgentCounts?
    /// When the schedule last fired.
    public var lastScheduleTime: Timestamp?
    /// When it fires next.
    public var nextScheduleTime: Timestamp?
    /// The newest session.
    public var lastSession: SessionOutcome?
    /// The newest session that succeeded: the latest good backup.
    public var lastSuccess: SessionOutcome?

    /// Makes a status.
    public init(
        conditions: [Condition] = [],
        lastScheduleTime: Timestamp? = nil,
        nextScheduleTime: Timestamp? = nil
    ) {
        self.conditions = conditions
        self.lastScheduleTime = lastScheduleTime
        self.nextScheduleTime = nextScheduleTime
    }
}

/// How many agents a target has, and how many it should have.
public struct AgentCounts: Codable, Sendable, Hashable {
    /// Pods that ask for an agent.
    public var expected: Int
    /// Agents that the coordinator hears from.
    public var connected: Int
    /// Pods that have an agent from which nothing is heard.
    public var injectedButOffline: Int
    /// Pods that ask for an agent and have none: they must be started anew.
    public var uninjected: Int

    /// Makes counts.
    public init(expected: Int = 0, connected: Int = 0, injectedButOffline: Int = 0, uninjected: Int = 0) {
        self.expected = expected
        self.connected = connected
        self.injectedButOffline = injectedButOffline
        self.uninjected = uninjected
    }
}

/// A session in one line.
public struct SessionOutcome: Codable, Sendable, Hashable {
    /// Name of the session, in the object's namespace.
    public var name: String
    /// What became of it.
    public var phase: SessionPhase
    /// When it began.
    public var startTime: Timestamp?
    /// When it ended.
    public var completionTime: Timestamp?
    /// Bytes in all groups, of a backup that succeeded.
    public var sizeBytes: Int64?
    /// The point of history to which it restores.
    public var cut: ClusterTime?

    /// Makes one.
    public init(name: String, phase: SessionPhase, startTime: Timestamp? = nil, completionTime: Timestamp? = nil) {
        self.name = name
        self.phase = phase
        self.startTime = startTime
        self.completionTime = completionTime
    }
}

extension BackupConfigurationSpec {
    /// What was observed.
    public typealias Status = BackupConfigurationStatus
}
