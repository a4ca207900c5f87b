import BackupModel

/// Everything that is known of one session: the state of the pure machine, stored as JSON after every step.
///
/// It holds no secret: the repository's password is looked up when a job asks for it.
struct SessionState: Codable, Sendable, Hashable {
    /// How far the session is.
    enum Stage: String, Codable, Sendable, CaseIterable {
        /// Made; nothing done yet.
        case pending
        /// Waits for its target to be free, for agents, or for another try at the repository.
        case queued
        /// Repositories are initialised and locked; a restore finds its snapshots.
        case preparing
        /// Every group has, had, or will get a job.
        case running
        /// Jobs are told to stop; their ends are awaited, but not for long.
        case stopping
        /// All snapshots exist; the manifest is being written.
        case finalizing
        /// Outcome known; logs are archived and lock files removed.
        case cleaning
        /// Over: nothing changes any more.
        case ended
    }

    /// How a session ends, or will end.
    struct Outcome: Codable, Sendable, Hashable {
        var phase: SessionPhase
        var reason: String
        var message: String
    }

    var key: ResourceKey
    /// Random: makes job ids unique even when a name is used again.
    var uid: String
    var kind: SessionView.Kind
    var plan: SessionPlan
    var created: Timestamp
    var deadline: Timestamp
    var stage: Stage
    /// Why it waits, for people.
    var waitingFor: String?
    /// Not before this moment may a queued session go on.
    var notBefore: Timestamp?
    /// Tries at the repositories so far.
    var preparations: Int
    /// Whether lock files may exist in the groups' repositories.
    var hasRepositoryLocks: Bool
    /// One state a group, by name.
    var groups: [GroupState]
    /// The sharded cluster that the groups make up; nil for a group by itself.
    var cluster: ClusterState?
    /// Why and since when the session is being stopped.
    var stopping: Outcome?
    var stoppingSince: Timestamp?
    /// When the last snapshot was reported: the manifest's `endTime`, kept so that a repeated write has equal bytes.
    var dataCompleteAt: Timestamp?
    /// Tries at the manifest that failed.
    var manifestFailures: Int
    /// For a restore: the backup it takes, `namespace/session`.
    var sourceSession: String?
    var outcome: Outcome?
    var ended: Timestamp?

    /// A session that was just asked for.
    init(key: ResourceKey, uid: String, kind: SessionView.Kind, plan: SessionPlan, created: Timestamp) {
        self.key = key
        self.uid = uid
        self.kind = kind
        self.plan = plan
        self.created = created
        deadline = created.adding(milliseconds: plan.timeOutMs)
        stage = .pending
        preparations = 0
        hasRepositoryLocks = false
        groups = []
        manifestFailures = 0
    }

    /// A session that is over before it began.
    static func skipped(
        key: ResourceKey,
        uid: String,
        plan: SessionPlan,
        reason: String,
        message: String,
        now: Timestamp
    ) -> SessionState {
        var state = SessionState(key: key, uid: uid, kind: .backup, plan: plan, created: now)
        state.stage = .ended
        state.ended = now
        state.outcome = Outcome(phase: .skipped, reason: reason, message: message)
        return state
    }

    /// Summary for people.
    var phase: SessionPhase {
        switch stage {
        case .pending: .pending
        case .queued: .queued
        case .preparing, .running, .stopping: .running
        case .finalizing, .cleaning: .finalizing
        case .ended: outcome?.phase ?? .failed
        }
    }

    /// Whether nothing changes any more.
    var isOver: Bool { stage == .ended }

    /// Whether a lock file that it left may still stop another tool, so that people look for who left it.
    ///
    /// Our own next session removes such files at once; others wait until they are stale.
    func mayHoldLocks(_ now: Timestamp, staleMs: Int64) -> Bool {
        hasRepositoryLocks && (ended.map { now.milliseconds(since: $0) < staleMs } ?? true)
    }

    /// The target's key.
    var target: ResourceKey { ResourceKey(namespace: key.namespace, name: plan.target) }

    /// What it is for, in words: `backup of demo/shop, by schedule`.
    var purpose: String {
        let by =
            plan.trigger == .schedule ? "by schedule" : plan.requestedBy.map { "asked for by \($0)" } ?? "asked for"
        return "\(kind.rawValue) of \(target), \(by)"
    }

    /// Where an attempt is: index of group and of attempt.
    func find(job jobID: String) -> (group: Int, attempt: Int)? {
        for (groupIndex, group) in groups.enumerated() {
            if let attemptIndex = group.attempts.firstIndex(where: { $0.jobID == jobID }) {
                return (groupIndex, attemptIndex)
            }
        }
        return nil
    }
}

