import BackupModel

/// The life of a session as a pure function: `(state, event, now) → (state, effects, answer)`.
///
/// ```
/// pending ⇄ queued → preparing → running → finalizing → cleaning → ended
///                        └──────────┴─ stopping ─────────┘
/// ```
/// A backup's manifest is written in `finalizing`, which is entered only when every group has its snapshot. Whoever
/// runs the machine stores the new state before it carries out effects or gives the answer away, so that after a
/// crash the same state gives the same effects again (``resume(_:)``).
struct SessionMachine {
    /// What one step gives.
    struct Transition: Sendable, Hashable {
        var state: SessionState
        var effects: [SessionEffect]
        var answer: SessionAnswer
    }

    var state: SessionState
    let now: Timestamp
    let timings: SessionTimings
    var effects: [SessionEffect] = []

    /// One step.
    static func step(
        _ state: SessionState,
        _ event: SessionEvent,
        now: Timestamp,
        timings: SessionTimings
    ) -> Transition {
        var machine = SessionMachine(state: state, now: now, timings: timings)
        let answer = machine.apply(event)
        return Transition(state: machine.state, effects: machine.effects, answer: answer)
    }

    /// The effects that were under way when the state was stored: to be started again after a restart.
    static func resume(_ state: SessionState) -> [SessionEffect] {
        switch state.stage {
        case .preparing: [.prepare]
        case .finalizing: [.writeManifest]
        case .cleaning: [.clean]
        case .pending, .queued, .running, .stopping, .ended: []
        }
    }

    private mutating func apply(_ event: SessionEvent) -> SessionAnswer {
        switch event {
        case .heartbeat(let call, let pulse): return heartbeat(call, pulse)
        case .contact(let call, let logBytes): return contact(call, logBytes: logBytes)
        case .prepareCommit(let call, let result, let permit): return prepareCommit(call, result, permit)
        case .complete(let call, let outcome, let logBytes): return complete(call, outcome, logBytes: logBytes)
        case .observed(let surroundings): observe(surroundings)
        case .prepared(let sources): prepared(sources)
        case .prepareFailed(let message, let isRetryable, let reason): prepareFailed(message, isRetryable, reason)
        case .cancel(let requester): cancel(by: requester)
        case .restarted: restarted()
        case .manifestWritten: manifestWritten()
        case .manifestFailed(let message, let isRetryable): manifestFailed(message, isRetryable)
        case .cleaned(let problem): cleaned(problem)
        }
        return .accepted
    }

    mutating func record(_ type: String, _ message: String) {
        effects.append(.record(type: type, message: message))
    }

    // MARK: Looking around

    private mutating func observe(_ surroundings: Surroundings) {
        switch state.stage {
        case .pending, .queued:
            if !deadlinePassed() { begin(surroundings) }
        case .preparing:
            _ = deadlinePassed()
        case .running:
            watchLeases(surroundings)
            if state.stage == .running, !deadlinePassed() {
                beginNextRoundIfPossible()
                assignJobs(surroundings)
            }
        case .stopping:
            watchLeases(surroundings)
            endStoppingIfPossible()
        case .finalizing, .cleaning, .ended:
            break
        }
    }

    private mutating func deadlinePassed() -> Bool {
        guard now >= state.deadline else { return false }
        let seconds = state.plan.timeOutMs / 1000
        var message = "\(state.kind.rawValue) did not finish within \(GoDuration(seconds: seconds))"
        if let waitingFor = state.waitingFor { message += "; it was waiting for \(waitingFor)" }
        stop(.init(phase: .failed, reason: "DeadlineExceeded", message: message))
        return true
    }

