import BackupModel

/// Which of the active sessions concern a target or an agent: with hundreds of them and a thousand agents nobody may look
/// through all for each call.
struct Whereabouts: Sendable {
    private var byTarget: [ResourceKey: Set<ResourceKey>] = [:]
    private var byAgent: [String: Set<ResourceKey>] = [:]
    /// Jobs under way.
    private(set) var liveJobs = 0

    /// Takes note of a session's state.
    ///
    /// - Parameters:
    ///   - after: its state now; one that is over is forgotten.
    ///   - before: the state that was noted last; nil: the session is new here.
    mutating func note(_ after: SessionState, before: SessionState?) {
        let left = before.map(Self.agents) ?? []
        let found = Self.agents(after)
        liveJobs += found.count - left.count
        for agent in Set(left).subtracting(found) {
            byAgent[agent]?.remove(after.key)
            if byAgent[agent]?.isEmpty == true { byAgent[agent] = nil }
        }
        for agent in found { byAgent[agent, default: []].insert(after.key) }
        if after.isOver {
            byTarget[after.target]?.remove(after.key)
            if byTarget[after.target]?.isEmpty == true { byTarget[after.target] = nil }
        } else {
            byTarget[after.target, default: []].insert(after.key)
        }
    }

    /// Active sessions of a target.
    func sessions(of target: ResourceKey) -> Set<ResourceKey> { byTarget[target] ?? [] }

    /// Active sessions that have a job for an agent.
    func sessions(of agentID: String) -> Set<ResourceKey> { byAgent[agentID] ?? [] }

    /// The agent of each live job.
    private static func agents(_ session: SessionState) -> [String] {
        session.isOver ? [] : session.groups.compactMap { $0.live?.agentID }
    }
}

extension Conductor {
    /// Active sessions of a target.
    func sessions(of target: ResourceKey) -> [SessionState] {
        whereabouts.sessions(of: target).compactMap { active[$0] }
    }
}
