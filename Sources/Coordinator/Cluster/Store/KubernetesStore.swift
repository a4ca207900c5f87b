import BackupModel
import Kubernetes
import Logging
import Synchronization

/// The coordinator's memory in the Kubernetes API: each session in the status of its own object.
///
/// Reads are answered from a mirror in memory, which is right because only the leader writes: every write is guarded by
/// the object's `resourceVersion`, and carries the leader's epoch. A write that meets a greater epoch means that somebody
/// else leads, and ``Guards/fenced`` ends the process.
///
/// It blocks the conductor's own thread while it waits for the API server. What is asked for within
/// ``together(_:)`` is written in parallel at its end; when only a part of that succeeds, it counts as an answer that was
/// lost: the caller's memory goes back, and each call is made again over what was written.
final class KubernetesStore: Store {
    /// What the store must know or tell beyond sessions.
    struct Guards: Sendable {
        /// Another coordinator leads: nothing may be written any more.
        ///
        /// Called once, with a sentence.
        var fenced: @Sendable (String) -> Void
        /// The owner that a configuration's sessions belong to; nil while its object isn't known.
        var owner: @Sendable (ResourceKey) -> OwnerReference?
        /// What happened in a session, once it is durable; the text is its object's uid.
        var happened: @Sendable (SessionState, String, [SessionEventView]) -> Void
        /// The clock.
        var clock: @Sendable () -> Timestamp
    }

    /// What is in memory.
    struct State: Sendable {
        var epoch: Int64 = 0
        var shelf = SessionShelf()
        var ledger = LedgerMap()
        var handled: [ResourceKey: Timestamp] = [:]
        var agents: [String: AgentRecord] = [:]
        /// Objects that we let go of: an old look at them must not bring them back.
        var removed: Set<String> = []
        var transaction: Transaction?
        var isFenced = false
    }

    /// What was changed in memory and isn't durable yet.
    struct Transaction: Sendable {
        /// What stood on the shelf before; a missing entry as nil.
        var before: [ResourceKey: SessionShelf.Entry?] = [:]
        var events: [ResourceKey: [SessionEventView]] = [:]
        var ledgerBefore: LedgerMap?
        var handledBefore: [ResourceKey: Timestamp?] = [:]
    }

    let client: KubernetesClient
    /// The coordinator's own namespace.
    let namespace: String
    let guards: Guards
    let logger: Logger
    let state = Mutex(State())

    /// Tries at one object whose version changes under our hands.
    static let maximumTries = 5
    /// Objects written at once.
    static let parallelWrites = 16

    init(client: KubernetesClient, namespace: String, guards: Guards, logger: Logger) {
        self.client = client
        self.namespace = namespace
        self.guards = guards
        self.logger = logger
    }

    /// The kind of object that a session is.
    static func resource(_ kind: SessionView.Kind) -> APIResource {
        kind == .backup ? .backupSessions : .restoreSessions
    }

    // MARK: Transactions

    func together(_ body: () throws -> Void) throws {
        let isOuter = state.withLock { state in
            guard state.transaction == nil else { return false }
            state.transaction = Transaction()
            return true
        }
        guard isOuter else {
            try body()
            return
        }
        do {
            try body()
        } catch {
            state.withLock { Self.takeBack(&$0) }
            throw error
        }
        try flush()
    }

    /// Memory as it was before the open transaction; versions of objects stay as they have become.
    private static func takeBack(_ state: inout State) {
        guard let transaction = state.transaction else { return }
        state.transaction = nil
        for (key, before) in transaction.before {
            guard var entry = before else {
                state.shelf[key] = nil
                continue
            }
            if let now = state.shelf[key], now.uid == entry.uid {
                entry.resourceVersion = now.resourceVersion
                entry.isGone = now.isGone
            }
            state.shelf[key] = entry
        }
        if var ledger = transaction.ledgerBefore {
            ledger.resourceVersion = state.ledger.resourceVersion
            state.ledger = ledger
        }
        for (key, time) in transaction.handledBefore { state.handled[key] = time }
    }

