import BackupModel

/// Says what a backup would do if it began now: a pure function over what the session machine would decide by.
struct BackupForecast: Sendable {
    let plan: SessionPlan
    let key: ResourceKey
    let surroundings: Surroundings
    /// The newest good backup of the target.
    let last: SessionState?

    private typealias Warning = BackupPlanView.Warning

    /// Share of the oplog window beyond which a dump is unsafe: the window shrinks when more is written.
    private static let safeShareOfWindow = 0.5
    /// Seconds of lag that are worth a word.
    private static let notableLag = 60

    /// The plan.
    func view() -> BackupPlanView {
        var view = BackupPlanView(
            namespace: key.namespace,
            configuration: plan.configuration ?? key.name,
            target: plan.target,
            repository: "\(plan.repository)"
        )
        if let other = surroundings.busyWith {
            view.obstacles.append("session \(other) uses the target and must end first")
        }
        let usable = surroundings.agents.filter { $0.isConnected && !$0.isGone && $0.member.isReachable }
        let target = ResourceKey(namespace: key.namespace, name: plan.target)
        guard !usable.isEmpty else {
            view.obstacles.append(
                "no agent of target \(target) is connected and reaches its database: start remora-agent beside its members"
            )
            return view
        }
        let topology: Topology
        switch Topology.decide(usable, target: target) {
        case .found(let found): topology = found
        case .incomplete(let reason), .unsupported(let reason):
            view.obstacles.append(reason)
            return view
        }
        let isStandalone = usable.contains { $0.member.role == .standalone }
        view.topology = topology.cluster != nil ? "sharded cluster" : isStandalone ? "standalone" : "replica set"
        if let reason = SessionMachine.reasonAgainst(topology, target: target, backup: plan.backup) {
            view.obstacles.append(reason.message)
        }
        view.warnings += topology.remarks.map {
            Warning(message: $0, advice: "remove its agents if it has been taken out of the cluster")
        }
        if topology.cluster != nil, let balancer = surroundings.stoppedBalancer { view.obstacles.append(balancer) }
        for group in topology.groups { add(group, to: &view) }
        return view
    }

    private func add(_ state: GroupState, to view: inout BackupPlanView) {
        let members = surroundings.agents.filter { MemberChoice.group($0) == state.name }
        var group = BackupPlanView.Group(name: state.name, role: state.role, reason: "")
        group.last = lastRun(of: state.name)
        let choice = MemberChoice.forBackup(
            members,
            wanted: plan.backup?.consistency,
            failedBefore: [],
            lastDumped: surroundings.lastDumped[state.name]
        )
        switch choice {
        case .none(let reason):
            group.reason = reason
            view.obstacles.append("no member of \(state.name) can be used: \(reason)")
        case .never(let reason):
            group.reason = reason
            view.obstacles.append(reason)
        case .chosen(let chosen):
            let member = chosen.agent.member
            group.pod = chosen.agent.pod
            group.host = member.host
            group.memberRole = member.role
            group.consistency = chosen.consistency
            group.reason = chosen.reason
            group.dataBytes = member.dataBytes
            group.oplogWindowSeconds = member.oplogWindowSeconds
            view.warnings += warnings(group, member, members).map { warning in
                var warning = warning
                warning.group = state.name
                return warning
            }
        }
        view.groups.append(group)
    }

    private func lastRun(of group: String) -> BackupPlanView.Group.Last? {
        guard let last, let attempt = last.groups.first(where: { $0.name == group })?.attempts.last,
            let result = attempt.outcome?.backup
        else { return nil }
        return BackupPlanView.Group.Last(
            session: last.key.name,
            durationMs: result.durationMs,
            lockHeldMs: result.lock?.heldMs,
            bytes: result.bytes,
            bytesAdded: result.bytesAdded
        )
    }

    // MARK: What is unsafe

    private func warnings(
        _ group: BackupPlanView.Group,
        _ member: MemberStatus,
        _ agents: [AgentSnapshot]
    ) -> [Warning] {
        let pod = group.pod ?? "its agent"
        var all = member.problems.map { Warning(message: "\(pod): \($0)", advice: "see to it before the backup") }
        switch (group.consistency, group.memberRole) {
        case (.oplog?, .primary?) where plan.backup?.consistency == nil:
            let reasons = agents.compactMap(\.member.notLockableReason)
            let why = reasons.first.map { ": \($0)" } ?? ""
            all.append(
                Warning(
                    message: "no secondary can be locked\(why); the primary is read, while it serves its clients",
                    advice:
                        "add a data-bearing secondary (hidden and with priority 0 is best), or start an agent beside one"
                )
            )
        case (Consistency.none?, _) where plan.backup?.command != nil: break
        case (Consistency.none?, .standalone?):
            all.append(
                Warning(
                    message: "a standalone has no oplog: what is written while it is read makes the dump inexact",
                    advice: "stop writing meanwhile, or make it a replica set of one member (replSetInitiate)"
                )
            )
        case (Consistency.none?, _):
            all.append(
                Warning(
                    message: "consistency none: the dump restores to no point in time",
                    advice: "leave consistency out, or use lock, snapshot or oplog"
                )
            )
        default: break
        }
        all += timeWarnings(group, member)
        let silent = agents.filter { !$0.isConnected || $0.isGone }.map(\.pod)
        if !silent.isEmpty {
            all.append(
                Warning(
                    message: "\(silent.joined(separator: ", ")) \(silent.count == 1 ? "is" : "are") not connected",
                    advice: "start the agent again: members without one can't be chosen"
                )
            )
        }
        if group.consistency == .lock, !agents.contains(where: { $0.isConnected && !$0.isGone && $0.pod != group.pod })
        {
            all.append(
                Warning(
                    message:
                        "\(pod) is the only agent of the group: if it dies and stays away, nobody else can take its lock off",
                    advice: "start remora-agent beside every member"
                )
            )
        }
        return all
    }

    private func timeWarnings(_ group: BackupPlanView.Group, _ member: MemberStatus) -> [Warning] {
        var all: [Warning] = []
        if let lag = member.lagSeconds, lag >= Self.notableLag {
            all.append(
                Warning(
                    message:
                        "\(group.host ?? "the member") is \(lag) s behind its primary, and so is what is backed up",
                    advice: "find out why it lags (rs.printSecondaryReplicationInfo()), or wait until it has caught up"
                )
            )
        }
        guard let last = group.last else { return all }
        let seconds = Int(last.durationMs / 1000)
        if group.consistency != Consistency.none, let window = group.oplogWindowSeconds,
            Double(seconds) > Double(window) * Self.safeShareOfWindow
        {
            all.append(
                Warning(
                    message:
                        "the last backup read for \(seconds) s, and the oplog reaches back \(window) s only: it may lose "
                        + "what is needed before the end",
                    advice: "enlarge it (replSetResizeOplog), or back up when less is written"
                )
            )
        }
        if group.consistency == .lock, let held = last.lockHeldMs, let budget = plan.backup?.lockBudgetSeconds,
            held / 1000 >= Int64(budget)
        {
            all.append(
                Warning(
                    message:
                        "the last lock was held for \(held / 1000) s, and the budget is \(budget) s: the rest is read "
                        + "without a lock and made exact by the oplog",
                    advice: "raise lockBudgetSeconds if the member may be locked for longer"
                )
            )
        }
        return all
    }
}
