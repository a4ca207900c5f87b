/// How far a job is: for people and for the coordinator's stall detection; never a proof of anything.
public struct JobProgress: Codable, Sendable, Hashable {
    /// What is done right now, like `dump shop.orders`.
    public var step: String
    /// Bytes of database read (backup) or written (restore).
    public var bytesDone: Int64
    /// Bytes expected, as the server estimates; 0 when unknown.
    public var bytesTotal: Int64
    /// Bytes sent to the repository.
    public var bytesUploaded: Int64
    /// Documents (rows, keys) so far.
    public var objects: Int64

    /// Makes a progress report.
    public init(
        step: String = "",
        bytesDone: Int64 = 0,
        bytesTotal: Int64 = 0,
        bytesUploaded: Int64 = 0,
        objects: Int64 = 0
    ) {
        self.step = step
        self.bytesDone = bytesDone
        self.bytesTotal = bytesTotal
        self.bytesUploaded = bytesUploaded
        self.objects = objects
    }

    /// 0…100, or nil when the total is unknown; the estimate may be low, so it is capped.
    public var percent: Double? {
        bytesTotal > 0 ? min(100, Double(bytesDone) * 100 / Double(bytesTotal)) : nil
    }
}

/// A lock that a job holds or held, as it reports it.
public struct LockReport: Codable, Sendable, Hashable {
    /// The locked member, `host:port`.
    public var host: String
    /// True from the moment before it is asked for until it is known to be gone.
    public var isHeld: Bool
    /// Milliseconds it has been, or was, held.
    public var heldMs: Int64
    /// Milliseconds until the agent gives it up by itself.
    public var remainingMs: Int64
    /// The newest operation that the locked member had applied.
    public var point: ClusterTime?
    /// Why it ended, like `dump finished`, `budget used up` or `lease lapsed`.
    public var endReason: String?
    /// What tells this lock from others, in the engine's own words: for whoever must release it in the agent's place.
    public var evidence: String?

    /// Makes a report.
    public init(
        host: String,
        isHeld: Bool,
        heldMs: Int64 = 0,
        remainingMs: Int64 = 0,
        point: ClusterTime? = nil,
        endReason: String? = nil,
        evidence: String? = nil
    ) {
        self.host = host
        self.isHeld = isHeld
        self.heldMs = heldMs
        self.remainingMs = remainingMs
        self.point = point
        self.endReason = endReason
        self.evidence = evidence
    }
}

/// What a successful backup job stored: goes into the session's manifest.
public struct BackupResult: Codable, Sendable, Hashable {
    /// The engine's name, like `mongodb`.
    public var engine: String
    /// The group that was dumped: replica set name, or `standalone`.
    public var group: String
    /// The member that was dumped, `host:port`.
    public var host: String
    /// The server's version.
    public var serverVersion: String
    /// What the snapshot promises.
    public var guarantee: Guarantee
    /// How it was made consistent.
    public var consistency: Consistency
    /// The point of history to which it restores.
    public var cut: ClusterTime?
    /// The lock, if one was taken.
    public var lock: LockReport?
    /// First and last entry of the stored oplog, if any.
    public var oplogStart: ClusterTime?
    /// See `oplogStart`.
    public var oplogEnd: ClusterTime?
    /// Collections, views included.
    public var namespaces: Int
    /// Documents in all of them.
    public var documents: Int64
    /// Bytes of BSON (or of the engine's own dump format).
    public var bytes: Int64
    /// What an operator should know although the backup is good: one sentence each.
    public var warnings: [String]
    /// Milliseconds the dump took, without waiting for the permit.
    public var durationMs: Int64
    /// Filled by the job runner: snapshot, new bytes, stored bytes.
    public var snapshotID: String?
    /// Bytes of data that the repository did not have.
    public var bytesAdded: Int64
    /// What they took after compression and encryption.
    public var bytesStored: Int64

    /// Makes a result.
    public init(
        engine: String,
        group: String,
        host: String,
        serverVersion: String,
        guarantee: Guarantee,
        consistency: Consistency,
        namespaces: Int,
        documents: Int64,
        bytes: Int64
    ) {
        self.engine = engine
        self.group = group
        self.host = host
        self.serverVersion = serverVersion
        self.guarantee = guarantee
        self.consistency = consistency
        self.namespaces = namespaces
        self.documents = documents
        self.bytes = bytes
        self.warnings = []
        self.durationMs = 0
        self.bytesAdded = 0
        self.bytesStored = 0
    }
}

/// What a successful restore job did: every number was compared with the snapshot's own.
public struct RestoreResult: Codable, Sendable, Hashable {
    /// The member written to, `host:port`.
    public var host: String
    /// Collections, views included.
    public var namespaces: Int
    /// Documents written.
    public var documents: Int64
    /// Bytes written.
    public var bytes: Int64
    /// Indexes built.
    public var indexes: Int
    /// Oplog entries applied.
    public var oplogEntries: Int64
    /// Users and roles restored.
    public var usersAndRoles: Int
    /// What an operator should know although the restore is good.
    public var warnings: [String]
    /// Milliseconds from the first look to the last comparison.
    public var durationMs: Int64

    /// Makes a result.
    public init(host: String) {
        self.host = host
        namespaces = 0
        documents = 0
        bytes = 0
        indexes = 0
        oplogEntries = 0
        usersAndRoles = 0
        warnings = []
        durationMs = 0
    }
}

/// Why a job failed: a stable code, one sentence, whether another attempt can help.
public struct JobFailure: Codable, Sendable, Hashable, Error, CustomStringConvertible {
    /// Stable, like `databaseUnreachable`, `storageUnavailable`, `missingPrivilege`, `lost`.
    public var code: String
    /// One sentence for people.
    public var message: String
    /// Whether a new attempt, perhaps on another member, can help.
    public var isRetryable: Bool

    /// The code of a job whose agent died, left or fell silent in the middle of it.
    public static let lostCode = "lost"

    /// Makes a failure.
    public init(code: String, message: String, isRetryable: Bool) {
        self.code = code
        self.message = message
        self.isRetryable = isRetryable
    }

    /// The sentence.
    public var description: String { message }
}
