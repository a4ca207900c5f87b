import BackupModel

// How the jobs of a sharded cluster meet: the config server's is ready before a shard's begins, all are finished before
// one ends, and what they publish restores to one cut.
//
// ```
// config server:  ready ─────────────────── othersFinished → finished ─┐
// shards:               begin … ready … finished ──────────────────────┴─ cut → oplog to the cut → publish
// ```
extension SessionMachine {
    /// A job that fails with one of these was overtaken by the cluster itself: what all groups read must be read anew.
    static let layoutFailures: Set<String> = ["layoutChanged"]

    /// A job tells how far it is; repeated and late words change nothing.
    mutating func reached(_ milestone: JobMilestone, _ place: (group: Int, attempt: Int)) {
        guard state.cluster != nil, state.stage == .running else { return }
        let known = state.groups[place.group].attempts[place.attempt].milestone
        if let known, known.stage >= milestone.stage { return }
        state.groups[place.group].attempts[place.attempt].milestone = milestone
        let group = state.groups[place.group]
        let pod = group.attempts[place.attempt].pod
        let point = milestone.point.map { " at \($0)" } ?? ""
        switch milestone.stage {
        case .ready:
            if group.role == .configServer { state.cluster?.readyPoint = milestone.point }
            record("JobReady", "\(pod) has prepared group \(group.name)\(point)")
        case .finished: record("JobFinished", "\(pod) has done what the others wait for in group \(group.name)\(point)")
        }
        if state.groups.allSatisfy({ $0.role == .configServer || $0.hasReached(.finished) }) {
            state.cluster?.isClosing = true
        }
        findCut()
    }

    private mutating func findCut() {
        guard state.kind == .backup, state.cluster?.cut == nil, state.cluster?.endingBecause == nil,
            state.groups.allSatisfy({ $0.hasReached(.finished) })
        else { return }
        var cut: ClusterTime?
        for group in state.groups {
            guard let point = group.attempts.last?.milestone?.point else {
                let message = "the agent of group \(group.name) named no point to which its data is exact"
                stop(.init(phase: .failed, reason: "Protocol", message: message))
                return
            }
            cut = max(cut ?? point, point)
        }
        guard let cut else { return }
        state.cluster?.cut = cut
        record("Cut", "every group is to be exact at \(cut)")
    }

    /// What contradicts the session's cut in a result, or nil.
    func contradictionToCut(_ result: BackupResult) -> String? {
        guard let cluster = state.cluster else { return nil }
        guard let cut = cluster.cut else { return "wants to publish before the session's cut is known" }
        guard result.cut == cut else {
            return "restores to \(result.cut?.description ?? "no point"), but the session's cut is \(cut)"
        }
        return nil
    }

    /// Whether a group's job may be given away as far as the others are concerned.
    func mayBegin(_ group: GroupState) -> Bool {
        guard group.role == .shard else { return true }
        return state.groups.contains { $0.role == .configServer && $0.hasReached(.ready) }
    }

    // MARK: Rounds

    /// Whether the failure of a group's job leaves the others without a cut that all could share.
    ///
    /// Before the cut is known a group is redone alone: the reads of the others stand, and the cut will be later. A cut
    /// that was given can't be moved, and a redone group is exact only after it. Once all shards were finished the
    /// config server may have given the balancer back, so a shard can't be read alone any more either.
    func spoilsRound(_ group: GroupState, _ failure: JobFailure) -> Bool {
        guard state.kind == .backup, let cluster = state.cluster else { return false }
        return cluster.cut != nil || group.role == .shard && cluster.isClosing
            || Self.layoutFailures.contains(failure.code)
    }

    /// Rounds are bounded as attempts are.
    var mayBeginAnotherRound: Bool { (state.cluster?.round ?? 1) < state.plan.maximumAttempts }

    /// Begins the end of a round: its jobs are told to stop, those that publish right now may.
    mutating func endRound(because reason: String) {
        state.cluster?.endingBecause = reason
        record("RoundEnding", "\(reason); every group is taken again, so that all have one cut")
        for group in state.groups.indices {
            guard let last = state.groups[group].attempts.indices.last else { continue }
            let attempt = state.groups[group].attempts[last]
            if !attempt.isOver, attempt.phase != .committing { state.groups[group].attempts[last].desire = .cancel }
        }
    }

    /// Every group begins anew when the last job of the old round is over: until then it may hold the balancer.
    mutating func beginNextRoundIfPossible() {
        guard let cluster = state.cluster, cluster.endingBecause != nil,
            state.groups.allSatisfy({ $0.live == nil })
        else { return }
        state.cluster?.round += 1
        state.cluster?.roundBegan = now
        state.cluster?.isClosing = false
        state.cluster?.cut = nil
        state.cluster?.endingBecause = nil
        for group in state.groups.indices {
            state.groups[group].notBefore = now.adding(milliseconds: state.plan.retryDelayMs)
            guard let last = state.groups[group].attempts.indices.last,
                state.groups[group].attempts[last].phase == .succeeded
            else { continue }
            // Its snapshot stays in the repository, where no manifest names it.
            state.groups[group].attempts[last].phase = .cancelled
            state.groups[group].attempts[last].failure = JobFailure(
                code: "superseded",
                message: "another group failed after the cut was given, so all are taken again",
                isRetryable: true
            )
        }
        record(
            "Retrying",
            "round \(cluster.round + 1) begins in \(GoDuration(milliseconds: state.plan.retryDelayMs))"
        )
    }
}

extension GroupState {
    /// Whether the group's present job has come so far, or farther.
    func hasReached(_ stage: JobMilestone.Stage) -> Bool {
        guard let attempt = attempts.last else { return false }
        if attempt.phase == .succeeded { return true }
        guard !attempt.isOver, let milestone = attempt.milestone else { return false }
        return milestone.stage >= stage
    }
}

extension SessionState {
    /// What a group's job may know of the others; nil for a group by itself.
    func directive(for group: GroupState) -> JobDirective? {
        guard let cluster else { return nil }
        let others = groups.filter { $0.name != group.name }
        return JobDirective(
            othersFinished: others.allSatisfy { $0.hasReached(.finished) },
            cut: cluster.endingBecause == nil ? cluster.cut : nil
        )
    }

    /// A group's part in its cluster; nil for a group by itself.
    func part(of group: GroupState) -> ClusterPart? {
        guard let cluster, let role = group.role else { return nil }
        return ClusterPart(
            role: role,
            shards: cluster.shards,
            begunMs: cluster.roundBegan.unixMs,
            shardNames: cluster.shardNames,
            readAt: plan.backup?.consistency == .snapshot && role == .shard ? cluster.readyPoint : nil
        )
    }
}
