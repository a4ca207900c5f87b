import BackupModel
import Logging

/// Everything that the coordinator decides with: one actor that holds the live sessions, the fleet and the ledger.
///
/// It feeds the pure machine, stores what comes out, and only then lets effects and answers go. It runs on a queue of
/// its own because commits block for a moment.
actor Conductor {
    /// Something to be done outside of the actor.
    struct Work: Sendable {
        var session: SessionState
        var effect: SessionEffect
    }

    /// What one process of the coordinator is.
    struct Identity: Sendable {
        var version: String
        var epoch: Int64
        var startedAt: Timestamp
    }

    nonisolated let bell = Bell()
    nonisolated let identity: Identity
    nonisolated let timings: SessionTimings
    nonisolated let logger: Logger
    nonisolated let executor = QueueExecutor(label: "remora.conductor")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    let store: any Store
    let clock: @Sendable () -> Timestamp
    let work: AsyncStream<Work>.Continuation

    /// Calls whose commit comes next.
    var waiting: [WaitingCall] = []
    /// What is to be told when the open transaction has become durable; nil while there is none.
    var announcements: Announcements?

    var active: [ResourceKey: SessionState] = [:]
    /// Where to look among the active sessions.
    var whereabouts = Whereabouts()
    /// Sessions that ended lately: their agents may still repeat themselves.
    var recent: [ResourceKey: SessionState] = [:]
    var sessionOfJob: [String: ResourceKey] = [:]
    var fleet: [String: AgentState] = [:]
    /// Ids of the agents of each target in `fleet`.
    var fleetOfTarget: [ResourceKey: Set<String>] = [:]
    var locks = LockBook()
    var objects = ObjectSet()
    var objectProblems: [String] = []
    var scheduleCache: [ResourceKey: ScheduleCache] = [:]
    /// When the agent of a job first said that it is complete while log bytes were missing.
    var logWaits: [String: Timestamp] = [:]
    var isDraining = false
    /// Sessions that history let go; their local logs go next.
    var forgotten: [SessionState] = []
    /// Which members the newest good backups were read from, by target and group; filled when first asked for.
    var lastDumped: [ResourceKey: [String: String]] = [:]
    var volatileSavedAt: [ResourceKey: Timestamp] = [:]
    /// Namespaces that are being deleted: nobody tidies up in storage for their sessions any more.
    var endingNamespaces: Set<String> = []
    /// Uids of the pods that should have an agent, where somebody knows: cluster mode.
    var expectedAgents: (@Sendable (ResourceKey) -> Set<String>)?
    /// Fingerprint of the authority that signs our certificate, where agents are told which one that is: cluster mode.
    var authority: String?
    /// Why objects that ask for a session get none yet, by kind and name.
    var declaredProblems: [ResourceKey: String] = [:]

    /// Progress is stored at most this often; everything else at once.
    private static let progressSaveMs: Int64 = 10_000
    private static let recentLimit = 200

    init(
        store: any Store,
        version: String,
        timings: SessionTimings,
        logger: Logger,
        clock: @escaping @Sendable () -> Timestamp,
        work: AsyncStream<Work>.Continuation
    ) throws {
        self.store = store
        self.timings = timings
        self.logger = logger
        self.clock = clock
        self.work = work
        let now = clock()
        // Seconds since 1970 as the floor: greater than every earlier epoch even if the state was lost.
        let epoch = try store.nextEpoch(atLeast: now.unixMs / 1000)
        identity = Identity(version: version, epoch: epoch, startedAt: now)
    }

    /// Takes up what an earlier process left: sessions go on where they were, leases count from now.
    func start() throws {
        for record in try store.agents() { place(AgentState(record: record)) }
        for var lock in try store.locks(onlyOpen: true, limit: 10_000) {
            // Silence counts from now: agents could not report while nobody listened.
            lock.lastReport = clock()
            lock.deadline = max(lock.deadline, lock.lastReport)
            locks.keep(lock)
        }
        for session in try store.sessions(SessionFilter(isActive: false, limit: Self.recentLimit)) {
            recent[session.key] = session
            index(session)
        }
        for session in try store.sessions(SessionFilter(isActive: true, limit: 10_000)) { takeUp(session) }
    }

    /// Takes up one session that the store has: it goes on where it was.
    func takeUp(_ session: SessionState) {
        index(session)
        guard !session.isOver else {
            recent[session.key] = session
            return
        }
        active[session.key] = session
        whereabouts.note(session, before: nil)
        apply(.restarted, to: session.key)
        guard let session = active[session.key] else { return }
        for effect in SessionMachine.resume(session) { begin(Work(session: session, effect: effect)) }
        logger.notice("taking up session \(session.key) (\(session.phase.rawValue))")
    }

    private func index(_ session: SessionState) {
        for group in session.groups { for attempt in group.attempts { sessionOfJob[attempt.jobID] = session.key } }
    }

    // MARK: Steps

    /// One step of a session whose failure to be stored can only be told to the log: it will be tried again.
    @discardableResult func apply(_ event: SessionEvent, to key: ResourceKey) -> SessionAnswer {
        do {
            return try step(event, of: key)
        } catch {
            logger.error("session \(key): \(error)")
            return .accepted
        }
    }

    /// One step of a session: the machine decides, the store remembers, and only then anything happens.
    func step(_ event: SessionEvent, of key: ResourceKey) throws -> SessionAnswer {
        guard let before = active[key] ?? recent[key] else { return .refused(.unknownJob) }
        let now = clock()
        let transition = SessionMachine.step(before, event, now: now, timings: timings)
        let after = transition.state
        let events = transition.effects.compactMap { effect -> SessionEventView? in
            guard case .record(let type, let message) = effect else { return nil }
            return SessionEventView(time: now, type: type, message: message)
        }
        let ledger = locks.changes(before, after, now)
        for record in ledger.refreshed { locks.keep(record) }
        let changedLocks = ledger.durable
        if after != before {
            let isDurable =
                !events.isEmpty || !changedLocks.isEmpty || after.withoutVolatiles != before.withoutVolatiles
            let isDue = now >= (volatileSavedAt[key] ?? .init(unixMs: 0)).adding(milliseconds: Self.progressSaveMs)
            if isDurable || isDue {
                try store.save(after, events: events, locks: changedLocks)
                volatileSavedAt[key] = now
            }
        }
        for lock in changedLocks { locks.keep(lock) }
        adopt(after, before: before)
        for event in events { log(event, after) }
        for effect in transition.effects {
            if case .record = effect { continue }
            begin(Work(session: after, effect: effect))
        }
        return transition.answer
    }

    private func adopt(_ after: SessionState, before: SessionState) {
        let key = after.key
        whereabouts.note(after, before: before)
        if after.isOver {
            active[key] = nil
            recent[key] = after
            volatileSavedAt[key] = nil
            if !before.isOver { ended(after) }
        } else {
            active[key] = after
        }
        index(after)
        guard after != before else { return }
        let agents = Set((before.groups + after.groups).flatMap { $0.attempts.map(\.agentID) })
        for agent in agents { ring(agent) }
        ring(Self.sessionBell(key))
    }

    private func log(_ event: SessionEventView, _ session: SessionState) {
        let level: Logger.Level =
            switch event.type {
            case "Failed", "JobFailed", "Failing", "RepositoryNotReady", "ManifestNotWritten": .error
            case "Retrying", "AgentRestarted", "JobLost", "NoMember", "CleanupIncomplete", "Skipped": .warning
            default: .info
            }
        logger.log(level: level, "session \(session.key): \(event.type): \(event.message)")
    }

    /// Where followers of a session wait.
    static func sessionBell(_ key: ResourceKey) -> String { "session/\(key)" }

    // MARK: Time

    /// A look around: everything that depends on time alone, in one commit.
    func tick() {
        let look = WaitingCall(
            perform: { conductor in
                conductor.lookAtTime()
                return {}
            },
            fail: { _ in }
        )
        commit([look])
    }

    private func lookAtTime() {
        guard !isDraining else { return }
        let now = clock()
        watchSchedules(now)
        for key in active.keys.sorted(by: { order($0) < order($1) }) { observe(key, now) }
        watchLocks(now)
    }

    /// Older sessions first: who came first gets the target.
    private func order(_ key: ResourceKey) -> (Int64, ResourceKey) { (active[key]?.created.unixMs ?? 0, key) }

    func observe(_ key: ResourceKey, _ now: Timestamp) {
        guard let session = active[key] else { return }
        let older = sessions(of: session.target).filter { other in
            other.key != key && (other.created.unixMs, other.key) < (session.created.unixMs, key)
        }
        apply(.observed(surroundings(of: session.target, older: older, now)), to: key)
    }

    /// What a session on this target would decide by, with `older` sessions before it.
    func surroundings(of target: ResourceKey, older: [SessionState], _ now: Timestamp) -> Surroundings {
        Surroundings(
            agents: agents(of: target, now).map(withoutReleasedLock),
            busyWith: older.min { $0.created < $1.created }?.key,
            isSettled: isSettled(target, now),
            lastDumped: membersDumped(of: target),
            stoppedBalancer: locks.stoppedBalancer(of: target)
        )
    }

    private func membersDumped(of target: ResourceKey) -> [String: String] {
        if let known = lastDumped[target] { return known }
        var members: [String: String] = [:]
        do {
            let filter = SessionFilter(
                namespace: target.namespace,
                kind: .backup,
                target: target,
                phase: .succeeded,
                limit: 1
            )
            if let newest = try store.sessions(filter).first { members = newest.membersDumped }
        } catch {
            // The choice is then made as for a first backup: less is known again, nothing is wrong.
            logger.warning("the last backup of \(target) could not be looked up: \(error)")
        }
        lastDumped[target] = members
        return members
    }

    /// Sessions whose local logs may be removed.
    func takeForgotten() -> [SessionState] {
        defer { forgotten = [] }
        return forgotten
    }

    /// Stops deciding: answers to open polls say when to come back.
    func drain() {
        isDraining = true
        bell.ringAll()
    }

    /// Objects that are in force from now on, and what is wrong with newer ones.
    func setObjects(_ objects: ObjectSet?, problems: [String]) {
        if let objects {
            // What didn't change is due when it was due.
            for key in scheduleCache.keys
            where objects.configurations[key]?.spec != self.objects.configurations[key]?.spec {
                scheduleCache[key] = nil
            }
            self.objects = objects
        }
        objectProblems = problems
    }

    private func ended(_ session: SessionState) {
        if session.kind == .backup, session.phase == .succeeded { lastDumped[session.target] = session.membersDumped }
        for job in session.groups.flatMap(\.attempts).map(\.jobID) { logWaits[job] = nil }
        if recent.count > 2 * Self.recentLimit {
            let old = recent.values.sorted { $0.created < $1.created }.prefix(recent.count - Self.recentLimit)
            for session in old {
                recent[session.key] = nil
                for job in session.groups.flatMap(\.attempts).map(\.jobID) { sessionOfJob[job] = nil }
            }
        }
        forgetHistory(of: session)
    }
}

extension SessionState {
    /// Each group's member that was read in the end.
    var membersDumped: [String: String] {
        Dictionary(groups.compactMap { group in group.attempts.last.map { (group.name, $0.host) } }) { $1 }
    }

    /// The state without what changes with every heartbeat.
    var withoutVolatiles: SessionState {
        var state = self
        for group in state.groups.indices {
            for attempt in state.groups[group].attempts.indices {
                state.groups[group].attempts[attempt].progress = nil
                state.groups[group].attempts[attempt].lastContact = created
                state.groups[group].attempts[attempt].logBytes = 0
                state.groups[group].attempts[attempt].lock?.heldMs = 0
                state.groups[group].attempts[attempt].lock?.remainingMs = 0
                state.groups[group].attempts[attempt].balancer?.stoppedMs = 0
                state.groups[group].attempts[attempt].balancer?.remainingMs = 0
            }
        }
        return state
    }
}
