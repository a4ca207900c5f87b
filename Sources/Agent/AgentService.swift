import BackupModel
public import Engines
import HTTPClient
public import Logging
public import ServiceLifecycle

/// The agent: releases what an earlier process left on the member, then works for the coordinator until it is asked
/// to end.
public struct AgentService: Service {
    /// How long the first release of leftovers may hold up registering: an agent that can't reach its database must
    /// still be seen.
    static let patienceWithLeftovers: Duration = .seconds(15)
    /// How long the last outcomes may take when the process is asked to end: well inside a pod's 30 s.
    static let patienceAtEnd: Duration = .seconds(8)

    private let configuration: AgentConfiguration
    private let engine: any Engine
    private let redactor: Redactor
    private let log: Logger
    private let console: LineWriter
    private let tuning: Tuning
    private let onIdle: @Sendable () -> Void
    private let onHealth: @Sendable (HealthReport) -> Void

    /// How often the agent says how it is; the supervisor worries after six times that.
    static let healthInterval: Duration = .seconds(5)

    /// Intervals that tests shorten.
    struct Tuning: Sendable {
        var memberInterval = MemberMonitor.interval
        var pace = CheckinLoop.pace
        var leftoversRetry: Duration = .seconds(5)
        var reconnect = ReconnectPolicy()
    }

    /// Makes an agent.
    ///
    /// - Parameters:
    ///   - configuration: valid, see `AgentConfiguration.validate`.
    ///   - engine: for the member beside the agent.
    ///   - redactor: knows the secrets; learns those of the jobs.
    ///   - log: for what isn't a job's.
    ///   - onIdle: called when a job is over: gives back the memory that it needed.
    ///   - onHealth: called every few seconds as long as the agent lives, with how it is.
    public init(
        configuration: AgentConfiguration,
        engine: any Engine,
        redactor: Redactor,
        log: Logger,
        onIdle: @escaping @Sendable () -> Void = {},
        onHealth: @escaping @Sendable (HealthReport) -> Void = { _ in }
    ) {
        self.init(
            configuration: configuration,
            engine: engine,
            redactor: redactor,
            log: log,
            console: AgentLogHandler.console,
            tuning: Tuning(),
            onIdle: onIdle,
            onHealth: onHealth
        )
    }

    init(
        configuration: AgentConfiguration,
        engine: any Engine,
        redactor: Redactor,
        log: Logger,
        console: LineWriter,
        tuning: Tuning,
        onIdle: @escaping @Sendable () -> Void = {},
        onHealth: @escaping @Sendable (HealthReport) -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.engine = engine
        self.redactor = redactor
        self.log = log
        self.console = console
        self.tuning = tuning
        self.onIdle = onIdle
        self.onHealth = onHealth
    }

    /// Works until graceful shutdown.
    ///
    /// - Throws: `AgentError` when the agent can't begin: its configuration, its state directory.
    public func run() async throws {
        try configuration.validate()
        let directory = try StateDirectory(configuration.stateDirectory)
        let knownJobs = LogDirectory.files(in: directory.logs).map(\.jobID)
        let (journal, problem) = try await Journal.open(directory: directory.path, knownJobIDs: knownJobs)
        if let problem { log.error("\(problem)") }
        for entry in journal.watched.value.undelivered where entry.isLost {
            log.warning("job \(entry.jobID) of session \(entry.session) was running when an earlier process died")
        }
        let identity = AgentIdentity(
            configuration,
            engine: engine.name,
            podUID: try configuration.podUID ?? directory.persistentUID()
        )
        let parts = Parts(self, directory: directory, journal: journal, identity: identity)
        if let problem { parts.problems.update { $0["journal.file"] = problem } }
        await work(parts)
        withExtendedLifetime(directory) {}
    }

