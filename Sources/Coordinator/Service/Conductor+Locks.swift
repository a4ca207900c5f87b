import BackupModel
import Logging

// The ledger of locks and balancers: each has a second deadline here.
extension Conductor {
    /// Ends locks that are gone, and has those released whose agents don't do it.
    ///
    /// - Parameters:
    ///   - now: the coordinator's clock.
    ///   - target: whose locks are looked at; nil: all.
    func watchLocks(_ now: Timestamp, of target: ResourceKey? = nil) {
        let changes = locks.watch(
            now,
            timings,
            of: target,
            isComplete: { attempt(of: $0)?.outcome != nil },
            agents: { agents(of: $0, now) }
        )
        for change in changes {
            let (record, reason) = (change.record, change.reason)
            switch change.kind {
            case .helpless:
                logger.error("\(record.subject): \(reason)")
                continue
            case .ended:
                logger.notice("\(record.subject) of session \(record.session) ended: \(reason)")
            case .release(let pod):
                logger.error("\(record.subject) of session \(record.session): \(reason); \(pod) is to release it")
            }
            do {
                try store.save(record)
            } catch {
                // The memory goes on without the disk: releasing matters more, and the next change is stored again.
                logger.error("\(error)")
            }
            locks.keep(record)
            for release in record.releases { ring(release.agentID) }
        }
    }

    /// No look at a member is older than this when it is told: an agent looks every five seconds.
    private static let lookMs: Int64 = 10_000

    /// An agent's word on its member, without a lock that was given back since it looked.
    ///
    /// It looks every few seconds only, and a session that begins right after another one would take a member that is
    /// free for a locked one, and read another.
    func withoutReleasedLock(_ agent: AgentSnapshot) -> AgentSnapshot {
        guard let lock = agent.member.lock, lock.isOurs, let jobID = lock.jobID,
            let attempt = attempt(of: jobID), attempt.outcome != nil, attempt.lock?.isHeld == false,
            let ended = attempt.endedAt, let seen = agent.memberSeen, seen < ended.adding(milliseconds: Self.lookMs)
        else { return agent }
        var agent = agent
        agent.member.lock = nil
        return agent
    }

    private func attempt(of jobID: String) -> Attempt? {
        guard let key = sessionOfJob[jobID], let session = active[key] ?? recent[key],
            let place = session.find(job: jobID)
        else { return nil }
        return session.groups[place.group].attempts[place.attempt]
    }

    /// The lock that a release job is about, or nil when the job is no release.
    func release(jobID: String, agentID: String) throws -> LockRecord? {
        guard let record = locks.record(ofRelease: jobID) else { return nil }
        guard record.releases.contains(where: { $0.jobID == jobID && $0.agentID == agentID }) else {
            throw RequestError(status: 403, code: "notYours", message: "job \(jobID) belongs to another agent")
        }
        return record
    }

    func completeRelease(_ jobID: String, _ record: LockRecord, _ outcome: JobOutcome) throws {
        var record = record
        record.endRelease(jobID, outcome, clock())
        let release = record.releases.first { $0.jobID == jobID }
        if let failure = outcome.failure {
            logger.error("\(record.subject): \(release?.pod ?? "") could not release it: \(failure.message)")
        } else {
            logger.notice("\(record.subject) of session \(record.session) was released by \(release?.pod ?? "")")
        }
        try store.save(record)
        locks.keep(record)
        if let release { ring(release.agentID) }
    }

    /// Locks for people, newest first: those that are open as they are now, then those that ended.
    func lockViews(namespace: String? = nil) throws -> [LockView] {
        let stored = try store.locks(onlyOpen: false, limit: 200)
        return stored.filter { namespace == nil || $0.target.namespace == namespace }.map {
            (locks.open[$0.id] ?? $0).view
        }
    }
}
