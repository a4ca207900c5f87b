/// Times of a leader election; the defaults are those of the Kubernetes client libraries.
public struct ElectionTiming: Sendable {
    /// For so long after they saw the lease change the others leave it to its holder.
    public var leaseDuration: Duration
    /// A leader that couldn't renew for so long stops leading; less than `leaseDuration`.
    public var renewDeadline: Duration
    /// Between two tries to get or renew the lease.
    public var retryPeriod: Duration
    /// Those who wait pause longer by chance, up to so many times `retryPeriod`.
    public var jitter: Double

    /// Makes one.
    public init(
        leaseDuration: Duration = .seconds(15),
        renewDeadline: Duration = .seconds(10),
        retryPeriod: Duration = .seconds(2),
        jitter: Double = 1.2
    ) {
        self.leaseDuration = leaseDuration
        self.renewDeadline = renewDeadline
        self.retryPeriod = retryPeriod
        self.jitter = jitter
    }
}

/// What a lease says.
struct LeaseRecord: Hashable, Sendable {
    /// Empty when nobody has it.
    var holder: String
    var duration: Duration
    var transitions: Int64
    /// Only compared for being the same; another's clock is never read.
    var renewed: String

    init(_ lease: KubernetesObject) {
        holder = lease[path: "spec", "holderIdentity"]?.string ?? ""
        duration = .seconds(lease[path: "spec", "leaseDurationSeconds"]?.integer ?? 0)
        transitions = lease[path: "spec", "leaseTransitions"]?.integer ?? 0
        renewed = lease[path: "spec", "renewTime"]?.string ?? ""
    }
}

/// What one candidate knows of the lease, and since when by its own monotonic clock.
struct LeaseObservation: Sendable {
    private(set) var record: LeaseRecord?
    private var changed: Duration = .zero

    /// Takes in what the lease says now.
    mutating func see(_ new: LeaseRecord, now: Duration) {
        guard new != record else { return }
        record = new
        changed = now
    }

    mutating func forget() { record = nil }

    /// Whether another has the lease and may still count on it.
    func isHeldByAnother(than identity: String, now: Duration) -> Bool { timeLeft(than: identity, now: now) != nil }

    /// How long another who has the lease may still count on it; nil when nobody else has it.
    func timeLeft(than identity: String, now: Duration) -> Duration? {
        guard let record, !record.holder.isEmpty, record.holder != identity else { return nil }
        let left = changed + record.duration - now
        return left > .zero ? left : nil
    }
}
