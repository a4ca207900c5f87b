import BackupModel

@testable import Coordinator

/// One session on a made-up clock, with agents made by hand.
struct SessionHarness {
    var state: SessionState
    var now = Timestamp(unixMs: 1_000_000_000)
    var timings = SessionTimings()
    var agents: [AgentSnapshot]
    var busyWith: ResourceKey?
    var isSettled = true
    var stoppedBalancer: String?
    var effects: [SessionEffect] = []
    var events: [String] = []

    init(
        kind: SessionView.Kind = .backup,
        agents: [AgentSnapshot] = [Self.primary, Self.secondary, Self.hidden],
        consistency: Consistency? = nil,
        maximumAttempts: Int = 3
    ) {
        self.agents = agents
        state = SessionState(
            key: ResourceKey(namespace: "shop", name: "orders-1"),
            uid: "uid",
            kind: kind,
            plan: Self.plan(kind, consistency: consistency, maximumAttempts: maximumAttempts),
            created: now
        )
    }

    static func plan(
        _ kind: SessionView.Kind = .backup,
        target: String = "orders",
        consistency: Consistency? = nil,
        maximumAttempts: Int = 3
    ) -> SessionPlan {
        SessionPlan(
            configuration: kind == .backup ? "orders-hourly" : nil,
            target: target,
            engine: "mongodb",
            repository: ResourceKey(namespace: "shop", name: "main"),
            backend: StorageBackend(local: .init(mountPath: "/backups"), storageSecretName: "secret"),
            backup: kind == .backup ? BackupSpec(consistency: consistency) : nil,
            restore: kind == .restore
                ? .init(
                    from: "latest",
                    source: target,
                    conflict: .failIfNotEmpty,
                    selection: NamespaceSelection(),
                    usersAndRoles: true,
                    parallelism: 0
                ) : nil,
            maximumAttempts: kind == .backup ? maximumAttempts : 1,
            retryDelayMs: 30_000,
            timeOutMs: 3_600_000,
            trigger: .manual,
            requestedBy: "test"
        )
    }

    static func agent(
        _ pod: String,
        _ role: MemberStatus.Role,
        lag: Int = 0,
        priority: Double = 1,
        isHidden: Bool = false,
        isLockable: Bool? = true,
        group: String? = "rs0"
    ) -> AgentSnapshot {
        var member = MemberStatus(isReachable: true)
        member.role = role
        member.group = role == .standalone ? nil : group
        member.host = "\(pod):27017"
        member.lagSeconds = lag
        member.priority = priority
        member.isHidden = isHidden
        member.isLockable = role == .secondary ? isLockable : nil
        if isLockable == false { member.notLockableReason = "the set would lose its majority" }
        return AgentSnapshot(
            agentID: "uid-\(pod)",
            pod: pod,
            incarnation: "1",
            isConnected: true,
            isGone: false,
            member: member,
            jobs: []
        )
    }

    static let primary = agent("mongo-0", .primary)
    static let secondary = agent("mongo-1", .secondary, lag: 1)
    static let hidden = agent("mongo-2", .secondary, lag: 5, priority: 0, isHidden: true)

    @discardableResult mutating func send(_ event: SessionEvent) -> SessionAnswer {
        let transition = SessionMachine.step(state, event, now: now, timings: timings)
        state = transition.state
        effects = transition.effects.filter {
            if case .record = $0 { false } else { true }
        }
        for case .record(let type, _) in transition.effects { events.append(type) }
        return transition.answer
    }

    mutating func observe() {
        var surroundings = Surroundings(agents: agents, busyWith: busyWith, isSettled: isSettled)
        surroundings.stoppedBalancer = stoppedBalancer
        send(.observed(surroundings))
    }

    mutating func advance(seconds: Int64) {
        now = now.adding(seconds: seconds)
    }

    /// As far as a job that is assigned.
    mutating func assign() {
        observe()
        send(.prepared(state.kind == .restore ? sources : nil))
        observe()
    }

    var sources: PreparedSources {
        PreparedSources(
            session: "shop/old",
            groups: [
                "rs0": .init(group: "rs0", snapshotID: "abc"),
                "standalone": .init(group: "standalone", snapshotID: "abc"),
            ]
        )
    }

    /// The newest attempt of the only group.
    var attempt: Attempt? { state.groups.first?.attempts.last }

    var call: JobCall {
        JobCall(jobID: attempt?.jobID ?? "none", fence: attempt?.fence ?? 0, agentID: attempt?.agentID ?? "none")
    }

    @discardableResult mutating func heartbeat(lock: LockReport? = nil) -> SessionAnswer {
        send(.heartbeat(call, JobPulse(progress: JobProgress(step: "dump"), lock: lock)))
    }

    static func result(group: String = "rs0", snapshot: String? = "5nap") -> BackupResult {
        var result = BackupResult(
            engine: "mongodb",
            group: group,
            host: "mongo-2:27017",
            serverVersion: "6.0.5",
            guarantee: .groupCut,
            consistency: .lock,
            namespaces: 1,
            documents: 10,
            bytes: 100
        )
        result.snapshotID = snapshot
        return result
    }

    /// As far as all data in the repository.
    mutating func succeed() {
        heartbeat()
        send(.prepareCommit(call, Self.result(snapshot: nil), permit: "permit"))
        send(.complete(call, JobOutcome(backup: Self.result()), logBytes: 0))
    }

    /// The attempt's agent is a new process with these reports of its jobs.
    mutating func restartAgent(_ reports: [JobReport] = []) {
        guard let index = agents.firstIndex(where: { $0.agentID == attempt?.agentID }) else { return }
        agents[index].incarnation = "2"
        agents[index].jobs = reports
    }
}
