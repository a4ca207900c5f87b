import BackupModel

// What people see.
extension Conductor {
    /// A clock that differs by more is worth a word.
    private static let skewMs: Int64 = 5000

    /// One session.
    func view(of key: ResourceKey) throws -> SessionView {
        guard let session = try active[key] ?? recent[key] ?? store.session(key) else {
            throw RequestError.notFound("there is no session \(key)")
        }
        return session.view(events: try store.events(of: key), now: clock(), version: identity.version)
    }

    /// The state of one session, for its logs.
    func state(of key: ResourceKey) throws -> SessionState {
        guard let session = try active[key] ?? recent[key] ?? store.session(key) else {
            throw RequestError.notFound("there is no session \(key)")
        }
        return session
    }

    /// Sessions, newest first.
    func views(_ filter: SessionFilter) throws -> [SessionView] {
        try store.sessions(filter).map { stored in
            (active[stored.key] ?? stored).view(events: [], now: clock(), version: identity.version)
        }
    }

    /// Whether a session may still use its repositories.
    func isActive(_ session: String) -> Bool { active.keys.contains { $0.name == session } }

    /// Sessions whose lock files must be there: prepared, and not being tidied up.
    var sessionsWithLocks: [SessionState] {
        active.values.filter { $0.hasRepositoryLocks && [.running, .stopping, .finalizing].contains($0.stage) }
    }

    /// The whole state on one screen, or what of it belongs to one namespace.
    func status(namespace: String? = nil) throws -> StatusView {
        let now = clock()
        let isWanted = { (key: ResourceKey) in namespace == nil || key.namespace == namespace }
        var targets: [TargetView] = []
        for key in objects.bindings.keys.sorted() where isWanted(key) { targets.append(try target(key, now)) }
        var problems = namespace == nil ? objectProblems + locks.helpless.values.sorted() : []
        for state in fleet.values.sorted(by: { $0.record.pod < $1.record.pod })
        where isWanted(state.record.target) && objects.bindings[state.record.target] == nil && state.isConnected(now) {
            problems.append(
                "agent \(state.record.namespace)/\(state.record.pod) belongs to target \(state.record.target), for which "
                    + "there is no AppBinding"
            )
        }
        return StatusView(
            version: identity.version,
            epoch: identity.epoch,
            startedAt: identity.startedAt,
            targets: targets,
            running: active.values.filter { isWanted($0.key) }.sorted { ($0.created, $0.key) < ($1.created, $1.key) }
                .map { $0.view(events: [], now: now, version: identity.version) },
            problems: problems
        )
    }

    private func target(_ key: ResourceKey, _ now: Timestamp) throws -> TargetView {
        let configurations = objects.configurations(of: key)
        var view = TargetView(
            namespace: key.namespace,
            name: key.name,
            engine: objects.bindings[key]?.spec.engine ?? ""
        )
        view.configurations = configurations.map(\.key.name)
        let good = SessionFilter(kind: .backup, target: key, phase: .succeeded, limit: 1)
        if let last = try store.sessions(good).first {
            view.lastSuccess = last.dataCompleteAt ?? last.ended
            view.lastSuccessSession = last.key.name
        }
        view.lastPhase = try store.sessions(SessionFilter(kind: .backup, target: key, isActive: false, limit: 1)).first?
            .phase
        view.nextRun = configurations.filter { $0.spec.paused != true }
            .compactMap { scheduleCache[$0.key]?.next }.min()
        let jobs = sessions(of: key).flatMap { $0.groups.compactMap(\.live) }
        for state in fleet(of: key).sorted(by: { $0.record.pod < $1.record.pod }) {
            view.agents.append(agent(state, jobs.first { $0.agentID == state.record.agentID }?.jobID, now))
        }
        view.problems = problems(configurations, view, now)
        return view
    }

    private func agent(_ state: AgentState, _ job: String?, _ now: Timestamp) -> AgentView {
        let record = state.record
        var view = AgentView(pod: record.pod, version: record.version, connected: state.isConnected(now))
        view.host = record.member.host
        view.group = record.member.group
        view.role = record.member.role
        view.lag = record.member.lagSeconds
        view.serverVersion = record.member.version
        view.databaseReachable = record.member.isReachable
        view.lastSeen = record.lastSeen
        view.job = job
        view.problems = record.member.problems
        if abs(record.clockSkewMs) > Self.skewMs {
            view.problems.append(
                "its clock is \(abs(record.clockSkewMs) / 1000) s \(record.clockSkewMs > 0 ? "ahead" : "behind")"
            )
        }
        if let authority, let trusted = record.trustedAuthorities, !trusted.contains(authority) {
            view.problems.append(
                "it does not trust the coordinator's present certificate authority, so it can't connect anew: look at "
                    + "ConfigMap remora-ca of its namespace, and delete that if somebody else has written it"
            )
        }
        if let lock = record.member.lock, !lock.isOurs {
            view.problems.append("the member is locked by somebody else (fsyncLock), which is left alone")
        }
        return view
    }

    private func problems(_ configurations: [BackupConfiguration], _ view: TargetView, _ now: Timestamp) -> [String] {
        var problems: [String] = []
        if configurations.isEmpty { problems.append("no BackupConfiguration backs this target up") }
        if !view.agents.contains(where: \.connected), now >= identity.startedAt.adding(milliseconds: 30_000) {
            problems.append("no agent is connected")
        }
        if configurations.contains(where: { $0.spec.schedule != nil }), view.lastSuccess == nil {
            problems.append("there is no good backup yet")
        }
        if let phase = view.lastPhase, phase == .failed { problems.append("the last backup failed") }
        for configuration in configurations {
            if configuration.spec.retentionPolicy != nil {
                problems.append(
                    "BackupConfiguration \(configuration.key.name): spec.retentionPolicy is not applied by this version: "
                        + "every backup is kept"
                )
            }
            problems += configuration.spec.notices.map { "BackupConfiguration \(configuration.key.name): \($0)" }
        }
        return problems
    }
}
