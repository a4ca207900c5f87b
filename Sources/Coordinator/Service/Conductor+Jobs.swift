import BackupModel
import Logging

// What agents say about jobs, on its way to the machine and back.
extension Conductor {
    /// Seconds for which a completed job is asked for the rest of its log; then the backup matters more.
    private static let logWaitMs: Int64 = 60_000

    /// A job is alive.
    func heartbeat(jobID: String, agentID: String, _ request: HeartbeatRequest) throws -> HeartbeatResponse {
        try checkEpoch(request.epoch)
        touch(agentID: agentID)
        let desire: JobDesire
        if try release(jobID: jobID, agentID: agentID) != nil {
            desire = .run
        } else {
            let call = JobCall(jobID: jobID, fence: request.fence, agentID: agentID)
            let pulse = JobPulse(
                progress: request.progress,
                lock: request.lock,
                balancer: request.balancer,
                milestone: request.milestone
            )
            let known = milestone(of: jobID)
            guard case .desire(let wanted) = try call_(call, .heartbeat(call, pulse)) else {
                throw unexpected(jobID)
            }
            desire = wanted
            // The others wait for it, some of them with a member locked: not until the next tick.
            if known != milestone(of: jobID), let key = sessionOfJob[jobID], !isDraining { observe(key, clock()) }
        }
        return HeartbeatResponse(
            desired: desire,
            leaseMs: Int(timings.leaseMs),
            nextHeartbeatMs: reportMs,
            logIntervalMs: logIntervalMs(job: jobID)
        )
    }

    private func milestone(of jobID: String) -> JobMilestone? {
        guard let key = sessionOfJob[jobID], let session = active[key], let place = session.find(job: jobID) else {
            return nil
        }
        return session.groups[place.group].attempts[place.attempt].milestone
    }

    /// A log patch came; the fence is not in the call, so the attempt's own is taken.
    func logArrived(jobID: String, agentID: String, end: Int64) throws {
        touch(agentID: agentID)
        if try release(jobID: jobID, agentID: agentID) != nil { return }
        guard let key = sessionOfJob[jobID], let session = active[key] ?? recent[key],
            let place = session.find(job: jobID)
        else { throw refusal(.unknownJob, jobID) }
        let attempt = session.groups[place.group].attempts[place.attempt]
        let call = JobCall(jobID: jobID, fence: attempt.fence, agentID: agentID)
        _ = try call_(call, .contact(call, logBytes: end))
    }

    /// Whether a job's log may be added to now.
    func mayLog(jobID: String, agentID: String) throws {
        if try release(jobID: jobID, agentID: agentID) != nil { return }
        guard let key = sessionOfJob[jobID], let session = active[key] ?? recent[key],
            let place = session.find(job: jobID)
        else { throw refusal(.unknownJob, jobID) }
        let attempt = session.groups[place.group].attempts[place.attempt]
        if attempt.agentID != agentID { throw refusal(.notYours, jobID) }
        if attempt.isOver { throw refusal(.finished, jobID) }
    }

    /// The plan whose repository a job may open; only the holder of the current fence gets it.
    func plan(jobID: String, agentID: String, _ request: FencedRequest) throws -> SessionPlan {
        try checkEpoch(request.epoch)
        let call = JobCall(jobID: jobID, fence: request.fence, agentID: agentID)
        _ = try call_(call, .contact(call, logBytes: 0))
        guard let key = sessionOfJob[jobID], let session = active[key] else { throw refusal(.unknownJob, jobID) }
        return session.plan
    }

    /// May the job publish? The permit is stored before it is given.
    func prepareCommit(jobID: String, agentID: String, _ request: PrepareCommitRequest) throws -> PrepareCommitResponse
    {
        try checkEpoch(request.epoch)
        touch(agentID: agentID)
        let call = JobCall(jobID: jobID, fence: request.fence, agentID: agentID)
        let permit = Digest.hex(Digest.random(16))
        guard case .permit(let permit) = try call_(call, .prepareCommit(call, request.result, permit: permit)) else {
            throw unexpected(jobID)
        }
        return PrepareCommitResponse(permit: permit)
    }

