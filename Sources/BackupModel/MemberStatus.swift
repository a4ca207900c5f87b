/// What an agent sees when it looks at the database member beside it.
///
/// Engines fill what applies to them; the coordinator chooses members and explains its choice from it.
public struct MemberStatus: Codable, Sendable, Hashable {
    /// What the member is to its group.
    public enum Role: String, Codable, Sendable, CaseIterable {
        case standalone, primary, secondary, arbiter
        /// Starting, recovering, in rollback, in initial sync, removed: not to be used now.
        case other
    }

    /// One lock that the engine found on the member.
    public struct Lock: Codable, Sendable, Hashable {
        /// True when this agent's own note says so; a foreign lock is reported and never touched.
        public var isOurs: Bool
        /// The job that took it, if it is ours.
        public var jobID: String?
        /// Makes one.
        public init(isOurs: Bool, jobID: String? = nil) {
            self.isOurs = isOurs
            self.jobID = jobID
        }
    }

    /// Whether the last look at the member succeeded.
    public var isReachable: Bool
    /// The server's version, like `6.0.5`.
    public var version: String?
    /// Feature compatibility version, like `6.0`.
    public var featureCompatibilityVersion: String?
    /// What the member is to its group.
    public var role: Role?
    /// The group: the replica set's name, or nil for a standalone.
    public var group: String?
    /// The member's own address as its group knows it, `host:port`.
    public var host: String?
    /// The group's primary as this member sees it.
    public var primary: String?
    /// Every member of the group as this member sees it.
    public var members: [GroupMember]
    /// Seconds behind the primary; 0 on a primary.
    public var lagSeconds: Int?
    /// Election priority of this member.
    public var priority: Double?
    /// Hidden from clients.
    public var isHidden: Bool?
    /// Votes of this member.
    public var votes: Int?
    /// Configured delay in seconds.
    public var delaySeconds: Int?
    /// Seconds between the oldest and the newest oplog entry on this member.
    public var oplogWindowSeconds: Int?
    /// Bytes of data as the server estimates them: for display and choice only, never for a decision on what to read.
    public var dataBytes: Int64?
    /// Whether the rest of the group keeps its majority while this member is locked.
    public var isLockable: Bool?
    /// Why not, in one sentence, when it is not.
    public var notLockableReason: String?
    /// A lock found on the member.
    public var lock: Lock?
    /// The sharded cluster that the member belongs to; nil outside of one.
    public var sharding: ShardIdentity?
    /// What an operator should know: one sentence each.
    public var problems: [String]

    /// A status that says only whether the member answered.
    public init(isReachable: Bool, problems: [String] = []) {
        self.isReachable = isReachable
        self.members = []
        self.problems = problems
    }
}

/// One member of a group as another member sees it.
public struct GroupMember: Codable, Sendable, Hashable {
    /// `host:port`.
    public var host: String
    /// PRIMARY, SECONDARY, ARBITER, … as the server names it.
    public var state: String
    /// Whether it answers heartbeats.
    public var isHealthy: Bool
    /// Votes in elections.
    public var votes: Int
    /// Election priority.
    public var priority: Double

    /// Makes one from its parts.
    public init(host: String, state: String, isHealthy: Bool, votes: Int, priority: Double) {
        self.host = host
        self.state = state
        self.isHealthy = isHealthy
        self.votes = votes
        self.priority = priority
    }
}
