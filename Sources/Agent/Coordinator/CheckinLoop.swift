import BackupModel
import Logging

/// Registers, and keeps one long poll open that tells the agent's state and brings the desired document.
struct CheckinLoop: Sendable {
    /// Shortest time between two check-ins: a member that flaps must not become a load on the coordinator.
    static let pace: Duration = .milliseconds(500)

    let client: CoordinatorClient
    let journal: Journal
    let log: Logger
    let identity: AgentIdentity
    /// PEM file of the authorities that are trusted; nil: the system's.
    let caFile: String?
    let status: Watched<MemberStatus?>
    let problems: Watched<[String: String]>
    let desired: Watched<[DesiredJob]>
    /// Grows when the agent's state changed in a way that the coordinator should know at once.
    let wake: Watched<UInt64>
    var pace = CheckinLoop.pace
    var reconnect = ReconnectPolicy()

    /// What ended a poll.
    private enum Ending: Sendable {
        case document(DesiredDocument)
        case woken
    }

    /// Runs until the task is cancelled.
    func run() async {
        var policy = reconnect
        var revision = ""
        var failures = 0
        while !Task.isCancelled {
            let started = ContinuousClock.now
            do {
                let session = try await currentSession()
                policy.spread = session.reconnectSpread
                if case .document(let document) = try await poll(session, revision) {
                    if failures > 0 { log.info("the coordinator answers again after \(failures) failed calls") }
                    failures = 0
                    policy.succeed()
                    guard document.epoch >= session.epoch else {
                        throw CoordinatorCallError(
                            kind: .retryable(after: .seconds(1)),
                            code: "staleEpoch",
                            message: "a coordinator of epoch \(document.epoch) answered, but \(session.epoch) is known"
                        )
                    }
                    adopt(document)
                    revision = document.revision
                    if let after = document.reconnectAfterMs {
                        var generator = SystemRandomNumberGenerator()
                        let failure = ReconnectPolicy.Failure.draining(after: .milliseconds(after))
                        try await Task.sleep(for: policy.delay(after: failure, using: &generator))
                    }
                }
                try await Task.sleep(until: started + pace, clock: .continuous)
            } catch is CancellationError {
                return
            } catch {
                failures += 1
                let delay = delay(after: error, &policy)
                tell(error, failures, delay)
                do { try await pause(delay, after: error, notBefore: started + pace) } catch { return }
            }
        }
    }

    /// Waits so long; when nobody answered, only until another call is answered: a job may come any moment, and would be
    /// given to somebody else.
    private func pause(
        _ delay: Duration,
        after error: any Error,
        notBefore earliest: ContinuousClock.Instant
    ) async throws {
        guard (error as? CoordinatorCallError)?.code == CoordinatorCallError.noConnection else {
            return try await Task.sleep(for: delay)
        }
        let heard = client.answers.value
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await Task.sleep(for: delay) }
            group.addTask {
                _ = try await client.answers.first { $0 != heard }
                try await Task.sleep(until: earliest, clock: .continuous)
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func delay(after error: any Error, _ policy: inout ReconnectPolicy) -> Duration {
        var generator = SystemRandomNumberGenerator()
        let call = error as? CoordinatorCallError
        let isUnauthorized = call?.kind == .unauthorized
        return policy.delay(
            after: isUnauthorized ? .unauthorized : .retryable(after: call?.retryAfter ?? .zero),
            using: &generator
        )
    }

    /// The first failure is told at once, then ever more seldom.
    private func tell(_ error: any Error, _ failures: Int, _ delay: Duration) {
        guard failures.nonzeroBitCount == 1 else { return }
        log.warning("check-in failed (\(failures) in a row), next in \(delay.formattedSeconds): \(error)")
    }

    // MARK: Registering

    private func currentSession() async throws -> CoordinatorSession {
        if let session = client.session.value, session.renewAt > .now { return session }
        let session: CoordinatorSession
        do {
            var request = RegisterRequest(
                incarnation: identity.incarnation,
                agentVersion: identity.version,
                features: identity.features,
                pod: identity.pod,
                cluster: identity.cluster,
                engine: identity.engine,
                jobs: journal.watched.value.reports,
                unixMs: WallClock.unixMilliseconds()
            )
            request.trustedAuthorities = TrustedAuthorities.fingerprints(of: caFile)
            session = try await client.register(request)
        } catch let error as CoordinatorCallError where error.kind == .unauthorized {
            // Not a token that has run out, but an enrolment secret that isn't known: nothing to be done at once.
            throw CoordinatorCallError(
                kind: .retryable(after: .zero),
                code: error.code,
                message: "\(error.message); check the enrolment token file"
            )
        }
        log.info("registered as \(identity.pod.namespace)/\(identity.pod.name), epoch \(session.epoch)")
        return session
    }

    // MARK: Polling

    private func poll(_ session: CoordinatorSession, _ revision: String) async throws -> Ending {
        let seen = wake.value
        let untilRenewal = ContinuousClock.now.duration(to: session.renewAt).components.seconds
        var request = CheckinRequest(
            epoch: session.epoch,
            ackRevision: revision,
            waitSeconds: max(1, min(session.pollSeconds, Int(untilRenewal))),
            member: memberStatus(),
            jobs: journal.watched.value.reports
        )
        request.trustedAuthorities = TrustedAuthorities.fingerprints(of: caFile)
        let (checkin, reported) = (request, request.jobs)
        return try await withThrowingTaskGroup(of: Ending.self) { group in
            group.addTask {
                do {
                    return .document(try await client.checkin(checkin, token: session.token))
                } catch let error as CoordinatorCallError where error.kind == .unauthorized {
                    client.dropSession(session.token)
                    throw error
                }
            }
            group.addTask {
                _ = try await wake.first { $0 != seen }
                return .woken
            }
            group.addTask {
                _ = try await journal.watched.first { $0.reports != reported }
                return .woken
            }
            group.addTask {
                _ = try await client.session.first { $0?.token != session.token }
                return .woken
            }
            defer { group.cancelAll() }
            return try await group.next() ?? .woken
        }
    }

    private func memberStatus() -> MemberStatus {
        var status = self.status.value ?? MemberStatus(isReachable: false, problems: ["not looked at yet"])
        status.problems += problems.value.sorted { $0.key < $1.key }.map(\.value)
        return status
    }

    private func adopt(_ document: DesiredDocument) {
        client.session.update { session in
            let known = session?.epoch ?? 0
            session?.epoch = max(document.epoch, known)
        }
        if document.jobs != desired.value {
            log.debug("desired: \(document.jobs.map { "\($0.jobID) \($0.desired.rawValue)" })")
        }
        desired.set(document.jobs)
    }
}
