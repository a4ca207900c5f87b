import BackupModel

/// One lock on a member, from the moment its agent first spoke of it until it is known to be gone.
struct LockRecord: Codable, Sendable, Hashable {
    /// One try to have the lock released by another member's agent.
    struct Release: Codable, Sendable, Hashable {
        var jobID: String
        var agentID: String
        var pod: String
        var assignedAt: Timestamp
        var endedAt: Timestamp?
        var failure: JobFailure?
    }

    var jobID: String
    var session: ResourceKey
    var target: ResourceKey
    var group: String
    var agentID: String
    var pod: String
    var host: String
    var since: Timestamp
    var deadline: Timestamp
    var lastReport: Timestamp
    var endedAt: Timestamp?
    var endedBy: String?
    var releases: [Release] = []

    /// Whether the lock is, or may be, held.
    var isOpen: Bool { endedAt == nil }

    /// What people see.
    var view: LockView {
        LockView(
            session: session.description,
            jobID: jobID,
            pod: pod,
            host: host,
            since: since,
            deadline: deadline,
            endedAt: endedAt,
            endedBy: endedBy,
            releaseJobID: releases.last?.jobID
        )
    }
}

/// The second deadline of every lock: a pure function from the ledger and what agents say.
enum LockLedger {
    /// What becomes of one lock now.
    enum Decision: Sendable, Hashable {
        case keep
        /// It is known to be gone.
        case ended(by: String)
        /// Another member's agent is to release it over the network.
        case release(AgentSnapshot, reason: String)
        /// It should be released, and nobody can.
        case helpless(reason: String)
    }

    /// Takes a report into the record, making it if the lock is new.
    static func note(
        _ report: LockReport,
        of attempt: Attempt,
        in session: SessionState,
        group: String,
        record: LockRecord?,
        now: Timestamp
    ) -> LockRecord? {
        guard report.isHeld else {
            guard var record, record.isOpen else { return record }
            record.endedAt = now
            record.endedBy = "\(attempt.pod): \(report.endReason ?? "released")"
            record.lastReport = now
            return record
        }
        var result =
            record
            ?? LockRecord(
                jobID: attempt.jobID,
                session: session.key,
                target: session.target,
                group: group,
                agentID: attempt.agentID,
                pod: attempt.pod,
                host: report.host,
                since: now.adding(milliseconds: -max(0, report.heldMs)),
                deadline: now,
                lastReport: now
            )
        result.deadline = now.adding(milliseconds: max(0, report.remainingMs))
        result.lastReport = now
        // Held after all: the job knows better than anybody else.
        result.endedAt = nil
        result.endedBy = nil
        return result
    }

    /// Decides about one open lock.
    ///
    /// A lock is released for its agent when the agent has been silent for the lease and a grace, by which time it must
    /// have done so itself, or when it holds the lock past the deadline that it named.
    static func decide(
        _ record: LockRecord,
        agents: [AgentSnapshot],
        now: Timestamp,
        timings: SessionTimings
    ) -> Decision {
        guard record.isOpen else { return .keep }
        let owner = agents.first { $0.agentID == record.agentID }
        if let owner, owner.isConnected, owner.member.isReachable, owner.member.lock == nil,
            let seen = owner.memberSeen, seen > record.lastReport,
            !owner.jobs.contains(where: { $0.jobID == record.jobID && $0.state == .running })
        {
            return .ended(by: "\(owner.pod) looked and found no lock")
        }
        let isSilent = now > record.lastReport.adding(milliseconds: timings.leaseEndMs + timings.leaseGraceMs)
        let isOverdue = now > record.deadline.adding(milliseconds: timings.leaseEndMs + timings.leaseGraceMs)
        guard isSilent || isOverdue else { return .keep }
        let silence = now.milliseconds(since: record.lastReport) / 1000
        let reason =
            isSilent
            ? "the agent of \(record.pod) has been silent for \(silence) s"
            : "the agent of \(record.pod) holds it past its deadline"
        if let last = record.releases.last {
            if let ended = last.endedAt {
                if now < ended.adding(milliseconds: timings.releasePauseMs) { return .keep }
            } else if now < last.assignedAt.adding(milliseconds: timings.releaseTimeoutMs) {
                return .keep
            }
        }
        let helpers = agents.filter {
            $0.agentID != record.agentID && $0.isConnected && !$0.isGone && MemberChoice.group($0) == record.group
                && $0.member.host != record.host
        }
        let tries = { (agent: AgentSnapshot) in record.releases.count { $0.agentID == agent.agentID } }
        guard let helper = helpers.min(by: { (tries($0), $0.pod) < (tries($1), $1.pod) }) else {
            return .helpless(
                reason: "\(reason), and no other agent of \(record.group) is connected to release \(record.host); "
                    + "start the agent of \(record.pod), or run db.fsyncUnlock() there"
            )
        }
        return .release(helper, reason: reason)
    }
}
