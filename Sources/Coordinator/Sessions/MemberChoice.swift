import BackupModel

/// Which member does the work, and why: a pure function from what agents report.
enum MemberChoice: Sendable, Hashable {
    /// The member, how it is read, and a sentence for people.
    struct Chosen: Sendable, Hashable {
        var agent: AgentSnapshot
        var consistency: Consistency?
        var reason: String
    }

    case chosen(Chosen)
    /// Nobody now, with a reason for each.
    case none(String)
    /// Nobody, however long one waits: what was asked for can't be had of this group, and what can.
    case never(String)

    /// The group that an agent's member belongs to.
    static func group(_ agent: AgentSnapshot) -> String { agent.member.group ?? "standalone" }

    /// The member to dump: hidden before priority 0 before other secondaries, then by lag, then the one
    /// that was read last time, then by name; never an arbiter, a
    /// delayed or a locked member, and under `lock` never one that its group can't spare.
    ///
    /// - Parameters:
    ///   - agents: all agents of the group.
    ///   - wanted: the task's parameter; nil means `lock` where that is possible, otherwise what is.
    ///   - failedBefore: agents whose attempt failed in this session; they come last.
    ///   - lastDumped: the member that the newest good backup was read from; among equals it is taken again.
    /// - Returns: the member with the reason, or why there is none.
    static func forBackup(
        _ agents: [AgentSnapshot],
        wanted: Consistency?,
        failedBefore: Set<String>,
        lastDumped: String? = nil
    ) -> MemberChoice {
        var reasons: [String] = []
        var usable: [AgentSnapshot] = []
        for agent in agents.sorted(by: { $0.pod < $1.pod }) {
            if let reason = reasonAgainst(agent) {
                reasons.append("\(agent.pod) \(reason)")
            } else {
                usable.append(agent)
            }
        }
        if let standalone = usable.first(where: { $0.member.role == .standalone }) {
            guard wanted == nil || wanted == Consistency.none else {
                return .never("\(standalone.pod) is a standalone, which can only be read with consistency none")
            }
            return chosen(standalone, Consistency.none, "a standalone, read without a lock or an oplog", reasons)
        }
        let secondaries = usable.filter { $0.member.role == .secondary }
            .sorted { left, right in
                let ranks = (rank(left, failedBefore, lastDumped), rank(right, failedBefore, lastDumped))
                return ranks.0 == ranks.1 ? left.pod < right.pod : ranks.0.lexicographicallyPrecedes(ranks.1)
            }
        if wanted == nil || wanted == .lock {
            for agent in secondaries where agent.member.isLockable != true {
                reasons.append(
                    "\(agent.pod) can't be locked: \(agent.member.notLockableReason ?? "its agent does not say why")"
                )
            }
            if let best = secondaries.first(where: { $0.member.isLockable == true }) {
                return chosen(best, .lock, describe(best), reasons)
            }
            if wanted == .lock {
                if let reason = reasonNeverToLock(agents) { return .never(reason) }
                return .none(explain(reasons, otherwise: "there is no secondary that can be locked"))
            }
        }
        let consistency = wanted ?? .oplog
        let primary = usable.first { $0.member.role == .primary }
        let ordered =
            wanted == nil ? [primary].compactMap { $0 } + secondaries : secondaries + [primary].compactMap { $0 }
        guard let best = ordered.first else {
            return .none(explain(reasons, otherwise: "no agent of the group is connected"))
        }
        let why =
            best.member.role == .primary
            ? "the primary, as no secondary can be used, read without a lock (\(consistency.rawValue))"
            : "\(describe(best)), read without a lock (\(consistency.rawValue))"
        return chosen(best, consistency, why, reasons)
    }

