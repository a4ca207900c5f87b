import BackupModel

// What agents say about their jobs. Every call names its fence; whoever doesn't hold the current one is refused.
extension SessionMachine {
    mutating func heartbeat(_ call: JobCall, _ pulse: JobPulse) -> SessionAnswer {
        switch holder(of: call) {
        case .failure(let refusal):
            return .refused(refusal.refusal)
        case .success(let place):
            let now = now
            touch(place) { attempt in
                attempt.progress = pulse.progress
                if let lock = pulse.lock {
                    if attempt.lockedAt == nil { attempt.lockedAt = now.adding(milliseconds: -max(0, lock.heldMs)) }
                    attempt.lock = lock
                }
                if let balancer = pulse.balancer { attempt.balancer = balancer }
            }
            if let milestone = pulse.milestone { reached(milestone, place) }
            return .desire(state.groups[place.group].attempts[place.attempt].desire)
        }
    }

    mutating func contact(_ call: JobCall, logBytes: Int64) -> SessionAnswer {
        switch holder(of: call) {
        case .failure(let refusal):
            return .refused(refusal.refusal)
        case .success(let place):
            touch(place) { $0.logBytes = max($0.logBytes, logBytes) }
            return .desire(state.groups[place.group].attempts[place.attempt].desire)
        }
    }

    mutating func prepareCommit(_ call: JobCall, _ result: BackupResult, _ permit: String) -> SessionAnswer {
        switch holder(of: call) {
        case .failure(let refusal):
            return .refused(refusal.refusal)
        case .success(let place):
            let attempt = state.groups[place.group].attempts[place.attempt]
            guard state.kind == .backup else {
                return .refused(.contradiction("job \(call.jobID) is a restore and has nothing to publish"))
            }
            // Asked again, perhaps because the answer was lost: the same permit, also while stopping.
            if let permit = attempt.permit {
                touch(place) { _ in }
                return .permit(permit)
            }
            guard state.stage == .running, state.cluster?.endingBecause == nil else { return .refused(.stopping) }
            let group = state.groups[place.group].name
            guard result.group == group else {
                return .refused(
                    .contradiction("job \(call.jobID) is for group \(group), but dumped group \(result.group)")
                )
            }
            if let problem = contradictionToCut(result) {
                return .refused(.contradiction("job \(call.jobID) of group \(group) \(problem)"))
            }
            touch(place) { attempt in
                attempt.permit = permit
                attempt.phase = .committing
            }
            record("Committing", "\(attempt.pod) has all data of \(group) in the repository and may publish it")
            return .permit(permit)
        }
    }

    mutating func complete(_ call: JobCall, _ outcome: JobOutcome, logBytes: Int64) -> SessionAnswer {
        guard let place = state.find(job: call.jobID) else { return .refused(.unknownJob) }
        let attempt = state.groups[place.group].attempts[place.attempt]
        guard attempt.agentID == call.agentID else { return .refused(.notYours) }
        if let stored = attempt.outcome {
            return stored == outcome ? .accepted : .refused(.alreadyCompleted)
        }
        switch holder(of: call) {
        case .failure(let refusal): return .refused(refusal.refusal)
        case .success: break
        }
        let ended = now
        touch(place) { attempt in
            attempt.outcome = outcome
            attempt.logBytes = max(attempt.logBytes, logBytes)
            attempt.endedAt = ended
            // The job is over and so is its lock, unless the ledger learns otherwise from the member itself.
            if let lock = outcome.lock ?? outcome.backup?.lock { attempt.lock = lock }
            if let balancer = outcome.balancer { attempt.balancer = balancer }
        }
        if let failure = outcome.failure ?? contradiction(in: outcome, of: attempt) {
            failed(place, failure)
        } else {
            succeeded(place, outcome)
        }
        return .accepted
    }

    private mutating func succeeded(_ place: (group: Int, attempt: Int), _ outcome: JobOutcome) {
        state.groups[place.group].attempts[place.attempt].phase = .succeeded
        let attempt = state.groups[place.group].attempts[place.attempt]
        record("JobSucceeded", "\(attempt.pod) finished group \(state.groups[place.group].name)")
        guard state.groups.allSatisfy(\.isDone) else {
            if state.stage == .stopping { endStoppingIfPossible() }
            return
        }
        if let stopping = state.stopping {
            record("StopTooLate", "everything was finished before it could be stopped (\(stopping.reason))")
            state.stopping = nil
            state.stoppingSince = nil
        }
        state.dataCompleteAt = now
        if state.kind == .backup {
            state.stage = .finalizing
            effects.append(.writeManifest)
        } else {
            clean(.init(phase: .succeeded, reason: "Succeeded", message: restoreSummary()))
        }
    }

    private mutating func failed(_ place: (group: Int, attempt: Int), _ failure: JobFailure) {
        let isAsked = state.stopping != nil || state.cluster?.endingBecause != nil
        let isCancelled = failure.code == "cancelled" && isAsked
        state.groups[place.group].attempts[place.attempt].phase = isCancelled ? .cancelled : .failed
        attemptEnded(place, failure)
    }