    /// A job is over; nil when it was taken in, the offset wanted while log bytes are missing.
    func complete(jobID: String, agentID: String, _ request: CompleteRequest, logEnd: Int64) throws -> Int64? {
        try checkEpoch(request.epoch)
        touch(agentID: agentID)
        if let record = try release(jobID: jobID, agentID: agentID) {
            try completeRelease(jobID, record, request.outcome)
            return nil
        }
        let now = clock()
        if logEnd < request.logBytes, let key = sessionOfJob[jobID], let session = active[key],
            let place = session.find(job: jobID), !session.groups[place.group].attempts[place.attempt].isOver
        {
            let since = logWaits[jobID] ?? now
            logWaits[jobID] = since
            if now < since.adding(milliseconds: Self.logWaitMs) { return logEnd }
            logger.warning("job \(jobID): \(request.logBytes - logEnd) bytes of its log never came")
        }
        let call = JobCall(jobID: jobID, fence: request.fence, agentID: agentID)
        _ = try call_(call, .complete(call, request.outcome, logBytes: logEnd))
        logWaits[jobID] = nil
        return nil
    }

    /// The session and pod of a job, for its log.
    func owner(of jobID: String) -> (session: ResourceKey, pod: String)? {
        if let key = sessionOfJob[jobID], let session = active[key] ?? recent[key],
            let place = session.find(job: jobID)
        {
            return (key, session.groups[place.group].attempts[place.attempt].pod)
        }
        guard let lock = locks.record(ofRelease: jobID),
            let release = lock.releases.first(where: { $0.jobID == jobID })
        else { return nil }
        return (lock.session, release.pod)
    }

    /// How often log bytes should come: fast while somebody reads along.
    func logIntervalMs(job jobID: String?) -> Int {
        guard let jobID, let key = sessionOfJob[jobID] else { return 10_000 }
        return bell.waiters(Self.sessionBell(key)) > 0 ? 1000 : 10_000
    }

    // MARK: Refusals

    private func call_(_ call: JobCall, _ event: SessionEvent) throws -> SessionAnswer {
        guard let key = sessionOfJob[call.jobID] else { throw refusal(.unknownJob, call.jobID) }
        let answer = try step(event, of: key)
        if case .refused(let reason) = answer { throw refusal(reason, call.jobID) }
        return answer
    }

    private func checkEpoch(_ epoch: Int64) throws {
        guard epoch <= identity.epoch else {
            throw RequestError(
                status: 503,
                code: "notLeader",
                message: "a newer coordinator is at work (epoch \(epoch) is greater than \(identity.epoch))",
                isRetryable: true,
                retryAfterMs: 5000
            )
        }
    }

    private func unexpected(_ jobID: String) -> RequestError {
        RequestError(status: 500, code: "internal", message: "job \(jobID) got an answer that makes no sense")
    }

    private func refusal(_ reason: Refusal, _ jobID: String) -> RequestError {
        let id = String(jobID.prefix(64))
        switch reason {
        case .unknownJob:
            return RequestError(status: 404, code: "unknownJob", message: "there is no job \(id)")
        case .notYours:
            return RequestError(status: 403, code: "notYours", message: "job \(id) belongs to another agent")
        case .fenced:
            return RequestError(status: 409, code: "fenced", message: "another attempt has taken over from job \(id)")
        case .finished:
            return RequestError(status: 410, code: "finished", message: "job \(id) is over")
        case .alreadyCompleted:
            return RequestError(
                status: 409,
                code: "alreadyCompleted",
                message: "job \(id) was completed with another outcome, which stands"
            )
        case .stopping:
            return RequestError(
                status: 409,
                code: "cancelled",
                message: "the session of job \(id) is being stopped; nothing may be published"
            )
        case .contradiction(let message):
            return RequestError(status: 422, code: "contradiction", message: message)
        }
    }
}
