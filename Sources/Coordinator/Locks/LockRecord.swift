import BackupModel

/// One lock on a member, or one stopped balancer, from the moment its agent first spoke of it until it is known to be
/// gone.
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
    /// Nil means a lock: records of older versions don't say.
    var kind: ReleaseSpec.Kind?
    var session: ResourceKey
    var target: ResourceKey
    var group: String
    var agentID: String
    var pod: String
    /// The locked member; for a balancer, the member whose agent stopped it.
    var host: String
    /// For a balancer: whether it was on before; what was off stays off.
    var wasOn: Bool?
    /// What it is for, in words; records of older versions don't say.
    var purpose: String?
    /// What its agent reported that tells it from others.
    var evidence: String?
    var since: Timestamp
    var deadline: Timestamp
    var lastReport: Timestamp
    var endedAt: Timestamp?
    var endedBy: String?
    /// Tries to have it released, oldest first; of very many only the last.
    var releases: [Release] = []
    /// Tries that were forgotten.
    var forgottenReleases: Int?

    /// Whether the lock is, or may be, held.
    var isOpen: Bool { endedAt == nil }

    var isBalancer: Bool { kind == .balancer }

    /// What the ledger keeps it by: a job may hold a lock and a balancer.
    var id: String { Self.id(jobID, kind ?? .lock) }

    static func id(_ jobID: String, _ kind: ReleaseSpec.Kind) -> String {
        switch kind {
        case .lock: jobID
        case .balancer: "\(jobID)/balancer"
        }
    }

    /// What it is, for sentences.
    var subject: String { isBalancer ? "balancer of \(group)" : "lock on \(host)" }

    /// What people see.
    var view: LockView {
        var view = LockView(
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
        view.kind = kind ?? .lock
        view.group = group
        view.wasOn = wasOn
        view.purpose = purpose
        return view
    }
}

/// The second deadline of every lock and stopped balancer: a pure function from the ledger and what agents say.
enum LockLedger {
    /// What a job says of something that it holds or held.
    struct Holding: Sendable, Hashable {
        var kind: ReleaseSpec.Kind
        var host: String
        var isHeld: Bool
        var heldMs: Int64
        var remainingMs: Int64
        var endReason: String?
        var wasOn: Bool?
        var evidence: String?

        init(_ lock: LockReport) {
            evidence = lock.evidence
            kind = .lock
            host = lock.host
            isHeld = lock.isHeld
            heldMs = lock.heldMs
            remainingMs = lock.remainingMs
            endReason = lock.endReason
        }

