/// What a backup would do if it began now: `remora backup NAME --plan`.
public struct BackupPlanView: Codable, Sendable, Hashable {
    /// One member of the plan.
    public struct Group: Codable, Sendable, Hashable {
        /// What the newest good backup of the group was like.
        public struct Last: Codable, Sendable, Hashable {
            /// Its session.
            public var session: String
            /// How long the member was read, milliseconds.
            public var durationMs: Int64
            /// How long the member was locked, milliseconds; nil when it wasn't.
            public var lockHeldMs: Int64?
            /// Bytes of documents.
            public var bytes: Int64
            /// Bytes that the repository didn't have yet, before compression.
            public var bytesAdded: Int64

            /// Makes one.
            public init(
                session: String,
                durationMs: Int64,
                lockHeldMs: Int64?,
                bytes: Int64,
                bytesAdded: Int64
            ) {
                self.session = session
                self.durationMs = durationMs
                self.lockHeldMs = lockHeldMs
                self.bytes = bytes
                self.bytesAdded = bytesAdded
            }
        }

        /// The group's name.
        public var name: String
        /// What it is to its sharded cluster; nil outside of one.
        public var role: ClusterPart.Role?
        /// The pod whose agent would do it; nil when nobody can.
        public var pod: String?
        /// The member that would be read, `host:port`.
        public var host: String?
        /// What the member is to its group.
        public var memberRole: MemberStatus.Role?
        /// How it would be read.
        public var consistency: Consistency?
        /// Why this member, or why none.
        public var reason: String
        /// Bytes of data by the server's estimate.
        public var dataBytes: Int64?
        /// Seconds that the member's oplog reaches back.
        public var oplogWindowSeconds: Int?
        /// How the last good one went.
        public var last: Last?

        /// Makes one for which nobody is chosen yet.
        public init(name: String, role: ClusterPart.Role?, reason: String) {
            self.name = name
            self.role = role
            self.reason = reason
        }
    }

    /// Something that a person should know, or see to, first.
    public struct Warning: Codable, Sendable, Hashable {
        /// The group; nil for the whole.
        public var group: String?
        /// What there is, in a sentence.
        public var message: String
        /// What to change.
        public var advice: String

        /// Makes one.
        public init(group: String? = nil, message: String, advice: String) {
            self.group = group
            self.message = message
            self.advice = advice
        }
    }

    /// Namespace of configuration and target.
    public var namespace: String
    /// The BackupConfiguration.
    public var configuration: String
    /// The AppBinding.
    public var target: String
    /// The Repository, `namespace/name`.
    public var repository: String
    /// `standalone`, `replica set` or `sharded cluster`; nil when it can't be told.
    public var topology: String?
    /// What the backup would wait for, or fail with.
    public var obstacles: [String]
    /// In the order of their names.
    public var groups: [Group]
    /// What is unsafe, or slow.
    public var warnings: [Warning]

    /// Makes a plan without groups.
    public init(namespace: String, configuration: String, target: String, repository: String) {
        self.namespace = namespace
        self.configuration = configuration
        self.target = target
        self.repository = repository
        obstacles = []
        groups = []
        warnings = []
    }
}
