/// The whole state on one screen.
public struct StatusView: Codable, Sendable, Hashable {
    /// Version of the coordinator.
    public var version: String
    /// Its epoch.
    public var epoch: Int64
    /// When it started.
    public var startedAt: Timestamp
    /// Every target, by namespace and name.
    public var targets: [TargetView]
    /// Sessions under way.
    public var running: [SessionView]
    /// What needs a person: one sentence each.
    public var problems: [String]

    /// Makes a view.
    public init(
        version: String,
        epoch: Int64,
        startedAt: Timestamp,
        targets: [TargetView],
        running: [SessionView],
        problems: [String]
    ) {
        self.version = version
        self.epoch = epoch
        self.startedAt = startedAt
        self.targets = targets
        self.running = running
        self.problems = problems
    }
}

/// One target and how well it is protected.
public struct TargetView: Codable, Sendable, Hashable {
    /// Namespace.
    public var namespace: String
    /// Name of the AppBinding.
    public var name: String
    /// Engine.
    public var engine: String
    /// Configurations that back it up, by name.
    public var configurations: [String]
    /// The last good backup.
    public var lastSuccess: Timestamp?
    /// Its session.
    public var lastSuccessSession: String?
    /// The newest finished session's phase.
    public var lastPhase: SessionPhase?
    /// When the next backup starts by itself.
    public var nextRun: Timestamp?
    /// Its agents, by pod.
    public var agents: [AgentView]
    /// What needs a person.
    public var problems: [String]

    /// Makes a view.
    public init(namespace: String, name: String, engine: String) {
        self.namespace = namespace
        self.name = name
        self.engine = engine
        configurations = []
        agents = []
        problems = []
    }
}

/// One agent and the member beside it.
public struct AgentView: Codable, Sendable, Hashable {
    /// Pod.
    public var pod: String
    /// The member, `host:port`, if known.
    public var host: String?
    /// Its group.
    public var group: String?
    /// Its role.
    public var role: MemberStatus.Role?
    /// Seconds behind the primary.
    public var lag: Int?
    /// Whether the agent's last look at its database succeeded; nil from a coordinator that doesn't say.
    public var databaseReachable: Bool?
    /// The agent's version.
    public var version: String
    /// The database server's version.
    public var serverVersion: String?
    /// Whether the coordinator hears from it.
    public var connected: Bool
    /// When it last did.
    public var lastSeen: Timestamp?
    /// The job it works on.
    public var job: String?
    /// What the agent finds wrong.
    public var problems: [String]

    /// Makes a view.
    public init(pod: String, version: String, connected: Bool) {
        self.pod = pod
        self.version = version
        self.connected = connected
        problems = []
    }
}

/// One session.
public struct SessionView: Codable, Sendable, Hashable {
    /// Which way the data goes.
    public enum Kind: String, Codable, Sendable, CaseIterable {
        case backup, restore
    }

    /// Backup or restore.
    public var kind: Kind
    /// Namespace.
    public var namespace: String
    /// Name.
    public var name: String
    /// The BackupConfiguration, for a backup.
    public var configuration: String?
    /// The target.
    public var target: String
    /// The Repository, `namespace/name`.
    public var repository: String
    /// Summary.
    public var phase: SessionPhase
    /// Why, one word, when there is something to say.
    public var reason: String?
    /// Why, one sentence.
    public var message: String?
    /// When it began.
    public var startTime: Timestamp
    /// When it ended.
    public var endTime: Timestamp?
    /// How long it took, or has taken.
    public var durationSeconds: Int64
    /// When it will be given up.
    public var deadline: Timestamp?
    /// Who asked, or nil when the schedule did.
    public var requestedBy: String?
    /// Every attempt on every member, oldest first.
    public var hosts: [HostView]
    /// What it stored, when it is a backup that succeeded.
    public var manifest: BackupView?
    /// What is restored: `namespace/session` of the backup.
    public var source: String?
    /// Conditions.
    public var conditions: [Condition]
    /// What happened, oldest first.
    public var events: [SessionEventView]

    /// Makes a view.
    public init(
        kind: Kind,
        namespace: String,
        name: String,
        target: String,
        repository: String,
        phase: SessionPhase,
        startTime: Timestamp
    ) {
        self.kind = kind
        self.namespace = namespace
        self.name = name
        self.target = target
        self.repository = repository
        self.phase = phase
        self.startTime = startTime
        durationSeconds = 0
        hosts = []
        conditions = []
        events = []
    }
}

/// One attempt of a session on one member.
public struct HostView: Codable, Sendable, Hashable {
    /// What became of an attempt.
    public enum Phase: String, Codable, Sendable, CaseIterable {
        /// Given to the agent, which has not begun.
        case assigned = "Assigned"
        case running = "Running"
        /// All data is durable; the snapshot may be published.
        case committing = "Committing"
        case succeeded = "Succeeded"
        case failed = "Failed"
        case cancelled = "Cancelled"
        /// Its agent is gone or came back without it.
        case lost = "Lost"
    }

