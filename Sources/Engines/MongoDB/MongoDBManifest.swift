public import BackupModel

/// What is known of one MongoDB dump: the file `remora.json` in the snapshot's root.
///
/// The files beside it are a plain mongodump directory; this says what they promise and how to prove them whole.
public struct MongoDBManifest: Codable, Sendable, Hashable {
    /// The file's name in the snapshot's root.
    public static let fileName = "remora.json"
    /// The newest layout of this file that this code writes.
    public static let currentFormatVersion = 1

    /// The lock that the dump was made under.
    public struct Lock: Codable, Sendable, Hashable {
        /// The locked member, `host:port`.
        public var host: String
        /// The newest operation that the locked member had applied.
        public var point: ClusterTime
        /// Milliseconds between asking for the lock and having it.
        public var acquisitionMs: Int64
        /// Milliseconds it was held.
        public var heldMs: Int64
        /// Whether everything was read before it was released.
        public var coveredWholeDump: Bool
        /// Why it ended: `dump finished`, `budget used up`, `lease lapsed`, and so on.
        public var endReason: String
    }

    /// `oplog.bson`.
    public struct Oplog: Codable, Sendable, Hashable {
        /// Time of the first entry.
        public var start: ClusterTime
        /// Time of the last entry: the cut, or before it where nothing was written then; behind it when a transaction that
        /// had been committed by the cut got its entry only later.
        public var end: ClusterTime
        /// Entries.
        public var count: Int64
        /// Bytes.
        public var bytes: Int64
        /// CRC-64 of the file, 16 hexadecimal digits.
        public var crc64: String
    }

    /// The dump's place in a sharded cluster.
    ///
    /// Restored to the same cut on every group, a dump has the cluster's documents, routing tables and transactions as
    /// of that moment. A shard may hold documents of ranges that it doesn't own (orphans): `config.rangeDeletions` in its
    /// dump names those that were to be deleted; what owns them is said by `config.chunks` in the config server's.
    public struct Cluster: Codable, Sendable, Hashable {
        /// The cluster's id, 24 hexadecimal digits.
        public var clusterID: String
        /// What the group is to it.
        public var role: ClusterPart.Role
        /// The shard's name; nil on the config server.
        public var shard: String?
        /// Every shard of the cluster when it was backed up; empty in the dump of one shard alone.
        public var shards: [ShardIdentity.Shard]
        /// On the config server: whether the balancer was on before the backup stopped it.
        ///
        /// `config.settings` in the dump says `off` then, which a restore must not leave so.
        public var balancerWasOn: Bool?
        /// On the config server: whether automatic splitting was on before; stopping the balancer turns it off, too.
        public var autoSplitWasOn: Bool?
        /// On a shard: ranges that waited to be deleted when it was read.
        public var pendingRangeDeletions: Int?
    }

    /// One run of whole chunks of a collection's file that one reader brought.
    public struct Partition: Codable, Sendable, Hashable {
        /// Documents in it.
        public var documents: Int64
        /// Bytes of them.
        public var bytes: Int64
        /// CRC-64 of those bytes.
        public var crc64: String
        /// Chunks, in the order of the file's content.
        public var chunks: Int
        /// Canonical extended JSON of the first `_id`, as `{"_id": …}`; nil when it is long or there is none.
        public var firstID: String?
        /// The last one.
        public var lastID: String?
    }

    /// One collection, view or time series.
    public struct Namespace: Codable, Sendable, Hashable {
        /// `database.collection` as the server names it; for a time series its own name, not that of its buckets.
        public var namespace: String
        /// `collection`, `view` or `timeseries`.
        public var type: String
        /// Path of the data in the snapshot; nil for views.
        public var file: String?
        /// Path of the metadata in the snapshot.
        public var metadataFile: String
        /// 32 hexadecimal digits, of collections; of a time series that of its buckets.
        public var uuid: String?
        /// Documents in the file (buckets, for a time series).
        public var documents: Int64
        /// Bytes of the file.
        public var bytes: Int64
        /// CRC-64/XZ of the file, 16 hexadecimal digits.
        public var crc64: String
        /// The file in runs of chunks, in order; their bytes and documents add up to the file's.
        public var partitions: [Partition]
        /// Capped: order matters.
        public var isCapped: Bool
        /// Clustered by its `_id`.
        public var isClustered: Bool
        /// Whether it was read, in part or whole, after the lock had gone or without one.
        public var isFuzzy: Bool
        /// What an operator should know.
        public var warnings: [String]
    }

    /// Layout of this file.
    public var formatVersion: Int
    /// Always `mongodb`.
    public var engine: String
    /// The Remora that wrote it.
    public var toolVersion: String
    /// The server's version.
    public var serverVersion: String
    /// Its feature compatibility version.
    public var featureCompatibilityVersion: String?
    /// Replica set, or `standalone`.
    public var group: String
    /// The member that was read, `host:port`.
    public var host: String
    /// What the dump promises.
    public var guarantee: Guarantee
    /// How it was made consistent.
    public var consistency: Consistency
    /// The point of history to which it restores, with the oplog replayed.
    public var cut: ClusterTime?
    /// The lock, if there was one.
    public var lock: Lock?
    /// The oplog, if the dump needs one.
    public var oplog: Oplog?
    /// The dump's place in a sharded cluster; nil outside of one.
    public var cluster: Cluster?
    /// Seconds since 1970, by the agent's clock.
    public var startedAt: Int64
    /// See `startedAt`.
    public var finishedAt: Int64
    /// What was asked for.
    public var selection: NamespaceSelection
    /// Everything in the dump, sorted by name.
    public var namespaces: [Namespace]
    /// Users in the dump.
    public var users: Int64
    /// Roles in the dump.
    public var roles: Int64
    /// What an operator should know although the dump is good.
    public var warnings: [String]
}
