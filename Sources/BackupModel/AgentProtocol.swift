/// The agent protocol, version 1: plain JSON over HTTP, level-triggered.
///
/// The coordinator computes each agent's *desired document*; an agent long-polls with the revision it has and gets
/// the document when it changed. There is no command queue: duplicates, lost replies and restarts on either side
/// need no special code. Durations are integers with their unit in the name; both sides ignore unknown fields.
public enum AgentProtocol {
    /// The version spoken here.
    public static let version = 1
    /// Header that carries it.
    public static let versionHeader = "X-Protocol"

    /// `POST`: ``RegisterRequest`` → ``RegisterResponse``.
    ///
    /// Bearer: the enrolment secret.
    public static let registerPath = "/agent/v1/register"
    /// `POST`, long poll: ``CheckinRequest`` → ``DesiredDocument``.
    ///
    /// Bearer: the session token, as everywhere below.
    public static let checkinPath = "/agent/v1/checkin"
    /// `POST`: empty; the agent leaves gracefully.
    public static let deregisterPath = "/agent/v1/deregister"

    /// `POST`: ``HeartbeatRequest`` → ``HeartbeatResponse``.
    public static func heartbeatPath(_ jobID: String) -> String { "/agent/v1/jobs/\(jobID)/heartbeat" }
    /// `PATCH` with `Content-Range: bytes a-b/*`: NDJSON bytes → 202 ``LogResponse``, 416 with the offset wanted.
    public static func logPath(_ jobID: String) -> String { "/agent/v1/jobs/\(jobID)/log" }
    /// `POST`: ``FencedRequest`` → ``JobCredentials``.
    public static func credentialsPath(_ jobID: String) -> String { "/agent/v1/jobs/\(jobID)/credentials" }
    /// `POST`: ``PrepareCommitRequest`` → ``PrepareCommitResponse``.
    public static func prepareCommitPath(_ jobID: String) -> String { "/agent/v1/jobs/\(jobID)/prepare-commit" }
    /// `POST`: ``CompleteRequest`` → 200, or 202 ``LogResponse`` while log bytes are missing.
    public static func completePath(_ jobID: String) -> String { "/agent/v1/jobs/\(jobID)/complete" }
}

/// Which pod the agent rides in; outside Kubernetes the names are given by configuration.
public struct PodIdentity: Codable, Sendable, Hashable {
    /// Namespace.
    public var namespace: String
    /// Pod name.
    public var name: String
    /// Pod UID: the agent's identity.
    ///
    /// Outside Kubernetes a random id kept in the state directory.
    public var uid: String
    /// Node name.
    public var node: String?

    /// Makes one from its parts.
    public init(namespace: String, name: String, uid: String, node: String? = nil) {
        self.namespace = namespace
        self.name = name
        self.uid = uid
        self.node = node
    }
}

/// An agent says: here I am.
public struct RegisterRequest: Codable, Sendable, Hashable {
    /// Random per process start: tells a restart from a duplicate.
    public var incarnation: String
    /// The agent's version.
    public var agentVersion: String
    /// Lowest and highest protocol version the agent speaks.
    public var protocolRange: ProtocolRange
    /// Things it can do, like `backup.mongodb`.
    public var features: [String]
    /// Whose pod.
    public var pod: PodIdentity
    /// The target it belongs to: label `remora.dev/cluster`, and the AppBinding's name.
    public var cluster: String
    /// Engine, like `mongodb`.
    public var engine: String
    /// Jobs it knows of from its journal.
    public var jobs: [JobReport]
    /// Its clock, for people: skew is shown, never used.
    public var unixMs: Int64

    /// An inclusive range of protocol versions.
    public struct ProtocolRange: Codable, Sendable, Hashable {
        /// Lowest.
        public var min: Int
        /// Highest.
        public var max: Int
        /// Makes a range.
        public init(min: Int, max: Int) {
            self.min = min
            self.max = max
        }
    }

    /// Makes a request.
    public init(
        incarnation: String,
        agentVersion: String,
        protocolRange: ProtocolRange = ProtocolRange(min: AgentProtocol.version, max: AgentProtocol.version),
        features: [String],
        pod: PodIdentity,
        cluster: String,
        engine: String,
        jobs: [JobReport],
        unixMs: Int64
    ) {
        self.incarnation = incarnation
        self.agentVersion = agentVersion
        self.protocolRange = protocolRange
        self.features = features
        self.pod = pod
        self.cluster = cluster
        self.engine = engine
        self.jobs = jobs
        self.unixMs = unixMs
    }
}

/// The coordinator says: you are who you say; these are your intervals.
public struct RegisterResponse: Codable, Sendable, Hashable {
    /// The agent's id: its pod's UID.
    public var agentID: String
    /// Bearer for every further call.
    public var sessionToken: String
    /// Register again before this has passed (at 80 %).
    public var sessionTtlSeconds: Int
    /// Epoch of the coordinator: greater after every start or change of leader.
    public var epoch: Int64
    /// Protocol version chosen.
    public var protocolVersion: Int
    /// How long a check-in may wait.
    public var pollSeconds: Int
    /// Interval of heartbeats of a running job.
    public var heartbeatMs: Int
    /// A job's lease, counted by the agent's monotonic clock from when its last successful heartbeat was sent.
    public var leaseMs: Int
    /// After this long without contact a job gives up.
    public var maxDisconnectedMs: Int
    /// Interval of log patches.
    public var logIntervalMs: Int
    /// Spread of reconnects after the coordinator was away.
    public var reconnectSpreadMs: Int
    /// The coordinator's clock, for people.
    public var serverUnixMs: Int64

