import BackupModel

@testable import Coordinator

/// The coordinator around the real machine and the real ledger: store, fleet, effects, crashes.
///
/// What `Conductor` does, without threads, sockets and SQLite. Its durable part outlives its lives; of two processes
/// only the newer one can write, what the older one had under way may still reach the repository.
final class CoordinatorModel {
    enum Answer {
        case document(epoch: Int64, [DesiredJob])
        case desire(epoch: Int64, JobDesire)
        case permit(String)
        case accepted
        case refused(Refusal)
        /// Ask again later.
        case unavailable
    }

    struct AgentView {
        var incarnation: String
        var member: MemberStatus
        var memberSeen: Timestamp?
        var jobs: [JobReport]
        var lastSeen: Timestamp
        var polls = 0
    }

    private struct Poll {
        var agentID: String
        var known: [DesiredJob]
        var reply: (Answer) -> Void
    }

    unowned let world: World
    let timings: SessionTimings
    var isUp = true
    private(set) var life = 0
    /// The wall clock's error.
    var clockOffset: Int64 = 0

    // Durable.
    private(set) var stored: [ResourceKey: SessionState] = [:]
    private(set) var storedLocks: [String: LockRecord] = [:]
    private var epoch: Int64 = 0
    var isStoreBroken = false

    // Of this life.
    private(set) var sessions: [ResourceKey: SessionState] = [:]
    private(set) var book = LockBook()
    private var fleet: [String: AgentView] = [:]
    private var polls: [Int: Poll] = [:]
    private var pollNumber = 0
    private var startedAt = Timestamp(unixMs: 0)

    init(_ world: World, timings: SessionTimings) {
        self.world = world
        self.timings = timings
    }

    var clock: Timestamp { Timestamp(unixMs: 1_700_000_000_000 + world.now + clockOffset) }

    // MARK: Life

    func start() {
        isUp = true
        life += 1
        epoch += 1
        startedAt = clock
        sessions = stored
        fleet = [:]
        polls = [:]
        book = LockBook()
        for var record in storedLocks.values.sorted(by: { $0.id < $1.id }) where record.isOpen {
            record.lastReport = clock
            record.deadline = max(record.deadline, clock)
            book.keep(record)
        }
        world.say("coordinator starts, epoch \(epoch)")
        for key in sessions.keys.sorted() where sessions[key]?.isOver == false {
            _ = step(.restarted, key)
            if let session = sessions[key] { for effect in SessionMachine.resume(session) { perform(effect, key) } }
        }
        tick()
    }

    func crash() {
        guard isUp else { return }
        world.say("coordinator crashes")
        isUp = false
        life += 1
        let delay = world.pick(1_000...60_000)
        world.after(delay) { [unowned self] in start() }
    }

    private func tick() {
        let life = life
        for key in sessions.keys.sorted() where isUp && self.life == life { observe(key) }
        watchLocks()
        world.after(3_000) { [unowned self] in if isUp, self.life == life { tick() } }
    }

    // MARK: Steps

    func create(_ session: SessionState) {
        sessions[session.key] = session
        stored[session.key] = session
    }

    /// Nil when it could not be stored, or the process died: nobody is told anything then.
    @discardableResult private func step(_ event: SessionEvent, _ key: ResourceKey) -> SessionAnswer? {
        guard isUp, let before = sessions[key] else { return nil }
        let transition = SessionMachine.step(before, event, now: clock, timings: timings)
        let after = transition.state
        for case .record(let type, let message) in transition.effects { world.say("\(key.name) \(type): \(message)") }
        let ledger = book.changes(before, after, clock)
        let isDurable =
            !ledger.durable.isEmpty || !transition.effects.isEmpty
            || after != before && Self.lasting(after) != Self.lasting(before)
        if isDurable {
            if isStoreBroken { return nil }
            if !world.isHealed, world.chance(1) {
                crash()
                return nil
            }
            if world.breakage != .store || world.chance(500) {
                stored[key] = after
                for record in ledger.durable { storedLocks[record.id] = record }
            }
        }
        for record in ledger.durable + ledger.refreshed { book.keep(record) }
        world.checkStep(before, after)
        sessions[key] = after
        if !world.isHealed, isDurable, world.chance(2) {
            // Stored, but neither are effects begun nor is anybody answered.
            crash()
            return nil
        }
        for effect in transition.effects {
            if case .record = effect { continue }
            perform(effect, key)
        }
        if isDurable { ring() }
        return transition.answer
    }

