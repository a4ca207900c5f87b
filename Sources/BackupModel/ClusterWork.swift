/// What a member of a sharded cluster knows of the cluster that it belongs to.
public struct ShardIdentity: Codable, Sendable, Hashable {
    /// One shard of the cluster, as the config server lists it.
    public struct Shard: Codable, Sendable, Hashable {
        /// The shard's name in the cluster (`config.shards._id`).
        public var name: String
        /// The replica set that holds it.
        public var replicaSet: String

        /// Makes one.
        public init(name: String, replicaSet: String) {
            self.name = name
            self.replicaSet = replicaSet
        }
    }

    /// The cluster's id, the same on every member of it.
    public var clusterID: String
    /// Whether the member belongs to the config server.
    public var isConfigServer: Bool
    /// The name of the member's shard; nil on the config server.
    public var shard: String?
    /// Every shard of the cluster; only the config server knows them.
    public var shards: [Shard]

    /// Makes one.
    public init(clusterID: String, isConfigServer: Bool, shard: String? = nil, shards: [Shard] = []) {
        self.clusterID = clusterID
        self.isConfigServer = isConfigServer
        self.shard = shard
        self.shards = shards
    }
}

/// A group's part in a backup or restore of a whole sharded cluster.
///
/// The jobs of such a session meet at two points: nobody else starts before the config server's job is
/// ``JobMilestone/Stage/ready``, and nobody ends before all are ``JobMilestone/Stage/finished``.
public struct ClusterPart: Codable, Sendable, Hashable {
    /// What the group is to its cluster.
    public enum Role: String, Codable, Sendable, CaseIterable {
        /// Stops the balancer first and gives it back last.
        case configServer
        /// Begins when the config server is ready.
        case shard
    }

    /// What the group is to its cluster.
    public var role: Role
    /// Every shard that the session works on.
    public var shards: [ShardIdentity.Shard]
    /// When the session began, milliseconds since 1970: what the cluster did to its layout since then concerns it.
    public var begunMs: Int64
    /// For a restore: names of shards in the backup → in the target.
    public var shardNames: [String: String]?
    /// For a backup with consistency `snapshot`: the point of history at which the config server is read, and so every
    /// shard.
    public var readAt: ClusterTime?

    /// Makes one.
    public init(
        role: Role,
        shards: [ShardIdentity.Shard],
        begunMs: Int64,
        shardNames: [String: String]? = nil,
        readAt: ClusterTime? = nil
    ) {
        self.role = role
        self.shards = shards
        self.begunMs = begunMs
        self.shardNames = shardNames
        self.readAt = readAt
    }
}

/// How far a job of a session with several groups has come, as far as the others must know.
public struct JobMilestone: Codable, Sendable, Hashable {
    /// The two places where jobs of one session meet, in their order.
    public enum Stage: String, Codable, Sendable, CaseIterable, Comparable {
        /// The others may start: the balancer is off, the member is locked (backup) or cleared (restore).
        case ready
        /// Everything that must precede the others' ends is done: all is read and unlocked (backup), written (restore).
        case finished

        /// Order in a job's life.
        public static func < (left: Stage, right: Stage) -> Bool { left == .ready && right == .finished }
    }

    /// The latest one reached.
    public var stage: Stage
    /// A backup's point of history there.
    ///
    /// When ready: the lock point. When finished: the earliest cut at which this group is exact.
    public var point: ClusterTime?

    /// Makes one.
    public init(_ stage: Stage, point: ClusterTime? = nil) {
        self.stage = stage
        self.point = point
    }
}

/// What a job may know of the others, so that it can go on from a milestone; part of the desired document.
public struct JobDirective: Codable, Sendable, Hashable {
    /// Whether all others are finished.
    ///
    /// For the config server: every shard's job. For a shard: all others, the config server's too.
    public var othersFinished: Bool
    /// The cut to which every group's snapshot must restore; set when every group of a backup is finished.
    public var cut: ClusterTime?

    /// Makes one.
    public init(othersFinished: Bool = false, cut: ClusterTime? = nil) {
        self.othersFinished = othersFinished
        self.cut = cut
    }
}

/// A balancer that a job stopped, as it reports it.
public struct BalancerReport: Codable, Sendable, Hashable {
    /// The cluster's config server, as a replica set's name: the ledger keeps balancers by it.
    public var configServer: String
    /// True from the moment before it is stopped until it is known to be as it was.
    public var isStopped: Bool
    /// Whether it was on before: what was off stays off.
    public var wasOn: Bool
    /// Milliseconds it has been, or was, stopped.
    public var stoppedMs: Int64
    /// Milliseconds until the agent gives it back by itself.
    public var remainingMs: Int64
    /// Why it was given back, like `session done` or `lease lapsed`.
    public var endReason: String?
    /// How it was, for the agent that gives it back when this one can't: the engine's own text.
    public var evidence: String?

    /// Makes a report.
    public init(
        configServer: String,
        isStopped: Bool,
        wasOn: Bool,
        stoppedMs: Int64 = 0,
        remainingMs: Int64 = 0,
        endReason: String? = nil,
        evidence: String? = nil
    ) {
        self.configServer = configServer
        self.isStopped = isStopped
        self.wasOn = wasOn
        self.stoppedMs = stoppedMs
        self.remainingMs = remainingMs
        self.endReason = endReason
        self.evidence = evidence
    }
}
