import BackupModel
import Engines

/// Runs one job from its journal entry to its outcome, with everything that goes on beside the work: heartbeats on
/// their own timer, the lease's clock, the coordinator's wishes, the deadline, the log.
struct JobExecution: Sendable {
    let worker: JobWorker
    let logs: JobLogs
    /// The newest desired jobs.
    let desired: Watched<[DesiredJob]>
    /// True when the process is to end.
    let isStopping: Watched<Bool>
    /// Interval of the log's patches, as last told.
    let logInterval: Watched<Duration>

    private var running: RunningJob { worker.running }
    private var job: DesiredJob { running.job }
    private var client: CoordinatorClient { worker.client }

    /// Runs the job.
    ///
    /// - Returns: what is to be reported; nil when nobody waits for a report.
    func run() async -> JobOutcome? {
        running.log(.info, "job", "job \(job.jobID) of session \(job.session), fence \(job.fence): begin")
        let ending = await withTaskGroup(of: Void.self) { beside in
            beside.addTask { await sendHeartbeats() }
            beside.addTask { await watchLease() }
            beside.addTask { await watchDesire() }
            beside.addTask { await watchDirective() }
            beside.addTask { await watchDeadline() }
            beside.addTask { await watchProcess() }
            beside.addTask { await sendLog() }
            let ending = await work()
            beside.cancelAll()
            return ending
        }
        var outcome = conclude(ending)
        // The last words on what it held: the next heartbeat would never come.
        outcome?.lock = running.snapshot.lock
        outcome?.balancer = running.snapshot.balancer
        return outcome
    }

    // MARK: The work

    /// The work's result; a reason to stop cancels it, and it is waited for all the same, because it cleans up.
    private func work() async -> Result<JobOutcome, any Error> {
        await withTaskGroup(of: Result<JobOutcome, any Error>?.self) { group in
            group.addTask {
                do {
                    return .success(try await worker.perform())
                } catch {
                    return .failure(error)
                }
            }
            group.addTask {
                do {
                    let reason = try await running.stop.first { $0 != nil }
                    if let reason { running.log(.warning, "job", "stopping: \(Self.describe(reason))") }
                } catch {
                    // Cancelled: the work is done.
                }
                return nil
            }
            var ending: Result<JobOutcome, any Error> = .failure(CancellationError())
            for await part in group {
                if let part { ending = part }
                group.cancelAll()
            }
            return ending
        }
    }

    private static func describe(_ reason: StopReason) -> String {
        reason.failure()?.message ?? (reason == .aborted ? "no longer wanted" : "another attempt has taken over")
    }

    private func conclude(_ ending: Result<JobOutcome, any Error>) -> JobOutcome? {
        let reason = running.stop.value
        switch ending {
        case .success(let outcome):
            guard reason != .superseded, reason != .aborted else { return nil }
            running.log(.info, "job", "job \(job.jobID): done")
            return outcome
        case .failure(let error as CoordinatorCallError) where reason == nil && error.kind == .superseded:
            running.log(.warning, "job", "another attempt has taken over: \(error.message)")
            return nil
        case .failure(let error):
            guard let failure = failure(for: reason, error) else { return nil }
            running.log(.error, "job", "job \(job.jobID) failed (\(failure.code)): \(failure.message)")
            return JobOutcome(failure: failure)
        }
    }

    private func failure(for reason: StopReason?, _ error: any Error) -> JobFailure? {
        let described = JobFailure.describing(error, redactor: worker.redactor)
        guard let reason else { return described }
        let limit: Duration? =
            switch reason {
            case .leaseLapsed: running.leaseClock.lease
            case .disconnected: running.leaseClock.maxDisconnected
            case .deadline: .seconds(job.deadlineSeconds)
            default: nil
            }
        guard var failure = reason.failure(after: limit) else { return nil }
        // What was left behind or went wrong while cleaning up must not get lost behind the reason for stopping.
        switch error {
        case is CancellationError: break
        case let left as JobFailure where left.code == "cancelled": failure.message += "; \(described.message)"
        default: failure.message += "; while stopping: \(described.message)"
        }
        return failure
    }

    // MARK: Beside the work

    private func sendHeartbeats() async {
        var backoff = Backoff(cap: .seconds(5))
        while !Task.isCancelled {
            let sentAt = ContinuousClock.now
            let urgent = running.urgent.value
            let wait: Duration
            do {
                let answer = try await heartbeat()
                running.renewLease(sentAt: sentAt, lease: .milliseconds(max(10, answer.leaseMs)))
                logInterval.set(.milliseconds(max(10, answer.logIntervalMs)))
                if answer.desired == .run { running.confirm(urgent) }
                obey(answer.desired)
                backoff.succeed()
                wait = .milliseconds(max(10, answer.nextHeartbeatMs))
            } catch let error as CoordinatorCallError {
                guard case .retryable(let after) = error.kind else { return giveUp(error) }
                wait = backoff.fail(atLeast: after)
                if backoff.isWorthTelling {
                    running.log(.warning, "heartbeat", "\(backoff.failures) failed in a row: \(error.message)")
                }
            } catch {
                return  // cancelled: the work is done
            }
            guard await slept(until: sentAt + wait, unlessUrgent: urgent) else { return }
        }
    }

