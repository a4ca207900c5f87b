/// A job's lease as plain arithmetic on the agent's own monotonic clock.
///
/// It counts from the moment the last successful heartbeat was *sent*: the coordinator counts from when it received
/// it, later, and adds a grace; so the agent always believes it has lost the lease before the coordinator does, and
/// nothing is compared across hosts.
struct LeaseClock: Sendable, Equatable {
    /// What may be done now.
    enum Standing: Sendable, Comparable {
        /// Everything.
        case held
        /// What hurts the database must be released; a dump may go on, a restore may not.
        case lapsed
        /// Give up.
        case disconnected
    }

    private(set) var lease: Duration
    let maxDisconnected: Duration
    private(set) var renewedAt: ContinuousClock.Instant

    /// A lease that begins now.
    init(lease: Duration, maxDisconnected: Duration, at now: ContinuousClock.Instant) {
        self.lease = lease
        self.maxDisconnected = max(maxDisconnected, lease)
        renewedAt = now
    }

    /// A heartbeat succeeded.
    ///
    /// Answers can overtake each other: an older one never takes the lease back.
    mutating func renew(sentAt: ContinuousClock.Instant, lease: Duration) {
        guard sentAt >= renewedAt else { return }
        renewedAt = sentAt
        self.lease = lease
    }

    /// What may be done at `now`.
    func standing(at now: ContinuousClock.Instant) -> Standing {
        let elapsed = renewedAt.duration(to: now)
        if elapsed >= maxDisconnected { return .disconnected }
        return elapsed >= lease ? .lapsed : .held
    }

    /// When the standing changes next without a heartbeat; nil when it can't.
    func nextChange(at now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        switch standing(at: now) {
        case .held: renewedAt + lease
        case .lapsed: renewedAt + maxDisconnected
        case .disconnected: nil
        }
    }
}
