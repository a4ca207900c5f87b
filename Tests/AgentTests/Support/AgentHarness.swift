import BackupModel
import Engines
import Foundation
import Logging
import ObjectStorage
import Repository
import ServiceLifecycle
import TestSupport

@testable import Agent

/// A scripted coordinator, a repository in a directory, and an agent between them.
struct AgentHarness: Sendable {
    static let session = "shop/orders-1"

    let directory: TestDirectory
    let coordinator: ScriptedCoordinator
    let repositoryPath: String

    /// Makes the surroundings, and takes them away afterwards.
    static func with<Result>(
        _ name: String = "agent",
        script:
            @escaping @Sendable (ScriptedCoordinator.Request, ScriptedCoordinator.State) ->
            ScriptedCoordinator.Reply = { _, _ in .normal },
        _ body: (AgentHarness) async throws -> Result
    ) async throws -> Result {
        try await withTestDirectory(name) { directory in
            let coordinator = try ScriptedCoordinator(script: script)
            defer { coordinator.close() }
            let path = directory.appending("repository")
            let password = try RepositoryPassword(trimming: coordinator.seen.credentials.repositoryPassword)
            // The least that the key derivation allows: what a password costs is not what is tested here.
            let kdf = KDFParameters(n: 1024, r: 1, p: 1)
            _ = try await Repository.initialize(at: try DirectoryStore(path: path), password: password, kdf: kdf)
            try directory.write("enrolment-secret\n", to: "enrolment.token")
            return try await body(
                AgentHarness(directory: directory, coordinator: coordinator, repositoryPath: path)
            )
        }
    }

    /// Runs an agent while `body` runs, then ends it as SIGTERM would.
    func runningAgent<Result: Sendable>(
        _ engine: any Engine,
        stateDirectory: String = "state",
        coordinatorURL: String? = nil,
        redactor: Redactor = Redactor(),
        console: LineWriter? = nil,
        reconnect: ReconnectPolicy = ReconnectPolicy(),
        onHealth: @escaping @Sendable (HealthReport) -> Void = { _ in },
        _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        let console = try console ?? LineWriter(descriptor: consoleDescriptor())
        let log = Logger(label: "agent") { label in
            AgentLogHandler(component: label, redactor: redactor, logLevel: .debug, console: console)
        }
        let agent = AgentService(
            configuration: AgentConfiguration(
                coordinatorURL: coordinatorURL ?? coordinator.url,
                enrolmentTokenFile: directory.appending("enrolment.token"),
                stateDirectory: directory.appending(stateDirectory),
                namespace: "shop",
                pod: "mongo-1",
                cluster: "orders",
                version: "test"
            ),
            engine: engine,
            redactor: redactor,
            log: log,
            console: console,
            tuning: AgentService.Tuning(
                memberInterval: .milliseconds(20),
                pace: .milliseconds(5),
                leftoversRetry: .milliseconds(20),
                reconnect: reconnect
            ),
            onHealth: onHealth
        )
        let service = ServiceGroupConfiguration.ServiceConfiguration(
            service: agent,
            successTerminationBehavior: .gracefullyShutdownGroup
        )
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(services: [service], logger: Logger(label: "group"))
        )
        return try await withThrowingTaskGroup(of: Result?.self) { tasks in
            tasks.addTask {
                try await group.run()
                return nil
            }
            tasks.addTask {
                do {
                    let result = try await body()
                    await group.triggerGracefulShutdown()
                    return result
                } catch {
                    await group.triggerGracefulShutdown()
                    throw error
                }
            }
            var result: Result?
            for try await part in tasks { if let part { result = part } }
            guard let result else { throw TestSupportError("the agent ended before the test did") }
            return result
        }
    }

    /// Standard error of the agent goes into a file of the test.
    private func consoleDescriptor() throws -> Int32 {
        let descriptor = open(directory.appending("agent.log"), O_WRONLY | O_CREAT | O_APPEND, 0o600)
        guard descriptor >= 0 else { throw TestSupportError("can't open agent.log") }
        return descriptor
    }

    // MARK: Jobs

    func backup(_ jobID: String, desired: JobDesire = .run, deadlineSeconds: Int = 600) -> DesiredJob {
        DesiredJob(
            jobID: jobID,
            fence: 7,
            desired: desired,
            session: Self.session,
            work: .backup(
                BackupSpec(),
                repositoryURL: repositoryPath,
                snapshotHost: "shop/orders/rs0",
                snapshotTags: ["session=\(Self.session)", "remora"]
            ),
            deadlineSeconds: deadlineSeconds
        )
    }

    func restore(_ jobID: String, snapshotID: String) -> DesiredJob {
        DesiredJob(
            jobID: jobID,
            fence: 7,
            desired: .run,
            session: "shop/restore-1",
            work: .restore(RestoreSpec(snapshotID: snapshotID), repositoryURL: repositoryPath),
            deadlineSeconds: 600
        )
    }

    /// Wants these jobs, and these only.
    func want(_ jobs: DesiredJob...) {
        coordinator.change { $0.jobs = jobs }
    }

    /// The outcome that the coordinator has taken.
    func outcome(_ jobID: String) async throws -> JobOutcome {
        try await eventually("the outcome of \(jobID) has arrived", within: .seconds(60)) {
            coordinator.seen.accepted[jobID]
        }
    }

    /// The job's log as the coordinator has it.
    func log(_ jobID: String) -> [LogLine] {
        let bytes = coordinator.seen.logs[jobID] ?? []
        return bytes.split(separator: 0x0A).compactMap { line in
            try? WireJSON.decode(LogLine.self, from: Array(line))  // a broken line is missed by the test
        }
    }

    /// The repository, opened anew.
    func repository() async throws -> Repository {
        let password = try RepositoryPassword(trimming: coordinator.seen.credentials.repositoryPassword)
        return try await Repository.open(at: try DirectoryStore(path: repositoryPath), password: password)
    }

    /// Snapshots in the repository.
    func snapshots() async throws -> [Snapshot] { try await repository().snapshots().map(\.snapshot) }
}
