/// Times of the session machine, all in milliseconds; tests shrink them.
public struct SessionTimings: Sendable, Hashable {
    /// A job's lease as the agent counts it.
    public var leaseMs: Int64
    /// Interval of heartbeats; a great fleet gets longer ones.
    public var heartbeatMs: Int64
    /// After this long without contact a job is given up even though its agent may live.
    public var maximumDisconnectedMs: Int64
    /// How long check-ins wait, in seconds; nil: by the size of the fleet.
    public var pollSeconds: Int?
    /// How long a session waits for the first agent of its target, and a group for a member that can be used.
    var agentWaitMs: Int64 = 180_000
    /// Pause before repositories are prepared again.
    var prepareRetryMs: Int64 = 15_000
    /// Tries at the repositories, and at the manifest.
    var maximumTries = 6

    /// Makes times; heartbeats come four times in a lease unless told otherwise.
    public init(
        leaseMs: Int64 = 60_000,
        heartbeatMs: Int64? = nil,
        maximumDisconnectedMs: Int64 = 600_000,
        pollSeconds: Int? = nil
    ) {
        self.leaseMs = leaseMs
        self.heartbeatMs = heartbeatMs ?? leaseMs / 4
        self.maximumDisconnectedMs = maximumDisconnectedMs
        self.pollSeconds = pollSeconds
    }

    /// What the coordinator adds before it believes that a lease is over: 15 s, less for the short leases of tests.
    var leaseGraceMs: Int64 { min(15_000, leaseMs / 4) }
    /// After this long without contact a lease is over.
    var leaseEndMs: Int64 { leaseMs + leaseGraceMs }
    /// How long jobs may take to stop in good order.
    var stopGraceMs: Int64 { leaseEndMs }
    /// A release of a lock that was not answered for so long is given to somebody else.
    var releaseTimeoutMs: Int64 { min(60_000, leaseMs) }
    /// Pause after a release that failed.
    var releasePauseMs: Int64 { min(10_000, leaseMs / 4) }
}