/// What a session is to do, resolved when it was made: later edits of objects don't change it.
struct SessionPlan: Codable, Sendable, Hashable {
    /// What a restore takes and how.
    struct Restore: Codable, Sendable, Hashable {
        /// A session's name, a snapshot's id, or `latest`.
        var from: String
        /// The target whose backup is taken, in the session's namespace.
        var source: String
        /// The only group of the backup that is taken; nil: all of them.
        var group: String?
        /// Groups of the backup → of the target, where they aren't called the same.
        var groups: [String: String]?
        var conflict: RestoreSpec.Conflict
        var selection: NamespaceSelection
        var usersAndRoles: Bool
        var parallelism: Int
        /// What is run for a database that Remora doesn't know.
        var command: CommandRecipe?
    }

    var configuration: String?
    var target: String
    var engine: String
    var repository: ResourceKey
    var backend: StorageBackend
    var backup: BackupSpec?
    var restore: Restore?
    var maximumAttempts: Int
    var retryDelayMs: Int64
    var timeOutMs: Int64
    var trigger: SessionTrigger
    var requestedBy: String?

    /// The target whose group repositories are used: a restore's source, otherwise the target itself.
    var repositoryTarget: String { restore?.source ?? target }
}

/// What a session knows of the sharded cluster that it works on.
struct ClusterState: Codable, Sendable, Hashable {
    /// The cluster's own id.
    var id: String
    var shards: [ShardIdentity.Shard]
    /// From 1; a round is one try at a cut that all groups share; with the next one every group begins anew.
    var round: Int
    /// What the cluster did to its layout since then concerns the jobs of the round.
    var roundBegan: Timestamp
    /// Whether all shards were finished at some moment of the round: the config server may have acted on it.
    var isClosing: Bool
    /// The greatest point of all groups, known when the last one was finished; never changes within a round.
    var cut: ClusterTime?
    /// The point of the config server's job when it was last ready: where a backup with consistency `snapshot` reads.
    var readyPoint: ClusterTime?
    /// Why the round can't be finished any more: its jobs end, then the next one begins.
    var endingBecause: String?
    /// For a restore: names of shards in the backup → in the target.
    var shardNames: [String: String]?

    init(id: String, shards: [ShardIdentity.Shard], now: Timestamp) {
        self.id = id
        self.shards = shards
        round = 1
        roundBegan = now
        isClosing = false
    }
}

/// One group of a session.
struct GroupState: Codable, Sendable, Hashable {
    /// What a restore takes for this group.
    struct Source: Codable, Sendable, Hashable {
        /// The group in the backup, which names the repository.
        var group: String
        var snapshotID: String
    }

    var name: String
    /// What the group is to the sharded cluster; nil outside of one.
    var role: ClusterPart.Role?
    /// The shard's name in the cluster, which need not be the replica set's.
    var shard: String?
    /// Fence of the newest attempt: grows with every one, and only its holder may publish.
    var fence: Int64
    var attempts: [Attempt]
    /// Not before this moment does the next attempt start.
    var notBefore: Timestamp?
    /// Since when no member could be chosen, and why not.
    var unassignableSince: Timestamp?
    var unassignableReason: String?
    var source: Source?

    init(name: String, role: ClusterPart.Role? = nil, shard: String? = nil) {
        self.name = name
        self.role = role
        self.shard = shard
        fence = 0
        attempts = []
    }

    /// The attempt under way, if there is one.
    var live: Attempt? { attempts.last.flatMap { $0.isOver ? nil : $0 } }
    /// Whether the group's part is done.
    var isDone: Bool { attempts.last?.phase == .succeeded }
}

/// One attempt of a group: one job on one member.
struct Attempt: Codable, Sendable, Hashable {
    var jobID: String
    /// From 1.
    var number: Int
    var fence: Int64
    var agentID: String
    var pod: String
    var host: String
    var role: MemberStatus.Role?
    /// The agent's process when the job was given, or when it began.
    var incarnation: String
    var consistency: Consistency?
    /// Why this member.
    var choice: String
    var phase: HostView.Phase
    var desire: JobDesire
    var assignedAt: Timestamp
    var startedAt: Timestamp?
    var endedAt: Timestamp?
    /// When the agent last spoke of this job: the server's side of the lease counts from here.
    var lastContact: Timestamp
    /// The agent says that it lost the job, or came back without it.
    var isReportedLost: Bool
    var progress: JobProgress?
    var lock: LockReport?
    /// When the lock was first heard of, minus how long it had been held by then.
    var lockedAt: Timestamp?
    var balancer: BalancerReport?
    /// How far the job is, as far as the session's other jobs must know.
    var milestone: JobMilestone?
    var permit: String?
    var outcome: JobOutcome?
    var failure: JobFailure?
    var logBytes: Int64

    /// Whether nothing is expected of it any more.
    var isOver: Bool {
        switch phase {
        case .assigned, .running, .committing: false
        case .succeeded, .failed, .cancelled, .lost: true
        }
    }
}
