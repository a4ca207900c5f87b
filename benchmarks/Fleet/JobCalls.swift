import BackupModel
import NIOHTTP1
import Synchronization

/// The calls of one job, over one connection as long as the coordinator leaves it open.
final class JobCalls: Sendable {
    private static let attempts = 6

    private let job: DesiredJob
    private let fleet: FleetSettings
    private let session: @Sendable () -> (token: String, epoch: Int64)
    private let link = Mutex<Link?>(nil)
    private let nextHeartbeat = Mutex(Duration.seconds(15))

    init(
        _ job: DesiredJob,
        _ fleet: FleetSettings,
        session: @escaping @Sendable () -> (token: String, epoch: Int64)
    ) {
        self.job = job
        self.fleet = fleet
        self.session = session
    }

    func close() { link.withLock { $0 }?.close() }

    /// Says that the job is alive.
    func heartbeat(lock: LockReport?) async throws {
        let answer: HeartbeatResponse = try await post(AgentProtocol.heartbeatPath(job.jobID)) {
            HeartbeatRequest(
                epoch: $0,
                fence: self.job.fence,
                progress: JobProgress(step: "dump shop.orders", bytesDone: 1 << 20, bytesTotal: 1 << 30),
                lock: lock
            )
        }
        nextHeartbeat.withLock { $0 = .milliseconds(max(10, answer.nextHeartbeatMs)) }
    }

    /// Asks for what opens the repository.
    func credentials() async throws -> JobCredentials {
        try await post(AgentProtocol.credentialsPath(job.jobID)) { FencedRequest(epoch: $0, fence: self.job.fence) }
    }

    /// Lets time pass with heartbeats; the first tells of the lock and is sent at once, as one that is urgent.
    func work(for duration: Duration, lock: LockReport?) async throws {
        let end = ContinuousClock.now + duration
        if lock != nil { try await heartbeat(lock: lock) }
        while true {
            let due = ContinuousClock.now + nextHeartbeat.withLock { $0 }
            try await Task.sleep(until: min(due, end), clock: .continuous)
            if ContinuousClock.now >= end { return }
            try await heartbeat(lock: lock)
        }
    }

    /// Sends the log and asks for the permit.
    ///
    /// - Returns: what is to be reported.
    func publish(_ result: BackupResult, lock: LockReport?) async throws -> JobOutcome {
        let log = try Self.log(job)
        let _: LogResponse = try await exchange { link, token in
            try await link.send(
                .PATCH,
                AgentProtocol.logPath(self.job.jobID),
                token: token,
                log,
                contentType: "application/x-ndjson",
                headers: [("Content-Range", "bytes 0-\(log.count - 1)/*")]
            )
        }
        let _: PrepareCommitResponse = try await post(AgentProtocol.prepareCommitPath(job.jobID)) {
            PrepareCommitRequest(epoch: $0, fence: self.job.fence, result: result)
        }
        var published = result
        published.snapshotID = String(repeating: "0", count: 32) + job.jobID
        var outcome = JobOutcome(backup: published)
        outcome.lock = lock
        outcome.lock?.isHeld = false
        outcome.lock?.endReason = "dump finished"
        return outcome
    }

    /// Says that the job is over.
    func complete(_ outcome: JobOutcome) async throws {
        let bytes = Int64(try Self.log(job).count)
        let _: [String: String] = try await post(AgentProtocol.completePath(job.jobID)) {
            CompleteRequest(epoch: $0, fence: self.job.fence, outcome: outcome, logBytes: bytes)
        }
    }

    private static func log(_ job: DesiredJob) throws -> [UInt8] {
        try ["begin", "dump", "done"].flatMap { word in
            let line = LogLine(t: 0, level: "info", component: "job", message: "job \(job.jobID): \(word)")
            return try WireJSON.encode(line) + [UInt8(ascii: "\n")]
        }
    }

    // MARK: The way of a call

    private func post<Answer: Decodable>(
        _ path: String,
        _ request: (Int64) -> some Encodable
    ) async throws -> Answer {
        let body = try WireJSON.encode(request(session().epoch))
        return try await exchange { try await $0.send(.POST, path, token: $1, body) }
    }

    /// Makes a call, again if it broke or was put off, as every call of an agent may be.
    private func exchange<Answer: Decodable>(_ send: (Link, String) async throws -> Reply) async throws -> Answer {
        for attempt in 1... {
            let start = ContinuousClock.now
            do {
                let answer: Answer = try Link.decode(try await send(try await openLink(), session().token))
                fleet.records.called(since: start)
                return answer
            } catch let failure as CallFailure {
                try Task.checkCancellation()
                fleet.records.failed("\(failure.name) (job)")
                let isPassing = !failure.name.hasPrefix("4") || failure.name == CallFailure.unauthorized
                guard isPassing, attempt < Self.attempts else { throw failure }
                try await Task.sleep(for: failure.retryAfter + .seconds(1))
            }
        }
        throw CallFailure(name: "never")
    }

    private func openLink() async throws -> Link {
        if let known = link.withLock({ $0 }), known.isOpen { return known }
        let fresh = try await Link.open(fleet.port)
        link.withLock { $0 = fresh }
        return fresh
    }
}