    /// Writes everything that the open transaction changed, in parallel.
    private func flush() throws {
        let (transaction, isFenced) = state.withLock { ($0.transaction ?? Transaction(), $0.isFenced) }
        if isFenced { throw StoreError(description: "another coordinator leads") }
        var writes: [@Sendable () async -> StoreError?] = []
        for (key, _) in transaction.before where state.withLock({ $0.shelf[key] != nil }) {
            writes.append { await self.write(key) }
        }
        // The mark of a schedule goes after its session: a crash in between finds the session's name taken.
        let marks = transaction.handledBefore.keys.sorted()
        let isLedgerChanged = transaction.ledgerBefore != nil
        let first = writes
        let failures = first.isEmpty ? [] : Blocking.wait { await Self.inParallel(first) }
        var failure = failures.first
        if failure == nil, isLedgerChanged { failure = Blocking.wait { await self.writeLedger() } }
        if failure == nil, !marks.isEmpty {
            failure =
                Blocking.wait { await Self.inParallel(marks.map { key in { await self.writeHandled(key) } }) }.first
        }
        if let failure {
            state.withLock { Self.takeBack(&$0) }
            throw failure
        }
        // Locks of sessions whose objects turned out to be gone are in the ledger from now on.
        let orphans = state.withLock { state -> [LockRecord] in
            state.transaction = nil
            return transaction.before.keys.compactMap { state.shelf[$0] }.filter(\.isGone)
                .flatMap { (try? $0.record.openLocks) ?? [] }  // what isn't readable here was told when it was read
        }
        for lock in orphans { try save(lock) }
        for (key, events) in transaction.events where !events.isEmpty {
            guard let entry = state.withLock({ $0.shelf[key] }) else { continue }
            guards.happened(try entry.record.session, entry.uid, events)
        }
    }

    private static func inParallel(_ writes: [@Sendable () async -> StoreError?]) async -> [StoreError] {
        await withTaskGroup(of: StoreError?.self) { group in
            var failures: [StoreError] = []
            for (index, write) in writes.enumerated() {
                if index >= parallelWrites, let failure = await group.next() ?? nil { failures.append(failure) }
                group.addTask { await write() }
            }
            for await failure in group { if let failure { failures.append(failure) } }
            return failures
        }
    }

    /// Runs `body`, which changes memory, in the open transaction or in one of its own.
    private func change<Value>(_ body: (inout State) throws -> Value) throws -> Value {
        var value: Value?
        try together { value = try state.withLock { try body(&$0) } }
        guard let value else { throw StoreError(description: "nothing was done") }
        return value
    }

    private static func remember(_ key: ResourceKey, _ state: inout State) {
        if state.transaction?.before[key] == nil { state.transaction?.before[key] = .some(state.shelf[key]) }
    }

    // MARK: Sessions

    func insert(_ session: SessionState, events: [SessionEventView]) throws -> Bool {
        let isTaken = state.withLock { $0.shelf[session.key] != nil }
        if isTaken { return false }
        let made: Result<KubernetesObject?, StoreError> = Blocking.wait { await self.makeObject(session) }
        guard let object = try made.get() else { return false }
        try change { state in
            Self.remember(session.key, &state)
            state.shelf[session.key] = SessionShelf.Entry(
                kind: session.kind,
                uid: object.uid,
                resourceVersion: object.resourceVersion,
                generation: object.generation,
                record: SessionRecord(session: session, events: events, locks: [])
            )
            state.transaction?.events[session.key, default: []] += events
        }
        return true
    }

    func save(_ session: SessionState, events: [SessionEventView], locks: [LockRecord]) throws {
        try change { state in
            guard var entry = state.shelf[session.key] else {
                throw StoreError(description: "session \(session.key) has no object any more")
            }
            Self.remember(session.key, &state)
            var record = try entry.record
            record.session = session
            record.add(events, locks)
            entry.set(record)
            state.shelf[session.key] = entry
            state.transaction?.events[session.key, default: []] += events
            if entry.isGone { for lock in locks { Self.keepInLedger(lock, &state) } }
        }
    }

    func session(_ key: ResourceKey) throws -> SessionState? {
        try state.withLock { $0.shelf[key] }?.record.session
    }

    func sessions(_ filter: SessionFilter) throws -> [SessionState] {
        try state.withLock { $0.shelf.find(filter) }.map { try $0.record.session }
    }

    func events(of session: ResourceKey) throws -> [SessionEventView] {
        try state.withLock { $0.shelf[session] }?.record.events ?? []
    }

    /// Lets go of a session: its open locks go into the ledger first, then our finalizer, then the object.
    func remove(_ session: ResourceKey) throws { try letGo(session, deletes: true) }

    /// Lets go of a session's object.
    ///
    /// - Parameters:
    ///   - key: the session.
    ///   - deletes: false when somebody deletes it already, and only our finalizer is in the way.
    /// - Throws: ``StoreError``; the session stays as it is then.
    func letGo(_ key: ResourceKey, deletes: Bool) throws {
        guard let entry = state.withLock({ $0.shelf[key] }) else { return }
        for lock in try entry.record.openLocks {
            try change { Self.keepInLedger(lock, &$0) }
            // Within a greater transaction that isn't written yet; the object must not go before.
            if state.withLock({ $0.transaction != nil }) {
                let failure = Blocking.wait { await self.writeLedger() }
                if let failure { throw failure }
            }
        }
        if !entry.isGone {
            let failure = Blocking.wait { await self.dropObject(entry, deletes: deletes) }
            if let failure { throw failure }
        }
        state.withLock { state in
            // What is deleted can't come back: no transaction takes this back.
            state.transaction?.before[key] = nil
            state.transaction?.events[key] = nil
            state.shelf[key] = nil
            if state.removed.count > 20_000 { state.removed = [] }
            state.removed.insert(entry.uid)
        }
    }

