import BackupModel
import Engines
import Logging

/// Runs the jobs of the desired document, one at a time, each at most once.
struct JobRunner: Sendable {
    let engine: any Engine
    let client: CoordinatorClient
    let journal: Journal
    let logs: JobLogs
    let redactor: Redactor
    let console: LineWriter
    let log: Logger
    /// The agent's version.
    let version: String
    /// What buffers may take.
    let memory: MemoryBudget
    /// The newest desired jobs; also touched when one of the following two changes.
    let desired: Watched<[DesiredJob]>
    /// Jobs wait until what an earlier process left on the member is released.
    let leftoversReleased: Watched<Bool>
    let isStopping: Watched<Bool>
    /// What an operator should know of the agent itself, by subject.
    let problems: Watched<[String: String]>
    /// Called when a job is over.
    let onIdle: @Sendable () -> Void

    /// Runs jobs until the process is to end; the job that runs then is stopped and noted.
    func run() async {
        do {
            while !Task.isCancelled {
                let (journal, isStopping, leftoversReleased) = (self.journal, self.isStopping, self.leftoversReleased)
                let jobs = try await desired.first { jobs in
                    isStopping.value
                        || leftoversReleased.value
                            && JobDecision.next(desired: jobs, journal: journal.watched.value) != .wait
                }
                if isStopping.value { return }
                await act(on: JobDecision.next(desired: jobs, journal: journal.watched.value))
            }
        } catch {
            // Cancelled: the process ends.
        }
    }

    private func act(on decision: JobDecision) async {
        do {
            switch decision {
            case .wait: break
            case .start(let job): try await start(job)
            case .reportCancelled(let job):
                guard try await journal.begin(job, unixMs: WallClock.unixMilliseconds()) else { return }
                let failure = StopReason.cancelled.failure()
                try await journal.finish(job.jobID, JobOutcome(failure: failure))
            }
            problems.update { $0["journal"] = nil }
        } catch {
            // A job that can't be noted is not run: after a crash nobody would know of it.
            log.error("can't note a job: \(error)")
            problems.update { $0["journal"] = "the agent can't write its journal, so it runs no jobs: \(error)" }
            do { try await Task.sleep(for: .seconds(5)) } catch { return }
        }
    }

    private func start(_ job: DesiredJob) async throws {
        guard try await journal.begin(job, unixMs: WallClock.unixMilliseconds()) else { return }
        let outcome: JobOutcome?
        do {
            let logger = JobLogger(file: try logs.log(of: job.jobID), console: console, redactor: redactor)
            outcome = await makeExecution(job, logger).run()
        } catch {
            outcome = JobOutcome(failure: .describing(error, redactor: redactor))
        }
        onIdle()
        if let outcome {
            try await journal.finish(job.jobID, outcome)
        } else {
            try await journal.acknowledge(job.jobID)
            logs.close(job.jobID, needed: journal.watched.value.reports.map(\.jobID))
        }
    }

    private func makeExecution(_ job: DesiredJob, _ logger: JobLogger) -> JobExecution {
        let session = client.session.value
        let running = RunningJob(
            job: job,
            logger: logger,
            lease: LeaseClock(
                lease: session?.lease ?? .seconds(60),
                maxDisconnected: session?.maxDisconnected ?? .seconds(600),
                at: .now
            )
        )
        return JobExecution(
            worker: JobWorker(
                engine: engine,
                client: client,
                redactor: redactor,
                running: running,
                version: version,
                memory: memory
            ),
            logs: logs,
            desired: desired,
            isStopping: isStopping,
            logInterval: Watched(session?.logInterval ?? .seconds(10))
        )
    }
}
