/// How well a repository does: a summary derived from its conditions, for people and lists.
public enum RepositoryPhase: String, Codable, Sendable, CaseIterable {
    /// Nothing was tried yet.
    case pending = "Pending"
    /// Storage, secret and password are good.
    case ready = "Ready"
    /// One of them isn't; the condition says which.
    case notReady = "NotReady"
    /// The object is being deleted.
    case deleting = "Deleting"
}

/// What was observed of a `Repository`.
public struct RepositoryStatus: Codable, Sendable, Hashable {
    /// A backup in one line.
    public struct Snapshot: Codable, Sendable, Hashable {
        /// Namespace of its session.
        public var namespace: String
        /// Its session.
        public var session: String
        /// Its target.
        public var target: String
        /// When its snapshots were all there.
        public var time: Timestamp
        /// Bytes in all groups.
        public var sizeBytes: Int64

        /// Makes one.
        public init(_ backup: BackupView) {
            namespace = backup.namespace
            session = backup.session
            target = backup.target
            time = backup.time
            sizeBytes = backup.bytes
        }
    }

    /// An object that refers to the repository.
    public struct User: Codable, Sendable, Hashable {
        /// Its kind.
        public var kind: String
        /// Its namespace.
        public var namespace: String
        /// Its name.
        public var name: String

        /// Makes one.
        public init(kind: String = BackupConfigurationSpec.kind, namespace: String, name: String) {
            self.kind = kind
            self.namespace = namespace
            self.name = name
        }
    }

    /// The generation of the spec that this is about.
    public var observedGeneration: Int64?
    /// Summary of the conditions.
    public var phase: RepositoryPhase?
    /// `Ready` and what stands behind it.
    public var conditions: [Condition]
    /// How many backups there are.
    public var snapshotCount: Int?
    /// Bytes of data in all of them, as they were read; what is stored is less.
    public var sizeBytes: Int64?
    /// `sizeBytes` for people, like `75.7Gi`.
    public var size: String?
    /// When the oldest backup's snapshots were all there.
    public var firstBackupTime: Timestamp?
    /// When the newest backup's snapshots were all there.
    public var lastBackupTime: Timestamp?
    /// The newest backups, newest first; at most ``maximumSnapshots``.
    public var recentSnapshots: [Snapshot]?
    /// What refers to it; at most ``maximumUsers``.
    public var usedBy: [User]?

    /// Makes a status.
    public init(conditions: [Condition] = []) { self.conditions = conditions }

    /// The most entries of `recentSnapshots`.
    public static let maximumSnapshots = 10
    /// The most entries of `usedBy`.
    public static let maximumUsers = 50

    /// Takes over what the repository's backups tell.
    public mutating func show(_ backups: [BackupView]) {
        let newestFirst = backups.sorted { $0.time > $1.time }
        snapshotCount = backups.count
        let bytes = backups.reduce(Int64(0)) { $0.addingReportingOverflow($1.bytes).partialValue }
        sizeBytes = bytes
        size = ByteCount.text(bytes)
        firstBackupTime = newestFirst.last?.time
        lastBackupTime = newestFirst.first?.time
        recentSnapshots = newestFirst.prefix(Self.maximumSnapshots).map(Snapshot.init)
    }
}

extension RepositorySpec {
    /// What was observed.
    public typealias Status = RepositoryStatus
}
