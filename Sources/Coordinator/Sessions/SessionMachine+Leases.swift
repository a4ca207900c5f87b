import BackupModel

// Who works on what, and for how long he is believed to.
extension SessionMachine {
    /// A job is given up only when its lease is over *and* its agent is gone or has lost it; otherwise the agent may
    /// just be cut off from us and still be reading, so it is waited for until it must have given up by itself.
    mutating func watchLeases(_ surroundings: Surroundings) {
        for index in state.groups.indices {
            guard let attempt = state.groups[index].live else { continue }
            let place = (group: index, attempt: state.groups[index].attempts.count - 1)
            let agent = surroundings.agents.first { $0.agentID == attempt.agentID }
            if let agent { notice(agent, at: place) }
            let isReportedLost = state.groups[place.group].attempts[place.attempt].isReportedLost
            let silence = now.milliseconds(since: attempt.lastContact)
            if silence >= timings.leaseEndMs, isReportedLost || agent?.isGone == true {
                let why = isReportedLost ? "was restarted and lost the job" : "said good-bye in the middle of the job"
                giveUp(place, "the agent of \(attempt.pod) \(why)")
            } else if silence >= timings.maximumDisconnectedMs {
                giveUp(place, "nothing was heard of the job on \(attempt.pod) for \(silence / 1000) s")
            }
            if state.stage != .running, state.stage != .stopping { return }
        }
    }

    /// Takes note of what an agent's own report says about the job it was given.
    private mutating func notice(_ agent: AgentSnapshot, at place: (group: Int, attempt: Int)) {
        let attempt = state.groups[place.group].attempts[place.attempt]
        let report = agent.jobs.first { $0.jobID == attempt.jobID }
        if report?.state == .lost {
            guard !attempt.isReportedLost else { return }
            state.groups[place.group].attempts[place.attempt].isReportedLost = true
            record("AgentRestarted", "the agent of \(attempt.pod) was restarted and lost the job")
        } else if agent.incarnation != attempt.incarnation, report == nil {
            if attempt.startedAt == nil {
                // The new process has not begun the job and will find it in its document.
                state.groups[place.group].attempts[place.attempt].incarnation = agent.incarnation
            } else if !attempt.isReportedLost {
                state.groups[place.group].attempts[place.attempt].isReportedLost = true
                record("AgentRestarted", "the agent of \(attempt.pod) came back without the job")
            }
        }
    }

    private mutating func giveUp(_ place: (group: Int, attempt: Int), _ message: String) {
        state.groups[place.group].attempts[place.attempt].phase = .lost
        state.groups[place.group].attempts[place.attempt].desire = .abort
        attemptEnded(place, JobFailure(code: JobFailure.lostCode, message: message, isRetryable: true))
    }

    /// Gives every group that needs one a job on the best member.
    mutating func assignJobs(_ surroundings: Surroundings) {
        guard surroundings.isSettled, state.cluster?.endingBecause == nil else { return }
        for index in state.groups.indices {
            let group = state.groups[index]
            guard group.live == nil, !group.isDone, mayBegin(group) else { continue }
            if let notBefore = group.notBefore, now < notBefore { continue }
            if group.role == .configServer, let reason = surroundings.stoppedBalancer {
                cannotAssign(index, reason, limitMs: timings.agentWaitMs + timings.maximumDisconnectedMs)
                if state.stage != .running { return }
                continue
            }
            let failed = Set(group.attempts.map(\.agentID))
            let members = surroundings.agents.filter { MemberChoice.group($0) == group.name }
            let choice =
                state.kind == .backup
                ? MemberChoice.forBackup(
                    members,
                    wanted: state.plan.backup?.consistency,
                    failedBefore: failed,
                    lastDumped: surroundings.lastDumped[group.name]
                )
                : MemberChoice.forRestore(members)
            switch choice {
            case .chosen(let chosen):
                assign(chosen, to: index)
            case .none(let reason):
                cannotAssign(index, reason, limitMs: timings.agentWaitMs)
                if state.stage != .running { return }
            case .never(let reason):
                stop(.init(phase: .failed, reason: "UnsupportedConsistency", message: reason))
                return
            }
        }
    }

    private mutating func cannotAssign(_ index: Int, _ reason: String, limitMs: Int64) {
        let group = state.groups[index]
        let since = group.unassignableSince ?? now
        if group.unassignableReason != reason {
            record("NoMember", "no member of \(group.name) can be used now: \(reason)")
        }
        state.groups[index].unassignableSince = since
        state.groups[index].unassignableReason = reason
        if now >= since.adding(milliseconds: limitMs) {
            let message = "no member of \(group.name) can be used: \(reason)"
            stop(.init(phase: .failed, reason: "NoMember", message: message))
        }
    }

    private mutating func assign(_ chosen: MemberChoice.Chosen, to index: Int) {
        let number = state.groups[index].attempts.count + 1
        state.groups[index].fence += 1
        state.groups[index].notBefore = nil
        state.groups[index].unassignableSince = nil
        state.groups[index].unassignableReason = nil
        let agent = chosen.agent
        state.groups[index].attempts.append(
            Attempt(
                jobID: JobID.make(session: state.uid, pod: agent.agentID, attempt: number),
                number: number,
                fence: state.groups[index].fence,
                agentID: agent.agentID,
                pod: agent.pod,
                host: agent.member.host ?? agent.pod,
                role: agent.member.role,
                incarnation: agent.incarnation,
                consistency: chosen.consistency,
                choice: chosen.reason,
                phase: .assigned,
                desire: .run,
                assignedAt: now,
                lastContact: now,
                isReportedLost: false,
                logBytes: 0
            )
        )
        record("JobAssigned", "attempt \(number) of group \(state.groups[index].name): \(chosen.reason)")
    }
}