    /// Pod.
    public var pod: String
    /// Member, `host:port`.
    public var host: String
    /// Group.
    public var group: String
    /// Role when it was chosen.
    public var role: MemberStatus.Role?
    /// The job.
    public var jobID: String
    /// From 1.
    public var attempt: Int
    /// Its fence.
    public var fence: Int64
    /// What became of it.
    public var phase: Phase
    /// Why this member was chosen.
    public var choice: String?
    /// How far it is.
    public var progress: JobProgress?
    /// Its lock.
    public var lock: LockReport?
    /// What it stored.
    public var backup: BackupResult?
    /// What it restored.
    public var restore: RestoreResult?
    /// Why it failed.
    public var failure: JobFailure?
    /// Bytes of its log that the coordinator has.
    public var logBytes: Int64
    /// When it was assigned.
    public var startTime: Timestamp
    /// When it ended.
    public var endTime: Timestamp?

    /// Makes a view.
    public init(
        pod: String,
        host: String,
        group: String,
        jobID: String,
        attempt: Int,
        fence: Int64,
        phase: Phase,
        startTime: Timestamp
    ) {
        self.pod = pod
        self.host = host
        self.group = group
        self.jobID = jobID
        self.attempt = attempt
        self.fence = fence
        self.phase = phase
        self.startTime = startTime
        logBytes = 0
    }
}

/// Something that happened in a session.
public struct SessionEventView: Codable, Sendable, Hashable {
    /// When.
    public var time: Timestamp
    /// One CamelCase word.
    public var type: String
    /// One sentence.
    public var message: String

    /// Makes an event.
    public init(time: Timestamp, type: String, message: String) {
        self.time = time
        self.type = type
        self.message = message
    }
}

/// One backup, as its manifest tells.
public struct BackupView: Codable, Sendable, Hashable {
    /// One group's snapshot.
    public struct Group: Codable, Sendable, Hashable {
        /// Group.
        public var group: String
        /// Snapshot in the group's repository.
        public var snapshotID: String
        /// The member it was read from.
        public var host: String

        /// Makes one.
        public init(group: String, snapshotID: String, host: String) {
            self.group = group
            self.snapshotID = snapshotID
            self.host = host
        }
    }

    /// Namespace.
    public var namespace: String
    /// Session.
    public var session: String
    /// When its snapshots were all there.
    public var time: Timestamp
    /// Target.
    public var target: String
    /// The point of history to which it restores.
    public var cut: ClusterTime?
    /// What it promises.
    public var guarantee: Guarantee
    /// Documents in all groups.
    public var documents: Int64
    /// Bytes in all groups.
    public var bytes: Int64
    /// Bytes that the repositories did not have.
    public var bytesAdded: Int64
    /// Warnings of all groups.
    public var warnings: [String]
    /// One a group.
    public var groups: [Group]

    /// Makes the view of a manifest.
    public init(_ manifest: SessionManifest) {
        namespace = manifest.namespace
        session = manifest.session
        time = manifest.endTime
        target = manifest.target
        cut = manifest.cut
        guarantee = manifest.guarantee
        documents = manifest.groups.reduce(0) { $0 + $1.result.documents }
        bytes = manifest.groups.reduce(0) { $0 + $1.result.bytes }
        bytesAdded = manifest.groups.reduce(0) { $0 + $1.result.bytesAdded }
        warnings = manifest.groups.flatMap { $0.result.warnings }
        groups = manifest.groups.map { Group(group: $0.group, snapshotID: $0.snapshotID, host: $0.result.host) }
    }
}

/// One lock on a member, or one stopped balancer, as the coordinator's ledger has it.
public struct LockView: Codable, Sendable, Hashable {
    /// What is held; nil means a lock.
    public var kind: ReleaseSpec.Kind?
    /// The group of the member; for a balancer, the config server.
    public var group: String?
    /// For a balancer: whether it was on before; what was off stays off.
    public var wasOn: Bool?
    /// What it is for, in words.
    public var purpose: String?
    /// Session that took it.
    public var session: String
    /// Job that took it.
    public var jobID: String
    /// Pod whose agent took it.
    public var pod: String
    /// The locked member, `host:port`; for a balancer, the member whose agent stopped it.
    public var host: String
    /// Since when, by the coordinator's clock.
    public var since: Timestamp
    /// When the agent gives it up by itself.
    public var deadline: Timestamp
    /// When it ended; nil while it is, or may be, held.
    public var endedAt: Timestamp?
    /// What ended it.
    public var endedBy: String?
    /// The job that was sent to another member's agent to release it.
    public var releaseJobID: String?

    /// Makes a view.
    public init(
        session: String,
        jobID: String,
        pod: String,
        host: String,
        since: Timestamp,
        deadline: Timestamp,
        endedAt: Timestamp? = nil,
        endedBy: String? = nil,
        releaseJobID: String? = nil
    ) {
        self.session = session
        self.jobID = jobID
        self.pod = pod
        self.host = host
        self.since = since
        self.deadline = deadline
        self.endedAt = endedAt
        self.endedBy = endedBy
        self.releaseJobID = releaseJobID
    }
}

/// One line of a session's logs, with the pod that wrote it.
public struct PodLogLine: Codable, Sendable, Hashable {
    /// Pod.
    public var pod: String
    /// Milliseconds since 1970, UTC.
    public var t: Int64
    /// `debug`, `info`, `warning`, `error`.
    public var level: String
    /// Which part of the agent.
    public var component: String
    /// The message.
    public var message: String

    /// Makes a line.
    public init(pod: String, line: LogLine) {
        self.pod = pod
        t = line.t
        level = line.level
        component = line.component
        message = line.message
    }
}