    private func work(_ parts: Parts) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await gracefulShutdown()
                    log.info("asked to end")
                } catch {
                    // Cancelled: the same, in more of a hurry.
                }
                parts.isStopping.set(true)
                parts.desired.touch()
            }
            group.addTask { await tellHealth(parts) }
            group.addTask { await parts.monitor.run() }
            group.addTask { await releaseLeftovers(parts) }
            group.addTask {
                await firstLookAndRelease(parts)
                await parts.checkinLoop.run()
            }
            group.addTask { await parts.courier.run() }
            await parts.runner.run()
            await deliverTheLast(parts)
            await deregister(parts)
            group.cancelAll()
        }
    }

    /// Says how the agent is until it ends.
    private func tellHealth(_ parts: Parts) async {
        while !Task.isCancelled {
            let sentence = HealthSentence.make(
                member: parts.status.value,
                isRegistered: parts.client.session.value != nil,
                jobs: parts.journal.watched.value.reports.filter { $0.state == .running }.map(\.jobID)
            )
            onHealth(HealthReport(.healthy, redactor.redact(sentence)))
            do { try await Task.sleep(for: Self.healthInterval) } catch { return }
        }
    }

    // MARK: The beginning

    /// Until what an earlier process left is released, no job begins.
    private func releaseLeftovers(_ parts: Parts) async {
        while !Task.isCancelled {
            do {
                for sentence in try await engine.releaseLeftovers() { log.warning("leftover released: \(sentence)") }
                parts.problems.update { $0["leftovers"] = nil }
                parts.leftoversReleased.set(true)
                parts.leftoversTried.set(true)
                parts.desired.touch()
                return
            } catch is CancellationError {
                return
            } catch {
                let sentence = "what an earlier process left on the member can't be released yet: \(error)"
                log.error("\(sentence)")
                let redacted = redactor.redact(sentence)
                parts.problems.update { $0["leftovers"] = redacted }
                parts.leftoversTried.set(true)
                do { try await Task.sleep(for: tuning.leftoversRetry) } catch { return }
            }
        }
    }

    private func firstLookAndRelease(_ parts: Parts) async {
        await within(Self.patienceWithLeftovers) {
            _ = try await parts.leftoversTried.first { $0 }
            _ = try await parts.status.first { $0 != nil }
        }
    }

    // MARK: The end

    private func deliverTheLast(_ parts: Parts) async {
        await within(Self.patienceAtEnd) {
            _ = try await parts.journal.watched.first { $0.undelivered.isEmpty }
        }
        let left = parts.journal.watched.value.undelivered.count
        if left > 0 { log.warning("\(left) outcomes stay in the journal for the next process to deliver") }
    }

    private func deregister(_ parts: Parts) async {
        guard let session = parts.client.session.value else { return }
        do {
            try await parts.client.deregister(token: session.token)
            log.info("deregistered")
        } catch {
            log.warning("can't deregister: \(error)")
        }
    }

    /// Runs `body` for at most `limit`.
    private func within(_ limit: Duration, _ body: @escaping @Sendable () async throws -> Void) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do { try await body() } catch {}  // cancelled: the time is up, which is what was asked for
            }
            group.addTask {
                do { try await Task.sleep(for: limit) } catch {}  // cancelled: the body was faster
            }
            await group.next()
            group.cancelAll()
        }
    }
}

extension AgentService {
    /// Everything that lives as long as the process, wired.
    fileprivate struct Parts: Sendable {
        let client: CoordinatorClient
        let journal: Journal
        let monitor: MemberMonitor
        let checkinLoop: CheckinLoop
        let runner: JobRunner
        let courier: OutcomeCourier
        let status = Watched<MemberStatus?>(nil)
        let problems = Watched<[String: String]>([:])
        let desired = Watched<[DesiredJob]>([])
        let leftoversReleased = Watched(false)
        let leftoversTried = Watched(false)
        let isStopping = Watched(false)

        init(_ agent: AgentService, directory: StateDirectory, journal: Journal, identity: AgentIdentity) {
            let configuration = agent.configuration
            let redactor = agent.redactor
            let wake = Watched<UInt64>(0)
            self.journal = journal
            client = CoordinatorClient(
                baseURL: configuration.coordinatorURL,
                http: HTTPClient(HTTPClientConfiguration(caFile: configuration.caFile)),
                enrolmentToken: { try AgentService.readToken(configuration.enrolmentTokenFile, redactor) }
            )
            monitor = MemberMonitor(
                engine: agent.engine,
                status: status,
                wake: wake,
                log: agent.log,
                interval: agent.tuning.memberInterval
            )
            checkinLoop = CheckinLoop(
                client: client,
                journal: journal,
                log: agent.log,
                identity: identity,
                caFile: configuration.caFile,
                status: status,
                problems: problems,
                desired: desired,
                wake: wake,
                pace: agent.tuning.pace,
                reconnect: agent.tuning.reconnect
            )
            let logs = JobLogs(directory: directory.logs)
            runner = JobRunner(
                engine: agent.engine,
                client: client,
                journal: journal,
                logs: logs,
                redactor: redactor,
                console: agent.console,
                log: agent.log,
                version: configuration.version,
                memory: configuration.memory,
                desired: desired,
                leftoversReleased: leftoversReleased,
                isStopping: isStopping,
                problems: problems,
                onIdle: agent.onIdle
            )
            courier = OutcomeCourier(client: client, journal: journal, logs: logs, log: agent.log)
        }
    }

    private static func readToken(_ path: String, _ redactor: Redactor) throws -> String {
        let directory = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        let name = path.split(separator: "/", omittingEmptySubsequences: false).last.map(String.init) ?? path
        let file = DurableFile(directory: path.contains("/") ? directory : ".", name: name)
        let token = try file.read().map { String(decoding: $0, as: UTF8.self).filter { !$0.isWhitespace } } ?? ""
        guard !token.isEmpty else {
            throw AgentError(
                .invalidConfiguration,
                "the enrolment token file \(path) is missing or empty: copy the coordinator's there"
            )
        }
        redactor.register(token)
        return token
    }
}