    /// The object that a session is kept in; nil when there is no such session.
    func uid(of key: ResourceKey, _ kind: SessionView.Kind) -> String? {
        state.withLock { state in state.shelf[key].flatMap { $0.kind == kind ? $0.uid : nil } }
    }

    /// Whether an object is neither a session's that we know nor one that we let go of.
    func isUnknown(_ key: ResourceKey, uid: String) -> Bool {
        state.withLock { $0.shelf[key] == nil && !$0.removed.contains(uid) }
    }

    /// Takes note that a session's object is gone.
    func markGone(_ key: ResourceKey, uid: String) {
        state.withLock { state in
            guard state.shelf[key]?.uid == uid else { return }
            state.shelf.change(key) { $0.isGone = true }
        }
    }

    /// Forgets when a schedule fired last: a new configuration of that name begins anew.
    func forgetSchedule(_ key: ResourceKey) { state.withLock { $0.handled[key] = nil } }

    // MARK: Locks

    func save(_ lock: LockRecord) throws {
        try change { state in
            guard var entry = state.shelf[lock.session], !entry.isGone else {
                Self.keepInLedger(lock, &state)
                return
            }
            Self.remember(lock.session, &state)
            var record = try entry.record
            record.add([], [lock])
            entry.set(record)
            state.shelf[lock.session] = entry
        }
    }

    private static func keepInLedger(_ lock: LockRecord, _ state: inout State) {
        if state.transaction != nil, state.transaction?.ledgerBefore == nil {
            state.transaction?.ledgerBefore = state.ledger
        }
        state.ledger.keep(lock)
    }

    func locks(onlyOpen: Bool, limit: Int) throws -> [LockRecord] {
        let (entries, ledger) = state.withLock { state in
            let entries = state.shelf.entries.values.filter { $0.summary.hasOpenLocks || !onlyOpen }
            return (entries, Array(state.ledger.locks.values))
        }
        var found = ledger
        // Of sessions that are over long since nobody asks for locks; the newest are enough.
        for entry in entries.sorted(by: { $0.summary.created > $1.summary.created }).prefix(max(limit, 10_000)) {
            found += try entry.record.locks
            if !onlyOpen, found.count > 4 * limit { break }
        }
        return found.filter { $0.isOpen || !onlyOpen }
            .sorted { ($0.since, $0.id) > ($1.since, $1.id) }.prefix(limit).map { $0 }
    }

    // MARK: Agents and schedules

    /// In memory only: after a change of leader they register again.
    func save(_ agent: AgentRecord) throws { state.withLock { $0.agents[agent.agentID] = agent } }

    func agents() throws -> [AgentRecord] { state.withLock { $0.agents.values.sorted { $0.agentID < $1.agentID } } }

    func remove(agent agentID: String) throws { state.withLock { $0.agents[agentID] = nil } }

    func lastHandled(_ configuration: ResourceKey) throws -> Timestamp? {
        state.withLock { state in
            if let time = state.handled[configuration] { return time }
            // An object that is a session was dealt with when it has a record: nothing else need be remembered.
            guard let declared = DeclaredSession(mark: configuration), let entry = state.shelf[declared.key],
                entry.kind == declared.kind
            else { return nil }
            return entry.summary.created
        }
    }

    func setLastHandled(_ configuration: ResourceKey, _ time: Timestamp) throws {
        try change { state in
            if let declared = DeclaredSession(mark: configuration), state.shelf[declared.key]?.kind == declared.kind {
                return
            }
            if state.transaction?.handledBefore[configuration] == nil {
                state.transaction?.handledBefore[configuration] = .some(state.handled[configuration])
            }
            state.handled[configuration] = time
        }
    }
}

/// An object by which somebody asks for a session, as the conductor marks it: `BackupSession/name`.
struct DeclaredSession: Sendable, Hashable {
    var kind: SessionView.Kind
    var key: ResourceKey

    init?(mark: ResourceKey) {
        let parts = mark.name.split(separator: "/", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        switch parts[0] {
        case BackupSessionSpec.kind[...]: kind = .backup
        case RestoreSessionSpec.kind[...]: kind = .restore
        default: return nil
        }
        key = ResourceKey(namespace: mark.namespace, name: String(parts[1]))
    }
}