        init(_ balancer: BalancerReport, host: String) {
            kind = .balancer
            self.host = host
            isHeld = balancer.isStopped
            heldMs = balancer.stoppedMs
            remainingMs = balancer.remainingMs
            endReason = balancer.endReason
            wasOn = balancer.wasOn
            evidence = balancer.evidence
        }
    }

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
        _ report: Holding,
        of attempt: Attempt,
        in session: SessionState,
        group: String,
        record: LockRecord?,
        now: Timestamp
    ) -> LockRecord? {
        guard report.isHeld else {
            guard var record, record.isOpen else { return record }
            record.endedAt = now
            let end = report.endReason ?? (record.isBalancer ? "given back" : "released")
            record.endedBy = "\(attempt.pod): \(end)"
            record.lastReport = now
            return record
        }
        var result =
            record
            ?? LockRecord(
                jobID: attempt.jobID,
                kind: report.kind,
                session: session.key,
                target: session.target,
                group: group,
                agentID: attempt.agentID,
                pod: attempt.pod,
                host: report.host,
                wasOn: report.wasOn,
                purpose: session.purpose,
                since: now.adding(milliseconds: -sensible(report.heldMs)),
                deadline: now,
                lastReport: now
            )
        result.deadline = now.adding(milliseconds: sensible(report.remainingMs))
        result.lastReport = now
        result.evidence = report.evidence ?? result.evidence
        // Held after all: the job knows better than anybody else.
        result.endedAt = nil
        result.endedBy = nil
        return result
    }

    /// A span that an agent named, held to what a session can last: a deadline must come.
    private static func sensible(_ milliseconds: Int64) -> Int64 { min(max(0, milliseconds), 30 * 86_400_000) }

    /// Decides about one open lock or balancer.
    ///
    /// It is released for its agent when the agent has been silent for the lease and a grace, by which time it must
    /// have done so itself, or when it holds it past the deadline that it named. A balancer that a completed job did not
    /// give back is given back at once: unlike a lock it isn't seen by looking at the member.
    ///
    /// - Parameters:
    ///   - record: what is held.
    ///   - isComplete: whether its job has told how it ended.
    ///   - agents: of the target.
    ///   - now: the coordinator's clock.
    ///   - timings: lease and grace.
    /// - Returns: what becomes of it.
    static func decide(
        _ record: LockRecord,
        isComplete: Bool = false,
        agents: [AgentSnapshot],
        now: Timestamp,
        timings: SessionTimings
    ) -> Decision {
        guard record.isOpen else { return .keep }
        let owner = agents.first { $0.agentID == record.agentID && $0.isConnected }
        let isOwnerAtIt = owner?.jobs.contains { $0.jobID == record.jobID && $0.state == .running } ?? false
        if !record.isBalancer, let owner, owner.member.isReachable, owner.member.lock == nil,
            let seen = owner.memberSeen, seen > record.lastReport, !isOwnerAtIt
        {
            return .ended(by: "\(owner.pod) looked and found no lock")
        }
        let isSilent = now > record.lastReport.adding(milliseconds: timings.leaseEndMs + timings.leaseGraceMs)
        let isOverdue = now > record.deadline.adding(milliseconds: timings.leaseEndMs + timings.leaseGraceMs)
        let isLeft = record.isBalancer && isComplete
        guard isSilent || isOverdue || isLeft else { return .keep }
        if record.isBalancer, record.wasOn == false {
            return isSilent || isLeft ? .ended(by: "it was off before: there is nothing to give back") : .keep
        }
        let reason: String
        if isLeft {
            reason = "the job on \(record.pod) is over and did not give it back"
        } else if isSilent {
            let silence = now.milliseconds(since: record.lastReport) / 1000
            reason = "the agent of \(record.pod) has been silent for \(silence) s"
        } else {
            reason = "the agent of \(record.pod) holds it past its deadline"
        }
        if let last = record.releases.last {
            if let ended = last.endedAt {
                if now < ended.adding(milliseconds: record.releasePause(timings)) { return .keep }
            } else if now < last.assignedAt.adding(milliseconds: timings.releaseTimeoutMs) {
                return .keep
            }
        }
        return helper(record, agents, mayBeOwner: record.isBalancer && !isOwnerAtIt, reason)
    }

    private static func helper(
        _ record: LockRecord,
        _ agents: [AgentSnapshot],
        mayBeOwner: Bool,
        _ reason: String
    ) -> Decision {
        let helpers = agents.filter { agent in
            guard agent.isConnected, !agent.isGone, MemberChoice.group(agent) == record.group else { return false }
            // A lock is released over the network by somebody who is not beside it; a balancer by whoever reaches
            // the config server's primary.
            if agent.agentID == record.agentID { return mayBeOwner }
            return record.isBalancer || agent.member.host != record.host
        }
        let tries = { (agent: AgentSnapshot) in record.releases.count { $0.agentID == agent.agentID } }
        guard let helper = helpers.min(by: { (tries($0), $0.pod) < (tries($1), $1.pod) }) else {
            let by =
                record.isBalancer
                ? "give the balancer of \(record.group) back; start the agent of \(record.pod), or run "
                    + "sh.startBalancer() there"
                : "release \(record.host); start the agent of \(record.pod), or run db.fsyncUnlock() there"
            return .helpless(reason: "\(reason), and no other agent of \(record.group) is connected to \(by)")
        }
        return .release(helper, reason: reason)
    }
}
