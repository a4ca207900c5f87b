/// An agent says: this is how I am; tell me when something else is wanted.
public struct CheckinRequest: Codable, Sendable, Hashable {
    /// Epoch the agent knows.
    public var epoch: Int64
    /// Revision of the document it has; empty at first.
    public var ackRevision: String
    /// How long the coordinator may hold the answer back.
    public var waitSeconds: Int
    /// The member beside the agent.
    public var member: MemberStatus
    /// Jobs it knows of.
    public var jobs: [JobReport]
    /// As in ``RegisterRequest/trustedAuthorities``: the file changes while the agent runs.
    public var trustedAuthorities: [String]?

    /// Makes a request.
    public init(epoch: Int64, ackRevision: String, waitSeconds: Int, member: MemberStatus, jobs: [JobReport]) {
        self.epoch = epoch
        self.ackRevision = ackRevision
        self.waitSeconds = waitSeconds
        self.member = member
        self.jobs = jobs
    }
}

/// What an agent knows of one job.
public struct JobReport: Codable, Sendable, Hashable {
    /// State of a job as its agent sees it.
    public enum State: String, Codable, Sendable, CaseIterable {
        case running
        /// Finished (either way); `complete` was, or will be, sent.
        case finished
        /// Was running when an earlier process of this agent died.
        case lost
    }

    /// The job.
    public var jobID: String
    /// Its state.
    public var state: State
    /// The fence it was started with.
    public var fence: Int64

    /// Makes a report.
    public init(jobID: String, state: State, fence: Int64) {
        self.jobID = jobID
        self.state = state
        self.fence = fence
    }
}

/// Everything the coordinator wants of one agent.
public struct DesiredDocument: Codable, Sendable, Hashable {
    /// Epoch of the coordinator that computed it.
    public var epoch: Int64
    /// Hash of the content (not a counter): unchanged desire keeps its revision across restarts.
    public var revision: String
    /// Jobs that should exist; a job that isn't here any more is to be aborted or forgotten.
    public var jobs: [DesiredJob]
    /// Set when the coordinator shuts down: come back after about this long.
    public var reconnectAfterMs: Int?

    /// Makes a document.
    public init(epoch: Int64, revision: String, jobs: [DesiredJob], reconnectAfterMs: Int? = nil) {
        self.epoch = epoch
        self.revision = revision
        self.jobs = jobs
        self.reconnectAfterMs = reconnectAfterMs
    }
}

/// One job of the desired document.
public struct DesiredJob: Codable, Sendable, Hashable {
    /// Deterministic: hash of session, pod and attempt.
    ///
    /// The natural idempotency key.
    public var jobID: String
    /// Must be current to publish.
    public var fence: Int64
    /// What should become of it.
    public var desired: JobDesire
    /// Session it belongs to, `namespace/name`.
    public var session: String
    /// What to do.
    public var work: JobWork
    /// Seconds that remain until the coordinator gives the job up.
    public var deadlineSeconds: Int
    /// What it may know of the session's other jobs; nil when there are none.
    public var directive: JobDirective?

    /// Makes a job.
    public init(
        jobID: String,
        fence: Int64,
        desired: JobDesire,
        session: String,
        work: JobWork,
        deadlineSeconds: Int,
        directive: JobDirective? = nil
    ) {
        self.jobID = jobID
        self.fence = fence
        self.desired = desired
        self.session = session
        self.work = work
        self.deadlineSeconds = deadlineSeconds
        self.directive = directive
    }
}

/// What should become of a job.
public enum JobDesire: String, Codable, Sendable, CaseIterable {
    /// Start it if it isn't known yet, go on with it otherwise.
    case run
    /// Stop it in good order and report `cancelled`.
    case cancel
    /// Stop it at once; nobody waits for a report.
    case abort
}

/// What a job does: exactly one field is set, so that an agent that doesn't know a kind can say so.
public struct JobWork: Codable, Sendable, Hashable {
    /// Dump the member into its group's repository.
    public var backup: BackupSpec?
    /// Restore a snapshot into the member's group.
    public var restore: RestoreSpec?
    /// Release another member's lock.
    public var release: ReleaseSpec?
    /// Where the group's repository is (backup and restore): a storage URL without secrets.
    public var repositoryURL: String?
    /// Stable names for the snapshot: `hostname` and `paths` of restic, so that stock `forget` groups rightly.
    public var snapshotHost: String?
    /// Tags of the snapshot, like `session=…`.
    public var snapshotTags: [String]?

    /// A backup.
    public static func backup(
        _ spec: BackupSpec,
        repositoryURL: String,
        snapshotHost: String,
        snapshotTags: [String]
    ) -> JobWork {
        JobWork(
            backup: spec,
            repositoryURL: repositoryURL,
            snapshotHost: snapshotHost,
            snapshotTags: snapshotTags
        )
    }

    /// A restore.
    public static func restore(_ spec: RestoreSpec, repositoryURL: String) -> JobWork {
        JobWork(restore: spec, repositoryURL: repositoryURL)
    }

    /// The release of a lock.
    public static func release(_ spec: ReleaseSpec) -> JobWork { JobWork(release: spec) }
}