    private static func lasting(_ state: SessionState) -> SessionState {
        var state = state
        for group in state.groups.indices {
            for attempt in state.groups[group].attempts.indices {
                state.groups[group].attempts[attempt].lastContact = state.created
                state.groups[group].attempts[attempt].lock?.heldMs = 0
                state.groups[group].attempts[attempt].lock?.remainingMs = 0
                state.groups[group].attempts[attempt].balancer?.stoppedMs = 0
                state.groups[group].attempts[attempt].balancer?.remainingMs = 0
            }
        }
        return state
    }

    private func observe(_ key: ResourceKey) {
        guard let session = sessions[key], !session.isOver else { return }
        let older = sessions.values.filter {
            !$0.isOver && ($0.created.unixMs, $0.key) < (session.created.unixMs, key)
        }
        var surroundings = Surroundings(
            agents: snapshots,
            busyWith: older.min { $0.key < $1.key }?.key,
            isSettled: clock >= startedAt.adding(milliseconds: 15_000) || fleet.count == world.agents.count
        )
        surroundings.stoppedBalancer = book.stoppedBalancer(of: session.target)
        _ = step(.observed(surroundings), key)
    }

    private var snapshots: [AgentSnapshot] {
        world.agents.compactMap { agent in
            guard let view = fleet[agent.id] else { return nil }
            return AgentSnapshot(
                agentID: agent.id,
                pod: agent.id,
                incarnation: view.incarnation,
                isConnected: view.polls > 0 || clock.milliseconds(since: view.lastSeen) < 60_000,
                isGone: false,
                member: view.member,
                memberSeen: view.memberSeen,
                jobs: view.jobs
            )
        }
    }

    private func watchLocks() {
        guard isUp else { return }
        if world.breakage != .ledger { releaseWhatIsLeft() }
        if isUp { world.checkLedger() }
    }

    private func releaseWhatIsLeft() {
        let snapshots = snapshots
        let changes = book.watch(
            clock,
            timings,
            isComplete: { job in
                for session in sessions.values {
                    if let place = session.find(job: job) {
                        return session.groups[place.group].attempts[place.attempt].outcome != nil
                    }
                }
                return false
            },
            agents: { _ in snapshots }
        )
        for change in changes where change.kind != .helpless {
            world.say("ledger: \(change.record.subject) \(change.kind): \(change.reason)")
            if !isStoreBroken { storedLocks[change.record.id] = change.record }
            book.keep(change.record)
        }
        if !changes.isEmpty { ring() }
    }

    // MARK: Effects

    private func perform(_ effect: SessionEffect, _ key: ResourceKey) {
        let life = life
        let isLate = !world.isHealed && world.chance(30)
        world.after(isLate ? world.pick(10_000...60_000) : world.pick(50...2_000)) { [unowned self] in
            // A process that died in the middle may still have had its request on the way.
            guard let session = life == self.life ? sessions[key] : stored[key],
                SessionMachine.resume(session).contains(effect)
            else { return }
            let fails = !world.isHealed && world.chance(100)
            let event: SessionEvent
            switch effect {
            case .prepare:
                event =
                    fails
                    ? .prepareFailed(message: "storage is away", isRetryable: true) : .prepared(sources(session))
            case .writeManifest:
                event =
                    fails && world.chance(500) ? .manifestFailed(message: "away", isRetryable: true) : write(session)
                // Written, but the answer was lost.
                if fails, case .manifestWritten = event {
                    again(.manifestFailed(message: "no answer", isRetryable: true), key, life)
                    return
                }
            case .clean:
                event = .cleaned(problem: fails ? "storage is away" : nil)
            case .record:
                return
            }
            again(event, key, life)
        }
    }

    private func again(_ event: SessionEvent, _ key: ResourceKey, _ life: Int) {
        guard isUp, life == self.life else { return }
        if step(event, key) == nil, isUp {
            // The store was away: the event is kept until it is back.
            world.after(2_000) { [unowned self] in again(event, key, life) }
        }
    }

    private func sources(_ session: SessionState) -> PreparedSources? {
        guard session.kind == .restore else { return nil }
        var sources = PreparedSources(session: "shop/old", groups: [:])
        for group in session.groups { sources.groups[group.name] = .init(group: group.name, snapshotID: "old") }
        return sources
    }