    private mutating func begin(_ surroundings: Surroundings) {
        if let notBefore = state.notBefore, now < notBefore { return }
        if let other = surroundings.busyWith {
            wait(for: "session \(other) to finish on the same target")
            return
        }
        let usable = surroundings.agents.filter { $0.isConnected && !$0.isGone && $0.member.isReachable }
        guard surroundings.isSettled, !usable.isEmpty else {
            let target = state.target
            let connected = surroundings.agents.filter { $0.isConnected && !$0.isGone }
            let reasons = connected.map { "\($0.pod): \($0.member.problems.first ?? "not reachable")" }
                .joined(separator: "; ")
            if surroundings.isSettled, now >= state.created.adding(milliseconds: timings.agentWaitMs) {
                stop(
                    connected.isEmpty
                        ? .init(
                            phase: .failed,
                            reason: "NoAgent",
                            message: "no agent of target \(target) is connected; start remora-agent beside its members"
                        )
                        : .init(
                            phase: .failed,
                            reason: "DatabaseUnreachable",
                            message: "no agent of target \(target) reaches its database: \(reasons)"
                        )
                )
            } else if connected.isEmpty {
                wait(for: "an agent of target \(target)")
            } else {
                wait(for: "an agent of target \(target) that reaches its database: \(reasons)")
            }
            return
        }
        let topology: Topology
        switch Topology.decide(usable, target: state.target) {
        case .found(let found):
            topology = found
        case .incomplete(let missing):
            if now >= state.created.adding(milliseconds: timings.agentWaitMs) {
                stop(.init(phase: .failed, reason: "NoAgent", message: missing))
            } else {
                wait(for: "the whole cluster: \(missing)")
            }
            return
        case .unsupported(let message):
            stop(.init(phase: .failed, reason: "UnsupportedTopology", message: message))
            return
        }
        if let reason = Self.reasonAgainst(
            topology,
            target: state.target,
            backup: state.plan.backup,
            restore: state.plan.restore
        ) {
            stop(.init(phase: .failed, reason: reason.reason, message: reason.message))
            return
        }
        if state.groups.isEmpty {
            state.groups = topology.groups
            state.cluster = topology.cluster.map { ClusterState(id: $0.id, shards: $0.shards, now: now) }
            for remark in topology.remarks { record("Topology", remark) }
        }
        state.stage = .preparing
        state.waitingFor = nil
        state.notBefore = nil
        state.preparations += 1
        // Before the effect, not after it: a crash in between must not leave lock files that nobody looks for.
        state.hasRepositoryLocks = true
        effects.append(.prepare)
        if state.preparations == 1 {
            let names = state.groups.map(\.name).joined(separator: ", ")
            record("Started", "\(state.kind.rawValue) of \(state.target) began with \(names)")
        }
    }

    /// Why a session can't work on what there is, or nil.
    static func reasonAgainst(
        _ topology: Topology,
        target: ResourceKey,
        backup: BackupSpec?,
        restore: SessionPlan.Restore? = nil
    ) -> (reason: String, message: String)? {
        for group in topology.groups {
            if let reason = reasonAgainst(group: group.name) { return ("UnusableGroupName", reason) }
        }
        guard topology.cluster != nil else { return nil }
        if backup?.consistency == Consistency.none {
            return (
                "UnsupportedConsistency",
                "target \(target) is a sharded cluster, whose groups have no common point with consistency none; "
                    + "use lock, snapshot or oplog"
            )
        }
        if let group = restore?.group {
            return (
                "UnsupportedTopology",
                "target \(target) is a sharded cluster; one group alone (\(group)) can only be restored into a "
                    + "replica set or a standalone"
            )
        }
        return nil
    }

    private mutating func wait(for what: String) {
        guard state.stage != .queued || state.waitingFor != what else { return }
        state.stage = .queued
        state.waitingFor = what
        record("Queued", "waits for \(what)")
    }

    /// Why a group's name can't be part of a storage key, or nil.
    static func reasonAgainst(group: String) -> String? {
        let isGood = { (byte: UInt8) in
            (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a)
                || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
        }
        if StorageLayout.reservedGroups.contains(group) {
            return "group '\(group)' has a name that Remora needs for itself; rename the replica set"
        }
        guard !group.isEmpty, group.utf8.count <= 200, !group.hasPrefix("."), group.utf8.allSatisfy(isGood) else {
            return
                "group '\(group)' has a name that can't be part of a storage key; letters, digits, '-', '_' and '.' can"
        }
        return nil
    }

    // MARK: Repositories

    private mutating func prepared(_ sources: PreparedSources?) {
        guard state.stage == .preparing else { return }
        if state.kind == .restore {
            for index in state.groups.indices {
                state.groups[index].source = sources?.groups[state.groups[index].name]
            }
            if let group = state.groups.first(where: { $0.source == nil }) {
                let message = "the backup has nothing for group \(group.name)"
                stop(.init(phase: .failed, reason: "SourceIncomplete", message: message))
                return
            }
            state.sourceSession = sources?.session
            state.cluster?.shardNames = sources?.shardNames
            for remark in sources?.remarks ?? [] { record("Source", remark) }
        }
        state.stage = .running
        record("RepositoryReady", "repository \(state.plan.repository) is initialised and locked for this session")
    }

    private mutating func prepareFailed(_ message: String, _ isRetryable: Bool, _ reason: String) {
        guard state.stage == .preparing else { return }
        if isRetryable, state.preparations < timings.maximumTries {
            state.stage = .queued
            state.notBefore = now.adding(milliseconds: timings.prepareRetryMs)
            state.waitingFor = "another try at the repository"
            record("RepositoryNotReady", "\(message); tries again")
        } else {
            stop(.init(phase: .failed, reason: reason, message: message))
        }
    }

    // MARK: Restart

    private mutating func restarted() {
        for group in state.groups.indices {
            for attempt in state.groups[group].attempts.indices where !state.groups[group].attempts[attempt].isOver {
                state.groups[group].attempts[attempt].lastContact = now
            }
        }
        if state.stage == .stopping { state.stoppingSince = now }
    }
}
