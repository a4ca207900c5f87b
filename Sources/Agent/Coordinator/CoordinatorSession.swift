import BackupModel

/// What registering gave: the token, and the intervals that the coordinator wants.
struct CoordinatorSession: Sendable, Hashable {
    var token: String
    var epoch: Int64
    /// Register again from here on: 80 % of the token's life.
    var renewAt: ContinuousClock.Instant
    var pollSeconds: Int
    var heartbeatInterval: Duration
    var lease: Duration
    var maxDisconnected: Duration
    var logInterval: Duration
    var reconnectSpread: Duration

    init(_ response: RegisterResponse, at now: ContinuousClock.Instant) {
        token = response.sessionToken
        epoch = response.epoch
        renewAt = now + .seconds(max(1, response.sessionTtlSeconds)) * 0.8
        pollSeconds = max(1, response.pollSeconds)
        // Intervals that would be a loop without a pause are taken as mistakes.
        heartbeatInterval = .milliseconds(max(10, response.heartbeatMs))
        lease = .milliseconds(max(10, response.leaseMs))
        maxDisconnected = .milliseconds(max(10, response.maxDisconnectedMs))
        logInterval = .milliseconds(max(10, response.logIntervalMs))
        reconnectSpread = .milliseconds(max(0, response.reconnectSpreadMs))
    }
}