    /// An attempt is over without success: another one, or the end.
    mutating func attemptEnded(_ place: (group: Int, attempt: Int), _ failure: JobFailure) {
        var failure = failure
        // Whoever was lost can't say what he left behind.
        if failure.code == JobFailure.lostCode, state.groups[place.group].attempts[place.attempt].startedAt != nil {
            failure.message += remainder
        }
        state.groups[place.group].attempts[place.attempt].failure = failure
        state.groups[place.group].attempts[place.attempt].endedAt = now
        let attempt = state.groups[place.group].attempts[place.attempt]
        guard state.stage == .running else {
            endStoppingIfPossible()
            return
        }
        let text = "attempt \(attempt.number) on \(attempt.pod) failed (\(failure.code)): \(failure.message)"
        if state.cluster?.endingBecause != nil, failure.isRetryable || attempt.phase == .cancelled {
            record("JobEnded", text)
            return
        }
        let failures = state.groups[place.group].attempts.count { $0.phase == .failed || $0.phase == .lost }
        let isSpoiled = spoilsRound(state.groups[place.group], failure)
        if failure.isRetryable, failures < state.plan.maximumAttempts, !isSpoiled || mayBeginAnotherRound {
            let delay = GoDuration(milliseconds: state.plan.retryDelayMs)
            state.groups[place.group].notBefore = now.adding(milliseconds: state.plan.retryDelayMs)
            if isSpoiled {
                endRound(because: "\(state.groups[place.group].name): \(text)")
            } else {
                record("Retrying", "\(text); tries again in \(delay)")
            }
        } else {
            record("JobFailed", text)
            let tries = failures > 1 ? " after \(failures) attempts" : ""
            stop(
                .init(
                    phase: .failed,
                    reason: Self.camelCase(failure.code),
                    message: "\(attempt.pod): \(failure.message)\(tries)"
                )
            )
        }
    }

    /// What a job of this session that was lost in the middle may have left in its target.
    var remainder: String {
        guard let restore = state.plan.restore else { return "" }
        let remedy = restore.conflict == .dropCollections ? "" : " with --drop (conflict DropCollections)"
        return "; the target may hold a part of the backup: repeat the restore\(remedy)"
    }

    private func contradiction(in outcome: JobOutcome, of attempt: Attempt) -> JobFailure? {
        let message: String
        switch state.kind {
        case .backup:
            guard let result = outcome.backup else {
                message = "the agent reported neither a backup nor a failure"
                break
            }
            if attempt.permit == nil {
                message = "the agent published without a permit"
            } else if result.snapshotID == nil {
                message = "the agent reported success without a snapshot"
            } else if let problem = contradictionToCut(result) {
                message = "the agent \(problem)"
            } else {
                return nil
            }
        case .restore:
            if outcome.restore != nil { return nil }
            message = "the agent reported neither a restore nor a failure"
        }
        return JobFailure(code: "protocol", message: message, isRetryable: false)
    }

    private struct RefusalError: Error {
        var refusal: Refusal
    }

    /// The attempt that a call is about, if the caller holds its group's current fence.
    private func holder(of call: JobCall) -> Result<(group: Int, attempt: Int), RefusalError> {
        guard let place = state.find(job: call.jobID) else { return .failure(.init(refusal: .unknownJob)) }
        let group = state.groups[place.group]
        let attempt = group.attempts[place.attempt]
        guard attempt.agentID == call.agentID else { return .failure(.init(refusal: .notYours)) }
        guard call.fence == attempt.fence, attempt.fence == group.fence, attempt.phase != .lost else {
            return .failure(.init(refusal: .fenced))
        }
        guard !attempt.isOver else { return .failure(.init(refusal: .finished)) }
        return .success(place)
    }

    private mutating func touch(_ place: (group: Int, attempt: Int), _ change: (inout Attempt) -> Void) {
        let name = state.groups[place.group].name
        if state.groups[place.group].attempts[place.attempt].startedAt == nil {
            state.groups[place.group].attempts[place.attempt].startedAt = now
            state.groups[place.group].attempts[place.attempt].phase = .running
            let attempt = state.groups[place.group].attempts[place.attempt]
            record("JobRunning", "\(attempt.pod) began attempt \(attempt.number) of group \(name)")
        }
        state.groups[place.group].attempts[place.attempt].lastContact = now
        state.groups[place.group].attempts[place.attempt].isReportedLost = false
        change(&state.groups[place.group].attempts[place.attempt])
    }

    private func restoreSummary() -> String {
        let results = state.groups.compactMap { $0.attempts.last?.outcome?.restore }
        let source = state.sourceSession ?? "a backup"
        if state.plan.restore?.command != nil {
            return "restored \(results.reduce(0) { $0 + $1.bytes }) bytes from \(source)"
        }
        let documents = results.reduce(0) { $0 + $1.documents }
        let namespaces = results.reduce(0) { $0 + $1.namespaces }
        return "restored \(documents) documents in \(namespaces) collections from \(source)"
    }

    /// `databaseUnreachable` → `DatabaseUnreachable`.
    static func camelCase(_ code: String) -> String {
        code.prefix(1).uppercased() + code.dropFirst()
    }
}
