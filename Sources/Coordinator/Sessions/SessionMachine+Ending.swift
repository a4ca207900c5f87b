import BackupModel

// How sessions end: always, once, and never with a manifest that isn't whole.
extension SessionMachine {
    mutating func cancel(by requester: String) {
        switch state.stage {
        case .finalizing, .cleaning, .ended:
            return
        case .stopping:
            return
        case .pending, .queued, .preparing, .running:
            stop(.init(phase: .cancelled, reason: "Cancelled", message: "cancelled by \(requester)"))
        }
    }

    /// Begins the end: live jobs are told to stop, and the session ends when they have or when they must have.
    mutating func stop(_ outcome: SessionState.Outcome) {
        guard state.stopping == nil else { return }
        switch state.stage {
        case .finalizing, .cleaning, .ended, .stopping:
            return
        case .pending, .queued, .preparing, .running:
            break
        }
        record(outcome.phase == .cancelled ? "Cancelling" : "Failing", outcome.message)
        state.stopping = outcome
        state.stoppingSince = now
        state.stage = .stopping
        for group in state.groups.indices {
            guard let last = state.groups[group].attempts.indices.last else { continue }
            let attempt = state.groups[group].attempts[last]
            // A job that may publish is about to end by itself; stopping it then could only leave an orphan.
            if !attempt.isOver, attempt.phase != .committing { state.groups[group].attempts[last].desire = .cancel }
        }
        endStoppingIfPossible()
    }

    mutating func endStoppingIfPossible() {
        guard state.stage == .stopping, let outcome = state.stopping else { return }
        let isLate = now >= (state.stoppingSince ?? now).adding(milliseconds: timings.stopGraceMs)
        if isLate {
            for group in state.groups.indices {
                guard let last = state.groups[group].attempts.indices.last,
                    !state.groups[group].attempts[last].isOver
                else { continue }
                state.groups[group].attempts[last].phase = .lost
                state.groups[group].attempts[last].desire = .abort
                state.groups[group].attempts[last].endedAt = now
                let pod = state.groups[group].attempts[last].pod
                let isBegun = state.groups[group].attempts[last].startedAt != nil
                let failure = JobFailure(
                    code: JobFailure.lostCode,
                    message: "the agent did not say that the job has stopped\(isBegun ? remainder : "")",
                    isRetryable: false
                )
                state.groups[group].attempts[last].failure = failure
                record("JobLost", "\(pod) did not say in time that its job has stopped")
            }
        }
        guard state.groups.allSatisfy({ $0.live == nil }) else { return }
        clean(withLeftovers(outcome))
    }

    /// A restore that was stopped by somebody or something else: its jobs know what they left in the target.
    private func withLeftovers(_ outcome: SessionState.Outcome) -> SessionState.Outcome {
        guard state.kind == .restore else { return outcome }
        var outcome = outcome
        for attempt in state.groups.compactMap(\.attempts.last) where attempt.startedAt != nil {
            // The failure that stopped the session is in its message already.
            guard let failure = attempt.failure, !outcome.message.contains(failure.message) else { continue }
            outcome.message += "; \(attempt.pod): \(failure.message)"
        }
        return outcome
    }

    /// The outcome is known: what remains is tidying up, which can't change it.
    mutating func clean(_ outcome: SessionState.Outcome) {
        state.outcome = outcome
        guard state.hasRepositoryLocks else {
            end()
            return
        }
        state.stage = .cleaning
        effects.append(.clean)
    }

    mutating func manifestWritten() {
        guard state.stage == .finalizing else { return }
        let results = state.groups.compactMap { $0.attempts.last?.outcome?.backup }
        let documents = results.reduce(0) { $0 + $1.documents }
        let added = results.reduce(0) { $0 + $1.bytesAdded }
        let isStream = state.plan.backup?.command != nil
        let read = isStream ? "\(results.reduce(0) { $0 + $1.bytes }) bytes" : "\(documents) documents"
        record("ManifestWritten", "the backup exists")
        clean(
            .init(phase: .succeeded, reason: "Succeeded", message: "\(read), \(added) new bytes")
        )
    }

    mutating func manifestFailed(_ message: String, _ isRetryable: Bool) {
        guard state.stage == .finalizing else { return }
        state.manifestFailures += 1
        if isRetryable, state.manifestFailures < timings.maximumTries {
            record("ManifestNotWritten", "\(message); tries again")
            effects.append(.writeManifest)
        } else {
            let text = "all data is stored, but the manifest could not be written, so the backup does not exist: "
            clean(.init(phase: .failed, reason: "ManifestNotWritten", message: text + message))
        }
    }

    mutating func cleaned(_ problem: String?) {
        guard state.stage == .cleaning else { return }
        if let problem { record("CleanupIncomplete", problem) }
        state.hasRepositoryLocks = problem != nil
        end()
    }

    private mutating func end() {
        state.stage = .ended
        state.ended = now
        state.waitingFor = nil
        if let outcome = state.outcome { record(outcome.phase.rawValue, outcome.message) }
    }
}
