/// An agent says: the job is alive.
public struct HeartbeatRequest: Codable, Sendable, Hashable {
    /// Epoch the agent knows.
    public var epoch: Int64
    /// The job's fence.
    public var fence: Int64
    /// How far it is.
    public var progress: JobProgress
    /// Its lock, if it took one.
    public var lock: LockReport?
    /// The balancer, if it stopped one.
    public var balancer: BalancerReport?
    /// The latest milestone that it reached, in a session of several groups.
    public var milestone: JobMilestone?

    /// Makes a request.
    public init(
        epoch: Int64,
        fence: Int64,
        progress: JobProgress,
        lock: LockReport? = nil,
        balancer: BalancerReport? = nil,
        milestone: JobMilestone? = nil
    ) {
        self.epoch = epoch
        self.fence = fence
        self.progress = progress
        self.lock = lock
        self.balancer = balancer
        self.milestone = milestone
    }
}

/// The coordinator says: go on, or not.
public struct HeartbeatResponse: Codable, Sendable, Hashable {
    /// What should become of the job.
    public var desired: JobDesire
    /// The renewed lease.
    public var leaseMs: Int
    /// When to call again.
    public var nextHeartbeatMs: Int
    /// Interval of log patches: short while somebody tails this job.
    public var logIntervalMs: Int

    /// Makes a response.
    public init(desired: JobDesire, leaseMs: Int, nextHeartbeatMs: Int, logIntervalMs: Int) {
        self.desired = desired
        self.leaseMs = leaseMs
        self.nextHeartbeatMs = nextHeartbeatMs
        self.logIntervalMs = logIntervalMs
    }
}
