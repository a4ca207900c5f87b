import BackupModel

/// What the conductor knows of a configuration and its target, for its status.
struct ConfigurationFacts: Sendable {
    /// Uids of the pods whose agents are connected.
    var connected: Set<String> = []
    /// Uids of the pods whose agents were known and aren't connected.
    var silent: Set<String> = []
    var nextRun: Timestamp?
    var lastHandled: Timestamp?
    var lastSession: SessionState?
    var lastSuccess: SessionState?
    /// It was started only just: agents may be on their way back.
    var isFresh = false
}

extension Conductor {
    /// After a start nobody is called lost before so long.
    private static let patienceMs: Int64 = 60_000
    /// So many sessions of a target are looked at for the newest of one configuration.
    private static let looks = 8

    /// What is known of a configuration and its target.
    func facts(of key: ResourceKey, target: ResourceKey) throws -> ConfigurationFacts {
        let now = clock()
        var facts = ConfigurationFacts()
        for state in fleet(of: target) {
            if state.isConnected(now) {
                facts.connected.insert(state.record.agentID)
            } else if !state.record.isGone {
                facts.silent.insert(state.record.agentID)
            }
        }
        facts.nextRun = scheduleCache[key]?.next
        facts.lastHandled = try store.lastHandled(key)
        facts.lastSession = try newest(SessionFilter(kind: .backup, target: target, limit: Self.looks), key.name)
            .map { active[$0.key] ?? $0 }
        let good = SessionFilter(kind: .backup, target: target, phase: .succeeded, limit: Self.looks)
        facts.lastSuccess = try newest(good, key.name)
        facts.isFresh = now < identity.startedAt.adding(milliseconds: Self.patienceMs)
        return facts
    }

    /// The newest session of a configuration among the newest of its target, which few configurations share.
    private func newest(_ filter: SessionFilter, _ configuration: String) throws -> SessionState? {
        try store.sessions(filter).first { $0.plan.configuration == configuration }
    }

    /// Connected agents by target, for what changes without anybody's doing.
    func connectedAgents() -> [ResourceKey: [String: String]] {
        let now = clock()
        var found: [ResourceKey: [String: String]] = [:]
        for state in fleet.values where state.isConnected(now) {
            found[state.record.target, default: [:]][state.record.agentID] = state.record.pod
        }
        return found
    }
}
