public import BackupModel
public import Repository

/// Knows one kind of database: how to look at a member, dump it and restore it.
///
/// An engine knows neither HTTP nor Kubernetes nor the coordinator. One instance serves one member and is used
/// by one job at a time, while `inspect` may be called at any moment.
public protocol Engine: Sendable {
    /// The engine's name in tasks and manifests, like `mongodb`.
    var name: String { get }

    /// Whether it runs what a `Function` says, and nothing else; one that knows its database does not.
    var runsCommands: Bool { get }

    /// Looks at the member. Never throws: a member that doesn't answer is a status that says so and why.
    func inspect() async -> MemberStatus

    /// Releases what an earlier process of this agent left on the member, by its durable notes.
    ///
    /// The first act of a starting agent, before it registers. Touches nothing that no note names.
    /// - Returns: one sentence per thing released, for the log.
    func releaseLeftovers() async throws -> [String]

    /// Dumps the member into `writer`. Cancelling the task gives up cleanly: locks are released on every way out.
    ///
    /// - Returns: the files of the snapshot in no particular order, and what is known of them. Nothing is
    ///   published by this: the caller stores the tree, flushes, asks for the permit and commits.
    func backUp(_ spec: BackupSpec, into writer: SnapshotWriter, context: any JobContext) async throws -> BackupOutput

    /// Writes a snapshot into the member's group and compares what is there afterwards with what was stored.
    func restore(_ spec: RestoreSpec, from snapshot: SnapshotReader, context: any JobContext) async throws
        -> RestoreResult

    /// Releases a lock that a job of ours left on another member of the group.
    func release(_ spec: ReleaseSpec, context: any JobContext) async throws
}

extension Engine {
    /// It knows its database.
    public var runsCommands: Bool { false }
}

/// What `Engine.backUp` leaves to be published.
public struct BackupOutput: Sendable {
    /// Every file of the snapshot's tree.
    public var files: [SnapshotFile]
    /// What goes into the manifest.
    public var result: BackupResult

    /// Makes one from its parts.
    public init(files: [SnapshotFile], result: BackupResult) {
        self.files = files
        self.result = result
    }
}

/// What a running job may use of the process around it.
public protocol JobContext: Sendable {
    /// The job's id, written into lock notes.
    var jobID: String { get }

    /// Writes a line into the job's log; never blocks, never fails.
    func log(_ level: JobLogLevel, _ component: String, _ message: String)

    /// Replaces the job's progress; cheap enough for every batch.
    func report(_ progress: JobProgress)

    /// Replaces what is known of the job's lock.
    func report(_ lock: LockReport)

    /// Replaces what is known of the balancer that the job stopped.
    func report(_ balancer: BalancerReport)

    /// Returns when the coordinator has stored what was reported of lock and balancer until now and wants the job to go
    /// on; what would outlive the agent is made only then, so that others know what to undo. A job without a coordinator
    /// has its notes on disk alone: at once.
    ///
    /// Throws `CancellationError` when the task is cancelled.
    func recorded() async throws

    /// Tells the session's other jobs how far this one is; milestones are passed in their order. Returns at once.
    func reach(_ milestone: JobMilestone)

    /// What the coordinator lets this job know of the others, as soon as it is something that `accepts` takes.
    ///
    /// A job by itself has nobody to wait for: it must not ask. Throws `CancellationError` when the task is cancelled.
    func directive(where accepts: @escaping @Sendable (JobDirective) -> Bool) async throws -> JobDirective

    /// Returns when the job's lease has lapsed: what hurts the database must be released then, while a dump may go
    /// on. Returns at once if it has lapsed already; throws `CancellationError` when the task is cancelled.
    func leaseLapse() async throws
}

/// Levels of a job's log.
public enum JobLogLevel: String, Codable, Sendable, CaseIterable, Comparable {
    case debug, info, warning, error

    private var rank: Int {
        switch self {
        case .debug: 0
        case .info: 1
        case .warning: 2
        case .error: 3
        }
    }

    /// Order by severity.
    public static func < (left: JobLogLevel, right: JobLogLevel) -> Bool { left.rank < right.rank }
}