    /// The member whose agent restores: the primary's if it has one, because every write goes there.
    static func forRestore(_ agents: [AgentSnapshot]) -> MemberChoice {
        var reasons: [String] = []
        var usable: [AgentSnapshot] = []
        for agent in agents.sorted(by: { $0.pod < $1.pod }) {
            if let reason = reasonAgainst(agent, mayBeDelayed: true) {
                reasons.append("\(agent.pod) \(reason)")
            } else {
                usable.append(agent)
            }
        }
        if let best = usable.first(where: { $0.member.role == .primary || $0.member.role == .standalone }) {
            return chosen(best, nil, "the \(best.member.role?.rawValue ?? "primary")", reasons)
        }
        if let best = usable.first {
            return chosen(best, nil, "a \(best.member.role?.rawValue ?? "member") that writes to the primary", reasons)
        }
        return .none(explain(reasons, otherwise: "no agent of the group is connected"))
    }

    private static func reasonAgainst(_ agent: AgentSnapshot, mayBeDelayed: Bool = false) -> String? {
        let member = agent.member
        if agent.isGone || !agent.isConnected { return "is not connected" }
        if !member.isReachable { return "does not reach its member" }
        if let lock = member.lock {
            return lock.isOurs ? "still holds a lock of an earlier job" : "is locked by somebody else (fsyncLock)"
        }
        switch member.role {
        case .arbiter: return "is an arbiter"
        case .other, nil: return "is neither primary nor secondary now"
        case .standalone, .primary, .secondary: break
        }
        if !mayBeDelayed, let delay = member.delaySeconds, delay > 0 { return "is delayed by \(delay) s" }
        return nil
    }

    /// Why no member of the group could be locked even if all were well, or nil.
    ///
    /// A locked member takes no part in majorities: the others' votes must make one.
    private static func reasonNeverToLock(_ agents: [AgentSnapshot]) -> String? {
        guard let agent = agents.first(where: { !$0.member.members.isEmpty }) else { return nil }
        let members = agent.member.members
        let votes = members.reduce(0) { $0 + $1.votes }
        let data = members.filter { $0.state != "ARBITER" }
        if data.count > 1, data.contains(where: { votes - $0.votes > votes / 2 }) { return nil }
        return "\(group(agent)) can't spare a member for a lock: \(count(data.count, "member")) with data and "
            + "\(count(votes, "vote")), and the others must keep a majority; add a member, or use consistency snapshot "
            + "or oplog"
    }

    private static func count(_ number: Int, _ word: String) -> String { "\(number) \(word)\(number == 1 ? "" : "s")" }

    /// Seconds of lag that make one secondary worse than another; less is noise.
    ///
    /// Backups must not wander from member to member: each has its documents in an order of its own, so a repository
    /// that knows one member's chunks knows few of another's.
    private static let lagStep = 10
    /// Seconds of lag that the member that was read last time may have and still be taken again: its lock may just
    /// have ended.
    private static let toleratedLag = 60

    /// Smaller is better.
    private static func rank(_ agent: AgentSnapshot, _ failedBefore: Set<String>, _ lastDumped: String?) -> [Int] {
        let wasLast = lastDumped != nil && agent.member.host == lastDumped
        return [
            failedBefore.contains(agent.agentID) ? 1 : 0,
            agent.member.isHidden == true ? 0 : 1,
            agent.member.priority == 0 ? 0 : 1,
            agent.member.lagSeconds.map { wasLast && $0 < toleratedLag ? 0 : $0 / lagStep } ?? Int.max,
            wasLast ? 0 : 1,
        ]
    }

    private static func describe(_ agent: AgentSnapshot) -> String {
        var words = ["secondary"]
        if agent.member.priority == 0 { words.insert("priority-0", at: 0) }
        if agent.member.isHidden == true { words.insert("hidden", at: 0) }
        let lag = agent.member.lagSeconds.map { ", \($0) s behind" } ?? ""
        return "a \(words.joined(separator: " "))\(lag)"
    }

    private static func chosen(
        _ agent: AgentSnapshot,
        _ consistency: Consistency?,
        _ why: String,
        _ reasons: [String]
    ) -> MemberChoice {
        let others = reasons.isEmpty ? "" : "; \(reasons.joined(separator: "; "))"
        return .chosen(Chosen(agent: agent, consistency: consistency, reason: "\(agent.pod): \(why)\(others)"))
    }

    private static func explain(_ reasons: [String], otherwise: String) -> String {
        reasons.isEmpty ? otherwise : reasons.joined(separator: "; ")
    }
}
