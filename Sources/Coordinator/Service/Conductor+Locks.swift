import BackupModel
import Logging

// The ledger of locks: every lock has a second deadline here.
extension Conductor {
    /// What a step means for the ledger.
    func lockChanges(_ before: SessionState, _ after: SessionState, _ now: Timestamp) -> [LockRecord] {
        var changed: [LockRecord] = []
        for group in after.groups {
            guard let attempt = group.attempts.last, let report = attempt.lock else { continue }
            let old = before.find(job: attempt.jobID).map { before.groups[$0.group].attempts[$0.attempt] }
            guard old?.lock != report || old?.lastContact != attempt.lastContact else { continue }
            let known = locks[attempt.jobID]
            if !report.isHeld, known == nil { continue }
            if let record = LockLedger.note(report, of: attempt, in: after, group: group.name, record: known, now: now)
            {
                // The moments of a lock that goes on are refreshed in memory; the disk learns of beginnings and ends.
                if known?.isOpen == record.isOpen {
                    locks[attempt.jobID] = record
                } else {
                    changed.append(record)
                }
            }
        }
        return changed
    }

    /// Ends locks that are gone, and has those released whose agents don't do it.
    func watchLocks(_ now: Timestamp) {
        for record in locks.values.sorted(by: { $0.jobID < $1.jobID }) {
            var record = record
            let agents = agents(of: record.target, now)
            switch LockLedger.decide(record, agents: agents, now: now, timings: timings) {
            case .keep:
                continue
            case .ended(let reason):
                record.endedAt = now
                record.endedBy = reason
                logger.notice("lock on \(record.host) of session \(record.session) ended: \(reason)")
            case .helpless(let reason):
                if helplessLocks[record.jobID] == nil { logger.error("lock on \(record.host): \(reason)") }
                helplessLocks[record.jobID] = "member \(record.host) may be locked: \(reason)"
                continue
            case .release(let helper, let reason):
                if let last = record.releases.indices.last, record.releases[last].endedAt == nil {
                    record.releases[last].endedAt = now
                    record.releases[last].failure = JobFailure(code: "timeout", message: "no answer", isRetryable: true)
                }
                let number = record.releases.count + 1
                record.releases.append(
                    LockRecord.Release(
                        jobID: JobID.make(session: "release \(record.jobID)", pod: helper.agentID, attempt: number),
                        agentID: helper.agentID,
                        pod: helper.pod,
                        assignedAt: now
                    )
                )
                logger.error(
                    "lock on \(record.host) of session \(record.session): \(reason); \(helper.pod) is to release it"
                )
            }
            keep(record)
        }
    }

    private func keep(_ record: LockRecord) {
        do {
            try store.save(record)
        } catch {
            // The memory goes on without the disk: releasing matters more, and the next change is stored again.
            logger.error("\(error)")
        }
        locks[record.jobID] = record.isOpen ? record : nil
        if !record.isOpen { helplessLocks[record.jobID] = nil }
        for release in record.releases { bell.ring(release.agentID) }
    }

    /// The lock that a release job is about, or nil when the job is no release.
    func release(jobID: String, agentID: String) throws -> LockRecord? {
        guard let record = locks.values.first(where: { $0.releases.contains { $0.jobID == jobID } }) else { return nil }
        guard record.releases.contains(where: { $0.jobID == jobID && $0.agentID == agentID }) else {
            throw RequestError(status: 403, code: "notYours", message: "job \(jobID) belongs to another agent")
        }
        return record
    }

    func completeRelease(_ jobID: String, _ record: LockRecord, _ outcome: JobOutcome) throws {
        var record = record
        let now = clock()
        guard let index = record.releases.firstIndex(where: { $0.jobID == jobID }) else { return }
        record.releases[index].endedAt = now
        record.releases[index].failure = outcome.failure
        let pod = record.releases[index].pod
        if let failure = outcome.failure {
            logger.error("lock on \(record.host): \(pod) could not release it: \(failure.message)")
        } else {
            record.endedAt = now
            record.endedBy = "released over the network by \(pod)"
            logger.notice("lock on \(record.host) of session \(record.session) was released by \(pod)")
        }
        try store.save(record)
        locks[record.jobID] = record.isOpen ? record : nil
        if !record.isOpen { helplessLocks[record.jobID] = nil }
        bell.ring(record.releases[index].agentID)
    }

    /// Locks for people, newest first: those that are open as they are now, then those that ended.
    func lockViews() throws -> [LockView] {
        let stored = try store.locks(onlyOpen: false, limit: 200)
        return stored.map { (locks[$0.jobID] ?? $0).view }
    }
}