    private func write(_ session: SessionState) -> SessionEvent {
        guard let manifest = ManifestMaker.make(session, writtenBy: "simulation") else {
            return .manifestFailed(message: "not every group has a snapshot", isRetryable: false)
        }
        if let there = world.repository.manifests[session.key.name], there != manifest {
            world.fail("two different manifests of \(session.key.name)")
        }
        world.repository.manifests[session.key.name] = manifest
        world.checkManifest(manifest)
        return .manifestWritten
    }

    // MARK: Agents

    func checkin(
        _ agent: AgentModel,
        _ incarnation: String,
        _ member: MemberStatus,
        _ jobs: [JobReport],
        known: [DesiredJob],
        _ reply: @escaping (Answer) -> Void
    ) {
        let polls = (fleet[agent.id]?.polls ?? 0) + 1
        fleet[agent.id] = AgentView(
            incarnation: incarnation,
            member: member,
            memberSeen: clock,
            jobs: jobs,
            lastSeen: clock,
            polls: polls
        )
        let life = life
        for key in sessions.keys.sorted() where isUp { observe(key) }
        watchLocks()
        guard isUp, self.life == life else { return }
        pollNumber += 1
        let number = pollNumber
        self.polls[number] = Poll(agentID: agent.id, known: known, reply: reply)
        world.after(8_000) { [unowned self] in if self.life == life { answer(number) } }
        if document(agent.id) != known { answer(number) }
    }

    private func answer(_ number: Int) {
        guard let poll = polls.removeValue(forKey: number) else { return }
        fleet[poll.agentID]?.polls -= 1
        fleet[poll.agentID]?.lastSeen = clock
        poll.reply(.document(epoch: epoch, document(poll.agentID)))
    }

    private func ring() {
        guard isUp else { return }
        for (number, poll) in polls.sorted(by: { $0.key < $1.key }) where document(poll.agentID) != poll.known {
            answer(number)
        }
    }

    private func document(_ agentID: String) -> [DesiredJob] {
        DesiredWork.jobs(
            for: agentID,
            in: sessions.values.filter { !$0.isOver },
            releases: book.releases(for: agentID),
            now: clock,
            timings: timings
        )
    }

    func heartbeat(_ call: JobCall, epoch: Int64, _ pulse: JobPulse, _ reply: @escaping (Answer) -> Void) {
        guard epoch <= self.epoch else { return reply(.unavailable) }
        fleet[call.agentID]?.lastSeen = clock
        if book.record(ofRelease: call.jobID) != nil { return reply(.desire(epoch: self.epoch, .run)) }
        let known = milestone(call.jobID)
        said(.heartbeat(call, pulse), call, reply)
        if isUp, known != milestone(call.jobID), let key = session(of: call.jobID) { observe(key) }
    }

    func prepareCommit(_ call: JobCall, _ result: BackupResult, _ reply: @escaping (Answer) -> Void) {
        let permit = "permit-\(world.random.next())"
        said(.prepareCommit(call, result, permit: permit), call, reply)
    }

    func complete(_ call: JobCall, _ outcome: JobOutcome, _ reply: @escaping (Answer) -> Void) {
        if var record = book.record(ofRelease: call.jobID) {
            if isStoreBroken { return reply(.unavailable) }
            record.endRelease(call.jobID, outcome, clock)
            storedLocks[record.id] = record
            book.keep(record)
            reply(.accepted)
            ring()
            return
        }
        said(.complete(call, outcome, logBytes: 0), call, reply)
    }

    private func said(_ event: SessionEvent, _ call: JobCall, _ reply: (Answer) -> Void) {
        guard let key = session(of: call.jobID) else { return reply(.refused(.unknownJob)) }
        let epoch = epoch
        switch step(event, key) {
        case nil: if isUp { reply(.unavailable) }
        case .accepted?: reply(.accepted)
        case .desire(let desire)?: reply(.desire(epoch: epoch, desire))
        case .permit(let permit)?:
            world.checkPermit(sessions[key], call)
            reply(.permit(permit))
        case .refused(let refusal)?: reply(.refused(refusal))
        }
    }

    private func session(of jobID: String) -> ResourceKey? {
        sessions.values.first { $0.find(job: jobID) != nil }?.key
    }

    private func milestone(_ jobID: String) -> JobMilestone? {
        guard let key = session(of: jobID), let session = sessions[key], let place = session.find(job: jobID) else {
            return nil
        }
        return session.groups[place.group].attempts[place.attempt].milestone
    }

    func cancel(_ key: ResourceKey) { _ = step(.cancel(by: "a person"), key) }
}
