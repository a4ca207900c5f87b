/// What a finished backup is: the last object that is written for it, at
/// `<repository prefix>/<namespace>/<target>/sessions/<session>.json`.
///
/// A backup without its manifest does not exist; a manifest is never changed.
public struct SessionManifest: Codable, Sendable, Hashable {
    /// One group's part.
    public struct Group: Codable, Sendable, Hashable {
        /// The group: replica set name, or `standalone`.
        public var group: String
        /// The pod whose agent made the snapshot.
        public var pod: String
        /// The job.
        public var jobID: String
        /// Its fence.
        public var fence: Int64
        /// The permit under which it published.
        public var permit: String
        /// The snapshot in the group's repository.
        public var snapshotID: String
        /// What the job reported.
        public var result: BackupResult
        /// Key of the archived log, relative to the repository's prefix; nil when there is none.
        public var log: String?
        /// What the group is to its sharded cluster; nil outside of one.
        public var role: ClusterPart.Role?
        /// The shard's name in the cluster.
        public var shard: String?

        /// Makes a part.
        public init(
            group: String,
            pod: String,
            jobID: String,
            fence: Int64,
            permit: String,
            snapshotID: String,
            result: BackupResult,
            log: String? = nil,
            role: ClusterPart.Role? = nil,
            shard: String? = nil
        ) {
            self.group = group
            self.pod = pod
            self.jobID = jobID
            self.fence = fence
            self.permit = permit
            self.snapshotID = snapshotID
            self.result = result
            self.log = log
            self.role = role
            self.shard = shard
        }
    }

    /// What proves the common cut of a sharded cluster's groups, beside each group's own lock point and oplog.
    public struct Cluster: Codable, Sendable, Hashable {
        /// The cluster's own id.
        public var id: String
        /// Every shard that belonged to it.
        public var shards: [ShardIdentity.Shard]
        /// How many tries at a common cut it took.
        public var rounds: Int
        /// Seconds of cluster time between the earliest and the latest lock point; nil when not all were locked.
        public var lockSpreadSeconds: Int?
        /// Milliseconds between the first and the last lock, by the coordinator's clock; nil when not all were locked.
        public var lockSpreadMs: Int64?
        /// Milliseconds of the longest lock; nil when there was none.
        public var longestLockMs: Int64?

        /// Makes one.
        public init(id: String, shards: [ShardIdentity.Shard], rounds: Int) {
            self.id = id
            self.shards = shards
            self.rounds = rounds
        }
    }

    /// 1; a reader refuses a greater one.
    public var formatVersion: Int
    /// Namespace of session and target.
    public var namespace: String
    /// The session.
    public var session: String
    /// The BackupConfiguration it came from.
    public var configuration: String
    /// The target.
    public var target: String
    /// Engine.
    public var engine: String
    /// When the session began.
    public var startTime: Timestamp
    /// When all its snapshots were there.
    public var endTime: Timestamp
    /// The point of history to which all groups restore, if there is one.
    public var cut: ClusterTime?
    /// The weakest promise of all groups.
    public var guarantee: Guarantee
    /// One part a group, by name.
    public var groups: [Group]
    /// The sharded cluster that the groups make up; nil for a group by itself.
    public var cluster: Cluster?
    /// Version of the coordinator that wrote it.
    public var writtenBy: String
    /// Who asked for it, or nil when the schedule did.
    public var requestedBy: String?

    /// The newest format there is.
    public static let currentFormatVersion = 1

    /// Makes a manifest of the current format.
    public init(
        session: ResourceKey,
        configuration: String,
        target: String,
        engine: String,
        startTime: Timestamp,
        endTime: Timestamp,
        cut: ClusterTime?,
        guarantee: Guarantee,
        groups: [Group],
        writtenBy: String,
        requestedBy: String?
    ) {
        self.formatVersion = Self.currentFormatVersion
        self.namespace = session.namespace
        self.session = session.name
        self.configuration = configuration
        self.target = target
        self.engine = engine
        self.startTime = startTime
        self.endTime = endTime
        self.cut = cut
        self.guarantee = guarantee
        self.groups = groups
        self.writtenBy = writtenBy
        self.requestedBy = requestedBy
    }
}

/// Where things are below a Repository's place: the one table that coordinator, agent and CLI share.
public enum StorageLayout {
    /// The target's own part: `<namespace>/<target>`.
    public static func targetPrefix(namespace: String, target: String) -> String { "\(namespace)/\(target)" }
    /// The restic repository of one group.
    public static func group(namespace: String, target: String, group: String) -> String {
        "\(namespace)/\(target)/\(group)"
    }
    /// Where a target's manifests are.
    public static func manifests(namespace: String, target: String) -> String { "\(namespace)/\(target)/sessions/" }
    /// The manifest of one session.
    public static func manifest(namespace: String, target: String, session: String) -> String {
        "\(namespace)/\(target)/sessions/\(session).json"
    }
    /// The archived log of one pod in one session.
    public static func log(namespace: String, target: String, session: String, pod: String) -> String {
        "\(namespace)/\(target)/logs/\(session)/\(pod).ndjson.zst"
    }
    /// `hostname` of a group's snapshots.
    public static func snapshotHost(namespace: String, target: String, group: String) -> String {
        "\(namespace)/\(target)/\(group)"
    }
    /// `hostname` of a session's lock files: no container has such a name.
    public static func lockHost(session: String) -> String { "remora/\(session)" }
    /// Names that a group can't have, because they mean something else below a target.
    public static let reservedGroups: Set<String> = ["sessions", "logs"]
}
