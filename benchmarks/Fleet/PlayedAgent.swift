import Agent
import BackupModel
import Foundation
import Synchronization

/// One agent as the coordinator sees it: a process beside a member that answers and never changes.
///
/// Played with the messages of `BackupModel`, over connections of its own: registering; the check-in that waits, with a new
/// connection each time as the coordinator demands, broken off and made again when a job begins or ends, at most twice a
/// second; the wait after a failure, which is the real agent's own policy; and of a job: heartbeats at once and as often as
/// they are asked for, a lock that is reported and given back, credentials, a log of three lines, prepare-commit,
/// complete. Not played: the member, the data, journal and lease, registering again after most of an hour.
final class PlayedAgent: Sendable {
    /// The real agent's pause between two check-ins.
    private static let pace = Duration.milliseconds(500)

    private struct State {
        var token: String?
        var epoch: Int64 = 0
        var pollSeconds = 20
        var spread = Duration.seconds(5)
        var reports: [String: JobReport] = [:]
        /// Grows with every change that the coordinator should know at once.
        var changes = 0
        var poll: Link?
    }

    let uid: String
    private let pod: String
    private let cluster: String
    private let member: MemberStatus
    private let fleet: FleetSettings
    private let state = Mutex(State())

    init(pod: String, cluster: String, member: MemberStatus, _ fleet: FleetSettings) {
        uid = "\(pod)-uid"
        self.pod = pod
        self.cluster = cluster
        self.member = member
        self.fleet = fleet
    }

    /// Plays until the task is cancelled.
    func run() async {
        await withDiscardingTaskGroup { jobs in
            var policy = ReconnectPolicy()
            var revision = ""
            while !Task.isCancelled {
                let started = ContinuousClock.now
                do {
                    let token = try await token()
                    policy.spread = state.withLock { $0.spread }
                    if let document = try await poll(token, revision) {
                        policy.succeed()
                        revision = document.revision
                        for job in adopt(document) { jobs.addTask { await self.work(job) } }
                    }
                    try await Task.sleep(until: started + Self.pace, clock: .continuous)
                } catch is CancellationError {
                    return
                } catch {
                    if Task.isCancelled { return }
                    let wait = delay(after: error, &policy)
                    // Cancelled: the loop ends.
                    try? await Task.sleep(for: wait)
                }
            }
        }
    }

    private func delay(after error: any Error, _ policy: inout ReconnectPolicy) -> Duration {
        let failure = error as? CallFailure ?? CallFailure(name: "\(error)")
        fleet.records.failed(failure.name)
        let isUnauthorized = failure.name == CallFailure.unauthorized
        if isUnauthorized { state.withLock { $0.token = nil } }
        var generator = SystemRandomNumberGenerator()
        return policy.delay(
            after: isUnauthorized ? .unauthorized : .retryable(after: failure.retryAfter),
            using: &generator
        )
    }

    // MARK: Registering and checking in

    private func token() async throws -> String {
        if let token = state.withLock({ $0.token }) { return token }
        let link = try await Link.open(fleet.port)
        defer { link.close() }
        let answer: RegisterResponse = try await link.call(
            AgentProtocol.registerPath,
            RegisterRequest(
                incarnation: "\(uid)-1",
                agentVersion: RemoraVersion.current,
                features: ["backup.mongodb"],
                pod: PodIdentity(namespace: FleetObjects.namespace, name: pod, uid: uid),
                cluster: cluster,
                engine: "mongodb",
                jobs: state.withLock { Array($0.reports.values) },
                unixMs: WallClock.now
            ),
            token: fleet.enrolmentToken
        )
        state.withLock { state in
            state.token = answer.sessionToken
            state.epoch = max(state.epoch, answer.epoch)
            state.pollSeconds = answer.pollSeconds
            state.spread = .milliseconds(answer.reconnectSpreadMs)
        }
        return answer.sessionToken
    }

    /// Waits for the desired document; nil when something changed here that the coordinator should know first.
    private func poll(_ token: String, _ revision: String) async throws -> DesiredDocument? {
        let (request, seen) = state.withLock { state in
            let request = CheckinRequest(
                epoch: state.epoch,
                ackRevision: revision,
                waitSeconds: state.pollSeconds,
                member: member,
                jobs: state.reports.values.sorted { $0.jobID < $1.jobID }
            )
            return (request, state.changes)
        }
        let link = try await Link.open(fleet.port)
        defer { link.close() }
        let isNews = state.withLock { state in
            state.poll = link
            return state.changes != seen
        }
        if isNews { return nil }
        do {
            return try await link.call(AgentProtocol.checkinPath, request, token: token)
        } catch {
            if state.withLock({ $0.changes != seen }) { return nil }
            throw error
        }
    }

    /// Takes a document in.
    ///
    /// - Returns: the jobs that are new.
    private func adopt(_ document: DesiredDocument) -> [DesiredJob] {
        fleet.records.heard(uid, epoch: document.epoch)
        return state.withLock { state in
            state.epoch = max(state.epoch, document.epoch)
            let fresh = document.jobs.filter { $0.desired == .run && state.reports[$0.jobID] == nil }
            for job in fresh {
                state.reports[job.jobID] = JobReport(jobID: job.jobID, state: .running, fence: job.fence)
            }
            return fresh
        }
    }

    private func change(_ body: (inout [String: JobReport]) -> Void) {
        state.withLock { state in
            body(&state.reports)
            state.changes += 1
            return state.poll
        }?.close()
    }

    // MARK: A job

    private func work(_ job: DesiredJob) async {
        let calls = JobCalls(job, fleet) { self.state.withLock { ($0.token ?? "", $0.epoch) } }
        do {
            try await calls.heartbeat(lock: nil)
            fleet.records.isRunning(job.jobID)
            _ = try await calls.credentials()
            let consistency = job.work.backup?.consistency ?? .oplog
            let lock = consistency == .lock ? LockReport(host: member.host ?? pod, isHeld: true) : nil
            try await calls.work(for: fleet.jobDuration, lock: lock)
            let outcome = try await calls.publish(result(consistency), lock: lock)
            change { $0[job.jobID]?.state = .finished }
            try await calls.complete(outcome)
            fleet.records.isCompleted(job.jobID)
        } catch {
            if !Task.isCancelled { fleet.records.failed("job lost: \(error)") }
        }
        calls.close()
        change { $0[job.jobID] = nil }
    }

    private func result(_ consistency: Consistency) -> BackupResult {
        BackupResult(
            engine: "mongodb",
            group: member.group ?? "standalone",
            host: member.host ?? pod,
            serverVersion: member.version ?? "",
            guarantee: .groupCut,
            consistency: consistency,
            namespaces: 10,
            documents: 1_000_000,
            bytes: 1 << 30
        )
    }
}

/// The wall clock, which schedules go by.
enum WallClock {
    /// Milliseconds since 1970.
    static var now: Int64 { Int64(Date().timeIntervalSince1970 * 1000) }
}