    /// Makes a response.
    public init(
        agentID: String,
        sessionToken: String,
        sessionTtlSeconds: Int,
        epoch: Int64,
        protocolVersion: Int,
        pollSeconds: Int,
        heartbeatMs: Int,
        leaseMs: Int,
        maxDisconnectedMs: Int,
        logIntervalMs: Int,
        reconnectSpreadMs: Int,
        serverUnixMs: Int64
    ) {
        self.agentID = agentID
        self.sessionToken = sessionToken
        self.sessionTtlSeconds = sessionTtlSeconds
        self.epoch = epoch
        self.protocolVersion = protocolVersion
        self.pollSeconds = pollSeconds
        self.heartbeatMs = heartbeatMs
        self.leaseMs = leaseMs
        self.maxDisconnectedMs = maxDisconnectedMs
        self.logIntervalMs = logIntervalMs
        self.reconnectSpreadMs = reconnectSpreadMs
        self.serverUnixMs = serverUnixMs
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

    /// Makes a request.
    public init(epoch: Int64, ackRevision: String, waitSeconds: Int, member: MemberStatus, jobs: [JobReport]) {
        self.epoch = epoch
        self.ackRevision = ackRevision
        self.waitSeconds = waitSeconds
        self.member = member
        self.jobs = jobs
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

/// What should become of a job.
public enum JobDesire: String, Codable, Sendable, CaseIterable {
    /// Start it if it isn't known yet, go on with it otherwise.
    case run
    /// Stop it in good order and report `cancelled`.
    case cancel
    /// Stop it at once; nobody waits for a report.
    case abort
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

/// An agent says: the job is alive.
public struct HeartbeatRequest: Codable, Sendable, Hashable {
    /// Epoch the agent knows.
    public var epoch: Int64
    /// The job's fence.
    public var fence: Int64
    /// How far it is.
    public var progress: JobProgress
    /// Its lock, if it took one.
    public var lock: LockReport?
    /// The balancer, if it stopped one.
    public var balancer: BalancerReport?
    /// The latest milestone that it reached, in a session of several groups.
    public var milestone: JobMilestone?

    /// Makes a request.
    public init(
        epoch: Int64,
        fence: Int64,
        progress: JobProgress,
        lock: LockReport? = nil,
        balancer: BalancerReport? = nil,
        milestone: JobMilestone? = nil
    ) {
        self.epoch = epoch
        self.fence = fence
        self.progress = progress
        self.lock = lock
        self.balancer = balancer
        self.milestone = milestone
    }
}

/// The coordinator says: go on, or not.
public struct HeartbeatResponse: Codable, Sendable, Hashable {
    /// What should become of the job.
    public var desired: JobDesire
    /// The renewed lease.
    public var leaseMs: Int
    /// When to call again.
    public var nextHeartbeatMs: Int
    /// Interval of log patches: short while somebody tails this job.
    public var logIntervalMs: Int

    /// Makes a response.
    public init(desired: JobDesire, leaseMs: Int, nextHeartbeatMs: Int, logIntervalMs: Int) {
        self.desired = desired
        self.leaseMs = leaseMs
        self.nextHeartbeatMs = nextHeartbeatMs
        self.logIntervalMs = logIntervalMs
    }
}

/// Where the coordinator's copy of a job's log ends.
public struct LogResponse: Codable, Sendable, Hashable {
    /// The next byte wanted.
    public var nextOffset: Int64
    /// Interval of log patches.
    public var updateIntervalMs: Int

    /// Makes a response.
    public init(nextOffset: Int64, updateIntervalMs: Int) {
        self.nextOffset = nextOffset
        self.updateIntervalMs = updateIntervalMs
    }
}

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

    /// Makes an outcome.
    public init(backup: BackupResult? = nil, restore: RestoreResult? = nil, failure: JobFailure? = nil) {
        self.backup = backup
        self.restore = restore
        self.failure = failure
    }
}

/// The body of every answer that isn't a success.
public struct ErrorResponse: Codable, Sendable, Hashable {
    /// The error.
    public var error: Body

    /// Code, sentence, and what to do about it.
    public struct Body: Codable, Sendable, Hashable {
        /// Stable, like `fenced`, `unknownJob`, `notLeader`, `unauthorized`, `tooMany`.
        public var code: String
        /// One sentence.
        public var message: String
        /// Whether the same call can succeed later.
        public var retryable: Bool
        /// When to try again, if the coordinator knows.
        public var retryAfterMs: Int?
        /// For log patches: the offset wanted.
        public var nextOffset: Int64?

        /// Makes a body.
        public init(
            code: String,
            message: String,
            retryable: Bool,
            retryAfterMs: Int? = nil,
            nextOffset: Int64? = nil
        ) {
            self.code = code
            self.message = message
            self.retryable = retryable
            self.retryAfterMs = retryAfterMs
            self.nextOffset = nextOffset
        }
    }

    /// Makes an answer.
    public init(_ error: Body) { self.error = error }
}

/// One line of a job's log (NDJSON).
public struct LogLine: Codable, Sendable, Hashable {
    /// Milliseconds since 1970, UTC.
    public var t: Int64
    /// `debug`, `info`, `warning`, `error`.
    public var level: String
    /// Which part of the agent, like `lock` or `dump`.
    public var component: String
    /// The message; no secrets.
    public var message: String

    /// Makes a line.
    public init(t: Int64, level: String, component: String, message: String) {
        self.t = t
        self.level = level
        self.component = component
        self.message = message
    }
}
