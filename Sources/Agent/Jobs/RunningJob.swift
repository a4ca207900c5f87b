import BackupModel
import Engines
import Synchronization

/// One job while it runs: what its engine may use, and what heartbeats tell of it.
final class RunningJob: JobContext {
    /// What a heartbeat carries.
    struct Snapshot: Sendable {
        var progress = JobProgress()
        var lock: LockReport?
        var balancer: BalancerReport?
        var milestone: JobMilestone?
    }

    let job: DesiredJob
    let logger: JobLogger
    /// The first reason to stop, once there is one.
    let stop = Watched<StopReason?>(nil)
    /// What the lease allows right now.
    let standing = Watched<LeaseClock.Standing>(.held)
    /// What the job may know of the session's other jobs, as last told.
    let directive: Watched<JobDirective>
    /// Counts what must not wait for the next heartbeat's turn.
    let urgent = Watched<Int>(0)

    /// How much of `urgent` the coordinator is known to have stored, wanting the job to go on.
    private let confirmed = Watched<Int>(0)

    private let lease: Mutex<LeaseClock>
    private let reported = Mutex(Snapshot())
    private let uploadedBytes = Mutex<(@Sendable () -> Int64)?>(nil)

    init(job: DesiredJob, logger: JobLogger, lease: LeaseClock) {
        self.job = job
        self.logger = logger
        self.lease = Mutex(lease)
        directive = Watched(job.directive ?? JobDirective())
    }

    // MARK: For the engine

    var jobID: String { job.jobID }

    func log(_ level: JobLogLevel, _ component: String, _ message: String) {
        logger.log(level, component, message)
    }

    func report(_ progress: JobProgress) {
        reported.withLock { $0.progress = progress }
    }

    func report(_ lock: LockReport) {
        reported.withLock { $0.lock = lock }
    }

    func report(_ balancer: BalancerReport) {
        reported.withLock { $0.balancer = balancer }
    }

    func reach(_ milestone: JobMilestone) {
        reported.withLock { $0.milestone = milestone }
        urgent.update { $0 += 1 }
    }

    func recorded() async throws {
        let number = urgent.update { count in
            count += 1
            return count
        }
        _ = try await confirmed.first { $0 >= number }
    }

    func directive(where accepts: @escaping @Sendable (JobDirective) -> Bool) async throws -> JobDirective {
        try await directive.first(where: accepts)
    }

    /// Returns when the lease has lapsed; waits again once it was renewed.
    func leaseLapse() async throws {
        _ = try await standing.first { $0 != .held }
    }

    // MARK: For the runner

    /// Replaces the step of the progress, keeping the numbers.
    func report(step: String) {
        reported.withLock { $0.progress.step = step }
    }

    /// Where the bytes sent to the repository are counted.
    func countUploads(_ count: @escaping @Sendable () -> Int64) {
        uploadedBytes.withLock { $0 = count }
    }

    /// Keeps the last number and lets go of where it came from.
    func stopCountingUploads() {
        guard let count = uploadedBytes.withLock({ $0.take() }) else { return }
        let bytes = count()
        reported.withLock { $0.progress.bytesUploaded = max($0.progress.bytesUploaded, bytes) }
    }

    /// What a heartbeat tells.
    var snapshot: Snapshot {
        var snapshot = reported.withLock { $0 }
        if let count = uploadedBytes.withLock({ $0 }) {
            snapshot.progress.bytesUploaded = max(snapshot.progress.bytesUploaded, count())
        }
        return snapshot
    }

    /// Asks the job to stop; the first reason counts.
    func requestStop(_ reason: StopReason) {
        stop.update { current in
            if current == nil { current = reason }
        }
    }

    /// A heartbeat that carried everything up to number `urgent` was answered, and the job is to go on.
    func confirm(_ urgent: Int) {
        confirmed.update { $0 = max($0, urgent) }
    }

    /// A heartbeat sent at `sentAt` succeeded.
    func renewLease(sentAt: ContinuousClock.Instant, lease duration: Duration) {
        lease.withLock { $0.renew(sentAt: sentAt, lease: duration) }
        judgeLease()
    }

    /// The lease right now.
    var leaseClock: LeaseClock { lease.withLock { $0 } }

    /// Looks at the clock, and tells those who wait when the standing has changed.
    func judgeLease(at now: ContinuousClock.Instant = .now) {
        let fresh = lease.withLock { $0.standing(at: now) }
        let before = standing.update { current in
            defer { current = fresh }
            return current
        }
        guard before != fresh else { return }
        switch fresh {
        case .held: log(.info, "lease", "the coordinator answers again: the lease is held")
        case .lapsed:
            log(.warning, "lease", "no heartbeat has succeeded for \(leaseClock.lease.formattedSeconds): lease lapsed")
        case .disconnected:
            log(.error, "lease", "no heartbeat has succeeded for \(leaseClock.maxDisconnected.formattedSeconds)")
        }
    }
}