    /// Sleeps until the next heartbeat is due, or there is something urgent that the last one did not try to tell.
    private func slept(until instant: ContinuousClock.Instant, unlessUrgent told: Int) async -> Bool {
        let running = running
        return await withTaskGroup(of: Void.self) { group in
            group.addTask { _ = await slept(until: instant) }
            group.addTask {
                // The only error is a cancellation: the heartbeat is due anyway.
                _ = try? await running.urgent.first { $0 != told }
            }
            await group.next()
            group.cancelAll()
            return !Task.isCancelled
        }
    }

    private func heartbeat() async throws -> HeartbeatResponse {
        let snapshot = running.snapshot
        // Three tries must fit into a lease, or one lost packet would end it.
        let timeout = max(running.leaseClock.lease / 3, .milliseconds(100))
        return try await client.heartbeat(
            job.jobID,
            HeartbeatRequest(
                epoch: client.session.value?.epoch ?? 0,
                fence: job.fence,
                progress: snapshot.progress,
                lock: snapshot.lock,
                balancer: snapshot.balancer,
                milestone: snapshot.milestone
            ),
            timeout: timeout
        )
    }

    private func obey(_ desire: JobDesire) {
        switch desire {
        case .run: break
        case .cancel: running.requestStop(.cancelled)
        case .abort: running.requestStop(.aborted)
        }
    }

    private func giveUp(_ error: CoordinatorCallError) {
        switch error.kind {
        case .rejected:
            running.requestStop(.refused(JobFailure(code: error.code, message: error.message, isRetryable: false)))
        default: running.requestStop(.superseded)
        }
    }

    private func watchLease() async {
        while true {
            let now = ContinuousClock.now
            running.judgeLease(at: now)
            let clock = running.leaseClock
            switch clock.standing(at: now) {
            case .held: break
            case .lapsed:
                if job.work.restore != nil { return running.requestStop(.leaseLapsed) }
            case .disconnected: return running.requestStop(.disconnected)
            }
            // A renewal moves the next change; a shortened lease is seen within a second.
            let next = min(clock.nextChange(at: now) ?? now, now + .seconds(1))
            guard await slept(until: next) else { return }
        }
    }

    private func watchDesire() async {
        let jobID = job.jobID
        do {
            let jobs = try await desired.first { JobDecision.stopReason(for: jobID, desired: $0) != nil }
            if let reason = JobDecision.stopReason(for: jobID, desired: jobs) { running.requestStop(reason) }
        } catch {
            // Cancelled: the work is done.
        }
    }

    /// Hands on what the document lets the job know of the others.
    private func watchDirective() async {
        let jobID = job.jobID
        do {
            while true {
                let known = running.directive.value
                let jobs = try await desired.first { jobs in
                    jobs.first { $0.jobID == jobID }?.directive.map { $0 != known } ?? false
                }
                if let fresh = jobs.first(where: { $0.jobID == jobID })?.directive { running.directive.set(fresh) }
            }
        } catch {
            // Cancelled: the work is done.
        }
    }

    private func watchDeadline() async {
        guard await slept(until: .now + .seconds(max(0, job.deadlineSeconds))) else { return }
        running.requestStop(.deadline)
    }

    private func watchProcess() async {
        do {
            _ = try await isStopping.first { $0 }
            running.requestStop(.shutdown)
        } catch {
            // Cancelled: the work is done.
        }
    }

    private func sendLog() async {
        let sender = JobLogSender(client: client, log: running.logger.file)
        var backoff = Backoff(cap: .seconds(30))
        var lastSent = ContinuousClock.now
        while true {
            // In small steps: the interval gets short when somebody begins to watch, a burst of lines goes early.
            let isDue =
                ContinuousClock.now >= lastSent + logInterval.value
                || sender.log.pendingBytes >= Int64(JobLogSender.patchBytes)
            guard isDue else {
                guard await slept(until: min(lastSent + logInterval.value, .now + .milliseconds(500))) else { return }
                continue
            }
            do {
                if let interval = try await sender.sendPending() { logInterval.set(max(interval, .milliseconds(10))) }
                backoff.succeed()
                lastSent = .now
            } catch let error as CoordinatorCallError {
                // What becomes of the job is for heartbeats to hear; a log that isn't wanted is kept here.
                guard case .retryable(let after) = error.kind else { return }
                guard await slept(until: .now + backoff.fail(atLeast: after)) else { return }
                lastSent = .now - logInterval.value
            } catch {
                return  // cancelled: the courier sends the rest
            }
        }
    }

    /// False when the task was cancelled.
    private func slept(until instant: ContinuousClock.Instant) async -> Bool {
        do {
            try await Task.sleep(until: instant, clock: .continuous)
            return true
        } catch {
            return false
        }
    }
}
