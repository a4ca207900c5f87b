import BackupModel

/// What the coordinator must not forget.
///
/// Every call is durable when it returns; those within ``Store/together(_:)`` when that does.
///
/// Implementations: ``SQLiteStore`` and ``KubernetesStore``. One conformance suite proves both.
protocol Store: Sendable {
    /// Runs `body`, whose calls become durable all at once when it returns, or not at all when it throws.
    func together(_ body: () throws -> Void) throws

    /// The next epoch: greater than every one before, and at least `minimum`.
    func nextEpoch(atLeast minimum: Int64) throws -> Int64
    /// A secret key of this coordinator, made once and kept.
    func secretKey(_ name: String, make: () -> [UInt8]) throws -> [UInt8]

    /// Adds a session; false when its name is taken.
    func insert(_ session: SessionState, events: [SessionEventView]) throws -> Bool
    /// Replaces a session's state, adds events and replaces locks: all or nothing.
    func save(_ session: SessionState, events: [SessionEventView], locks: [LockRecord]) throws
    /// One session.
    func session(_ key: ResourceKey) throws -> SessionState?
    /// Sessions, newest first.
    func sessions(_ filter: SessionFilter) throws -> [SessionState]
    /// What happened in a session, oldest first.
    func events(of session: ResourceKey) throws -> [SessionEventView]
    /// Forgets a session and its events.
    func remove(_ session: ResourceKey) throws

    /// Adds or replaces a lock.
    func save(_ lock: LockRecord) throws
    /// Locks, newest first.
    func locks(onlyOpen: Bool, limit: Int) throws -> [LockRecord]

    /// Adds or replaces what is known of an agent.
    func save(_ agent: AgentRecord) throws
    /// All agents that are known.
    func agents() throws -> [AgentRecord]
    /// Forgets an agent.
    func remove(agent agentID: String) throws

    /// The newest time of a configuration's schedule that was dealt with.
    func lastHandled(_ configuration: ResourceKey) throws -> Timestamp?
    /// Remembers it.
    func setLastHandled(_ configuration: ResourceKey, _ time: Timestamp) throws
}

/// Which sessions.
struct SessionFilter: Sendable, Hashable {
    var namespace: String?
    var kind: SessionView.Kind?
    var target: ResourceKey?
    var phase: SessionPhase?
    /// True: only those that are not over; false: only those that are.
    var isActive: Bool?
    var limit = 100
}

/// What is known of an agent, also while it is away.
struct AgentRecord: Codable, Sendable, Hashable {
    var agentID: String
    var namespace: String
    var pod: String
    var node: String?
    var cluster: String
    var engine: String
    var version: String
    var incarnation: String
    var features: [String]
    var member: MemberStatus
    var memberSeen: Timestamp?
    var lastSeen: Timestamp
    var isGone: Bool
    /// Its clock minus ours, when it registered: for people.
    var clockSkewMs: Int64
    /// Fingerprints of the authorities that it trusts; nil: it doesn't say.
    var trustedAuthorities: [String]?

    /// The target it belongs to.
    var target: ResourceKey { ResourceKey(namespace: namespace, name: cluster) }
}

/// The store failed: what was attempted, and why not.
struct StoreError: Error, Sendable, CustomStringConvertible {
    var description: String
}
