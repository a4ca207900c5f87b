/// How a dump is made consistent (task parameter `consistency`).
public enum Consistency: String, Codable, Sendable, CaseIterable {
    /// Lock a secondary while it is read; the default where a lockable secondary exists.
    case lock
    /// Read everything at one cluster time, without a lock.
    case snapshot
    /// Read without a lock, and the oplog up to the cut.
    case oplog
    /// A standalone, or nothing else is possible: said aloud in the manifest.
    case none
}

/// What a finished backup promises.
public enum Guarantee: String, Codable, Sendable, CaseIterable {
    /// Every group of a cluster restores to exactly one cluster time.
    case clusterCut = "cluster-cut"
    /// The group restores to exactly one point of its own history.
    case groupCut = "group-cut"
    /// One node as it was read, nobody writing to it being assumed.
    case node
    /// Read while it changed, without an oplog to close the gap.
    case fuzzy
}

/// Which namespaces a backup or restore touches: patterns `db.collection` with `*` as wild card.
public struct NamespaceSelection: Codable, Sendable, Hashable {
    /// Empty: everything.
    public var include: [String]
    /// Applied after `include`.
    public var exclude: [String]
    /// `from` → `to`, patterns with the same number of `*`; the first that matches wins.
    public var renames: [Rename]

    /// One rename.
    public struct Rename: Codable, Sendable, Hashable {
        /// Pattern of the name in the backup.
        public var from: String
        /// Pattern of the name in the target.
        public var to: String
        /// Makes one.
        public init(from: String, to: String) {
            self.from = from
            self.to = to
        }
    }

    /// Makes a selection; the default takes everything under its own name.
    public init(include: [String] = [], exclude: [String] = [], renames: [Rename] = []) {
        self.include = include
        self.exclude = exclude
        self.renames = renames
    }

    /// Whether it changes anything.
    public var isEverything: Bool { include.isEmpty && exclude.isEmpty && renames.isEmpty }
}

/// What an engine needs to know to back up its member.
public struct BackupSpec: Codable, Sendable, Hashable {
    /// How to make it consistent; nil lets the engine choose by the member's role.
    public var consistency: Consistency?
    /// Seconds a lock may be held before it is given up and the rest is read unlocked; with consistency `snapshot`,
    /// seconds of its history that the member is made to keep.
    public var lockBudgetSeconds: Int
    /// Share of the oplog window (0…1) that may pass under the lock.
    public var lockBudgetOplogShare: Double
    /// Readers at once; 0 lets the engine choose.
    public var parallelism: Int
    /// Which namespaces.
    public var selection: NamespaceSelection
    /// The group's part when a whole sharded cluster is backed up; nil for a group by itself.
    public var cluster: ClusterPart?
    /// What is run for a database that Remora doesn't know; nil for one that it does.
    public var command: CommandRecipe?

    /// Makes a spec; the defaults suit a replica set.
    public init(
        consistency: Consistency? = nil,
        lockBudgetSeconds: Int = 3600,
        lockBudgetOplogShare: Double = 0.5,
        parallelism: Int = 0,
        selection: NamespaceSelection = NamespaceSelection(),
        cluster: ClusterPart? = nil,
        command: CommandRecipe? = nil
    ) {
        self.consistency = consistency
        self.lockBudgetSeconds = lockBudgetSeconds
        self.lockBudgetOplogShare = lockBudgetOplogShare
        self.parallelism = parallelism
        self.selection = selection
        self.cluster = cluster
        self.command = command
    }
}

/// What an engine needs to know to restore into its group.
public struct RestoreSpec: Codable, Sendable, Hashable {
    /// What to do with a target that isn't empty.
    public enum Conflict: String, Codable, Sendable, CaseIterable {
        /// Refuse, naming what is there: the default.
        case failIfNotEmpty = "FailIfNotEmpty"
        /// Drop the collections that the backup has, leave others alone.
        ///
        /// Of a whole sharded cluster: the databases that the backup has, with all that is in them. A shard can't tell
        /// which of a database's collections another shard's part of the backup has.
        case dropCollections = "DropCollections"
    }

    /// The snapshot in the group's repository.
    public var snapshotID: String
    /// What to do with a target that isn't empty.
    public var conflict: Conflict
    /// Which namespaces, under which names.
    public var selection: NamespaceSelection
    /// Whether users and roles come back too (only with everything selected).
    public var usersAndRoles: Bool
    /// Insert streams at once; 0 lets the engine choose.
    public var parallelism: Int
    /// The group's part when a whole sharded cluster is restored; nil for a group by itself.
    public var cluster: ClusterPart?
    /// What is run for a database that Remora doesn't know; nil for one that it does.
    public var command: CommandRecipe?

    /// Makes a spec.
    public init(
        snapshotID: String,
        conflict: Conflict = .failIfNotEmpty,
        selection: NamespaceSelection = NamespaceSelection(),
        usersAndRoles: Bool = true,
        parallelism: Int = 0,
        cluster: ClusterPart? = nil,
        command: CommandRecipe? = nil
    ) {
        self.snapshotID = snapshotID
        self.conflict = conflict
        self.selection = selection
        self.usersAndRoles = usersAndRoles
        self.parallelism = parallelism
        self.cluster = cluster
        self.command = command
    }
}

/// What an agent needs to know to release what another member's agent left behind, over the network.
public struct ReleaseSpec: Codable, Sendable, Hashable {
    /// What was left behind.
    public enum Kind: String, Codable, Sendable, CaseIterable {
        /// A lock on `host`.
        case lock
        /// The balancer of the cluster whose config server the agent's member belongs to.
        case balancer
    }

    /// The locked member, `host:port`; for a balancer, the member whose agent stopped it.
    public var host: String
    /// The job that left it.
    public var ownerJobID: String
    /// What it left; nil means a lock.
    public var kind: Kind?
    /// What the owner reported that tells its lock from others (`LockReport.evidence`).
    public var evidence: String?

    /// Makes one.
    public init(host: String, ownerJobID: String, kind: Kind? = nil, evidence: String? = nil) {
        self.host = host
        self.ownerJobID = ownerJobID
        self.kind = kind
        self.evidence = evidence
    }
}
