import BackupModel

/// What happens to a session.
enum SessionEvent: Sendable, Hashable {
    /// A look around: regularly, and whenever an agent changed.
    case observed(Surroundings)
    /// Repositories are initialised and locked; for a restore, where each group's data comes from.
    case prepared(PreparedSources?)
    /// They are not; the reason is one word with a capital.
    case prepareFailed(message: String, isRetryable: Bool, reason: String = "RepositoryNotReady")
    /// A job is alive.
    case heartbeat(JobCall, JobPulse)
    /// A job's agent spoke of it in another way, like a log patch.
    case contact(JobCall, logBytes: Int64)
    /// A job's data is durable; it asks whether it may publish. The permit is used unless one was given before.
    case prepareCommit(JobCall, BackupResult, permit: String)
    /// A job is over.
    case complete(JobCall, JobOutcome, logBytes: Int64)
    /// Somebody wants it stopped.
    case cancel(by: String)
    /// The coordinator has just started: leases count from now.
    case restarted
    /// The manifest is there.
    case manifestWritten
    /// It is not.
    case manifestFailed(message: String, isRetryable: Bool)
    /// Logs are archived and lock files removed, or that failed too.
    case cleaned(problem: String?)
}

/// What a restore takes.
struct PreparedSources: Sendable, Hashable {
    /// The backup, `namespace/session`.
    var session: String
    /// The target's group → where its data comes from.
    var groups: [String: GroupState.Source]
    /// Shards of the backup → of the target, by their names in their clusters; nil for a group by itself.
    var shardNames: [String: String]?
    /// What a person should know of the choice.
    var remarks: [String] = []
}

/// What a heartbeat tells of a job.
struct JobPulse: Sendable, Hashable {
    var progress: JobProgress
    var lock: LockReport?
    var balancer: BalancerReport?
    var milestone: JobMilestone?
}

/// Who calls about which job.
struct JobCall: Sendable, Hashable {
    var jobID: String
    var fence: Int64
    var agentID: String
}

/// What the machine may know of the world when it looks around.
struct Surroundings: Sendable, Hashable {
    /// Agents of the session's target.
    var agents: [AgentSnapshot]
    /// An older session that uses the same target.
    var busyWith: ResourceKey?
    /// False shortly after a start, while agents may still be on their way back.
    var isSettled: Bool
    /// The target's groups → the member that the newest good backup was read from.
    var lastDumped: [String: String] = [:]
    /// A balancer of the target that an earlier job stopped and nobody has given back yet, in words.
    ///
    /// A job that stopped it once more would take "off" for what it was.
    var stoppedBalancer: String?
}

/// One agent as the coordinator sees it now.
struct AgentSnapshot: Sendable, Hashable {
    var agentID: String
    var pod: String
    var incarnation: String
    /// Whether it was heard of lately.
    var isConnected: Bool
    /// Whether it said good-bye.
    var isGone: Bool
    var member: MemberStatus
    /// When the agent last told of the member, by our clock.
    var memberSeen: Timestamp?
    var jobs: [JobReport]
}

/// What the machine wants done; the caller makes the new state durable first.
enum SessionEffect: Sendable, Hashable {
    /// Initialise and lock the groups' repositories, find a restore's snapshots; then `prepared` or `prepareFailed`.
    case prepare
    /// Write the manifest if it is absent; then `manifestWritten` or `manifestFailed`.
    case writeManifest
    /// Archive logs, remove lock files; then `cleaned`.
    case clean
    /// Tell people.
    case record(type: String, message: String)
}

/// What a caller is told.
enum SessionAnswer: Sendable, Hashable {
    case accepted
    case desire(JobDesire)
    case permit(String)
    case refused(Refusal)
}

/// Why a call about a job is refused.
enum Refusal: Sendable, Hashable {
    /// No such job in this session.
    case unknownJob
    /// The job belongs to another agent.
    case notYours
    /// Another attempt has taken over.
    case fenced
    /// The job is over.
    case finished
    /// It was completed with another outcome.
    case alreadyCompleted
    /// The session is being stopped; nothing may be published.
    case stopping
    /// The call contradicts what the job is.
    case contradiction(String)
}
