import BackupModel

@testable import Coordinator

// What must hold; the table of docs/explanation/invariants.md, by the same numbers.
extension World {
    /// After every event.
    func checkAlways() {
        checkBalancer()
        checkLocks()
    }

    /// 1: no lock outlives its deadline and grace without a release under way.
    private func checkLocks() {
        for agent in agents {
            guard let run = agent.run, run.holdsLock, agent.isUp, case .ours = agent.member.lock else { continue }
            if now > run.mustBeFreeAt + 5_000, !run.isReleasing {
                fail("1: \(agent.id) holds a lock \(now - run.mustBeFreeAt) ms past its deadline and does nothing")
            }
        }
    }

    /// 1 too, whenever the ledger was looked through: silence never goes by without somebody who is sent, or said.
    func checkLedger() {
        let timings = coordinator.timings
        for record in coordinator.book.open.values {
            let silence = coordinator.clock.milliseconds(since: record.lastReport)
            let limit = timings.leaseEndMs + timings.leaseGraceMs
            if silence > limit, record.releases.isEmpty, coordinator.book.helpless[record.id] == nil,
                record.wasOn != false
            {
                fail("1: nobody is sent to release the \(record.subject), silent for \(silence) ms")
            }
        }
    }

    /// 2: a balancer that isn't as it began is somebody's to give back, and known to the ledger or to a note.
    private func checkBalancer() {
        guard isBalancerOn != balancerBegan else { return }
        let isHeld = agents.contains { $0.run?.stoppedBalancer == true && $0.isUp }
        let isNoted = agents.contains { $0.balancerNote != nil && !$0.isDead }
        let isKnown = coordinator.storedLocks.values.contains { $0.isBalancer && $0.isOpen && $0.wasOn == true }
        if !isHeld, !isNoted, !isKnown { fail("2: the balancer is off, and nobody is left who would give it back") }
    }

    /// 4, 5, 7 and 9, on every step of the machine.
    func checkStep(_ before: SessionState, _ after: SessionState) {
        if before.isOver, before != after { fail("9: \(after.key.name) changed after its end") }
        for group in after.groups {
            let fences = group.attempts.map(\.fence)
            if fences != Array(fences.indices.map { Int64($0 + 1) }) || group.fence != Int64(fences.count) {
                fail("5: fences of \(group.name) don't count up: \(fences)")
            }
            if group.attempts.count(where: { !$0.isOver }) > 1 { fail("4: two live attempts of \(group.name)") }
            if group.attempts.count(where: { !$0.isOver && $0.permit != nil }) > 1 {
                fail("4: two publishers of \(group.name)")
            }
        }
        if let old = before.cluster, let new = after.cluster, old.round == new.round, let cut = old.cut, new.cut != cut
        {
            fail("7: the cut of round \(new.round) moved from \(cut) to \(String(describing: new.cut))")
        }
    }

    /// 6: a permit is only for the holder of the current fence and the session's cut.
    func checkPermit(_ session: SessionState?, _ call: JobCall) {
        guard let session, let place = session.find(job: call.jobID) else { return fail("6: a permit for no job") }
        let group = session.groups[place.group]
        let attempt = group.attempts[place.attempt]
        if attempt.fence != group.fence || call.fence != attempt.fence || attempt.agentID != call.agentID {
            fail("6: a permit for an old fence of \(group.name)")
        }
        if let cluster = session.cluster, cluster.cut == nil { fail("6: a permit before the cut is known") }
    }

    /// 3: a manifest has all its snapshots, each of the current fence, and all have one cut.
    func checkManifest(_ manifest: SessionManifest) {
        let expected = Set(members.map(\.group))
        if Set(manifest.groups.map(\.group)) != expected { fail("3: manifest \(manifest.session) lacks groups") }
        for group in manifest.groups {
            guard let snapshot = repository.snapshots[group.snapshotID] else {
                return fail("3: manifest \(manifest.session) names a snapshot that is not there")
            }
            if snapshot.group != group.group || snapshot.fence != group.fence || snapshot.jobID != group.jobID {
                fail("3: manifest \(manifest.session) names another job's snapshot for \(group.group)")
            }
            if expected.count > 1, snapshot.cut != manifest.cut || manifest.cut == nil {
                fail(
                    "3: \(group.group) restores to \(String(describing: snapshot.cut)), not to \(String(describing: manifest.cut))"
                )
            }
        }
    }

    /// What the ledger must still bring to an end: not the locks of servers that are gone for good.
    private var openRecords: [LockRecord] {
        let gone = Set(agents.filter(\.isDead).map(\.member.host))
        return coordinator.book.open.values.filter { $0.isBalancer || !gone.contains($0.host) }
    }

    /// Whether nothing is left to do.
    var isTidy: Bool {
        guard coordinator.isUp, coordinator.sessions.count == sessionCount else { return false }
        return coordinator.sessions.values.allSatisfy(\.isOver) && openRecords.isEmpty
            && isBalancerOn == balancerBegan
            && !members.contains { if case .ours = $0.lock { true } else { false } }
    }

    /// When the time is up after everything healed.
    func checkEnd() {
        for session in coordinator.sessions.values where !session.isOver {
            fail("8: \(session.key.name) did not end: \(session.stage.rawValue), \(session.waitingFor ?? "")")
        }
        for case .ours(let job, let since) in members.map(\.lock) { fail("1: job \(job) left a lock of \(since) ms") }
        if isBalancerOn != balancerBegan { fail("2: the balancer did not end as it began") }
        for record in openRecords { fail("1: the ledger still has the \(record.subject)") }
    }
}

extension World {
    /// How the sessions ended, and how many rounds were taken again.
    var summary: (outcomes: [String], rounds: Int) {
        let sessions = coordinator.sessions.values
        return (
            sessions.map { "\($0.phase.rawValue)" },
            sessions.reduce(0) { $0 + max(0, ($1.cluster?.round ?? 1) - 1) }
        )
    }
}
