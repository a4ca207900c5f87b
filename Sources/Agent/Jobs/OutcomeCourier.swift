import BackupModel
import Logging

/// Brings outcomes to the coordinator, with the log, until it has taken them: also those of jobs that an earlier
/// process ran or died over.
struct OutcomeCourier: Sendable {
    /// Answers "log missing" in a row after which the coordinator is left alone for a while.
    static let mostTurns = 16

    let client: CoordinatorClient
    let journal: Journal
    let logs: JobLogs
    let log: Logger

    /// Delivers until the task is cancelled.
    func run() async {
        do {
            while true {
                _ = try await journal.watched.first { !$0.undelivered.isEmpty }
                try await deliverAll()
            }
        } catch {
            // Cancelled: what is left is delivered by the next process.
        }
    }

    /// Tries every outcome until none is left.
    private func deliverAll() async throws {
        var backoff = Backoff()
        while !journal.watched.value.undelivered.isEmpty {
            var wait: Duration = .zero
            for entry in journal.watched.value.undelivered {
                do {
                    try await deliver(entry)
                    backoff.succeed()
                } catch let error as CoordinatorCallError {
                    wait = max(wait, backoff.fail(atLeast: error.retryAfter))
                    if backoff.isWorthTelling {
                        log.warning("can't deliver the outcome of job \(entry.jobID) yet: \(error.message)")
                    }
                }
            }
            try await Task.sleep(for: wait)
        }
    }

    private func deliver(_ entry: JournalEntry) async throws {
        for _ in 0..<Self.mostTurns {
            let logBytes = try await sendLog(entry.jobID)
            let request = CompleteRequest(
                epoch: client.session.value?.epoch ?? 0,
                fence: entry.fence,
                outcome: entry.outcome ?? JobOutcome(failure: .lost),
                logBytes: logBytes
            )
            do {
                switch try await client.complete(entry.jobID, request) {
                case .taken: return await acknowledge(entry.jobID, "the coordinator has it")
                case .logMissing(let offset): try logs.log(of: entry.jobID).moveTo(offset)
                }
            } catch let error as CoordinatorCallError {
                switch error.kind {
                case .alreadyCompleted: return await acknowledge(entry.jobID, "the coordinator had it already")
                case .superseded, .rejected:
                    return await acknowledge(entry.jobID, "the coordinator doesn't want it: \(error.message)")
                case .retryable, .unauthorized, .offset: throw error
                }
            }
        }
        throw CoordinatorCallError(
            kind: .retryable(after: .seconds(5)),
            code: "logMissing",
            message: "the coordinator misses bytes of the log of job \(entry.jobID) however often they are sent"
        )
    }

    /// Sends what is left of the log.
    ///
    /// - Returns: the log's length; when the coordinator won't take more of it, as much as it has: a log must not
    ///   stand in the way of an outcome.
    private func sendLog(_ jobID: String) async throws -> Int64 {
        let file: JobLogFile
        do {
            file = try logs.log(of: jobID)
        } catch {
            log.error("the log of job \(jobID) can't be sent: \(error)")
            return 0
        }
        do {
            _ = try await JobLogSender(client: client, log: file).sendPending()
            return file.end
        } catch let error as CoordinatorCallError {
            switch error.kind {
            case .retryable, .unauthorized: throw error
            case .superseded, .alreadyCompleted, .rejected, .offset:
                log.warning("the coordinator doesn't take the log of job \(jobID): \(error.message)")
                return file.end - file.pendingBytes
            }
        }
    }

    private func acknowledge(_ jobID: String, _ why: String) async {
        log.info("outcome of job \(jobID) delivered: \(why)")
        do {
            try await journal.acknowledge(jobID)
        } catch {
            // Known in memory; after a restart it is delivered once more, and the coordinator says that it has it.
            log.error("can't note that the outcome of job \(jobID) is delivered: \(error)")
        }
        logs.close(jobID, needed: journal.watched.value.reports.map(\.jobID))
    }
}
