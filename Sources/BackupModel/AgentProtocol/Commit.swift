/// A call that only the holder of the current fence may make.
public struct FencedRequest: Codable, Sendable, Hashable {
    /// Epoch the agent knows.
    public var epoch: Int64
    /// The job's fence.
    public var fence: Int64

    /// Makes a request.
    public init(epoch: Int64, fence: Int64) {
        self.epoch = epoch
        self.fence = fence
    }
}

/// What opens the job's repository.
///
/// Never logged: its description says nothing.
public struct JobCredentials: Codable, Sendable, Hashable, CustomStringConvertible {
    /// The repository's password.
    public var repositoryPassword: String
    /// Storage credentials, keyed as in the Repository's secret.
    public var storage: [String: String]

    /// Makes credentials.
    public init(repositoryPassword: String, storage: [String: String]) {
        self.repositoryPassword = repositoryPassword
        self.storage = storage
    }

    /// Says nothing of the content.
    public var description: String { "JobCredentials(redacted)" }
}

/// An agent says that all data is durable, and asks whether it may publish the snapshot.
public struct PrepareCommitRequest: Codable, Sendable, Hashable {
    /// Epoch the agent knows.
    public var epoch: Int64
    /// The job's fence.
    public var fence: Int64
    /// What would be published.
    public var result: BackupResult

    /// Makes a request.
    public init(epoch: Int64, fence: Int64, result: BackupResult) {
        self.epoch = epoch
        self.fence = fence
        self.result = result
    }
}

/// The permit, recorded before it is given; asking again with the same fence gives the same permit.
public struct PrepareCommitResponse: Codable, Sendable, Hashable {
    /// Opaque; stored in the snapshot's tags.
    public var permit: String

    /// Makes a response.
    public init(permit: String) { self.permit = permit }
}

/// An agent says: the job is over.
public struct CompleteRequest: Codable, Sendable, Hashable {
    /// Epoch the agent knows.
    public var epoch: Int64
    /// The job's fence.
    public var fence: Int64
    /// How it ended.
    public var outcome: JobOutcome
    /// Bytes of its log; the coordinator answers 202 until it has them all.
    public var logBytes: Int64

    /// Makes a request.
    public init(epoch: Int64, fence: Int64, outcome: JobOutcome, logBytes: Int64) {
        self.epoch = epoch
        self.fence = fence
        self.outcome = outcome
        self.logBytes = logBytes
    }
}

/// How a job ended: exactly one of result and failure is set (neither for a release that worked).
public struct JobOutcome: Codable, Sendable, Hashable {
    /// A backup that was committed.
    public var backup: BackupResult?
    /// A restore that was verified.
    public var restore: RestoreResult?
    /// What went wrong.
    public var failure: JobFailure?
    /// The job's last word on its lock, if it took one: how it ended is known even when no heartbeat told.
    public var lock: LockReport?
    /// The job's last word on the balancer, if it stopped one.
    public var balancer: BalancerReport?

    /// Makes an outcome.
    public init(backup: BackupResult? = nil, restore: RestoreResult? = nil, failure: JobFailure? = nil) {
        self.backup = backup
        self.restore = restore
        self.failure = failure
    }
}
