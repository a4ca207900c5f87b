import BackupModel
import Engines
import ObjectStorage
import Repository

/// Does the work of one job; everything around it (lease, heartbeats, log) is the runner's.
struct JobWorker: Sendable {
    let engine: any Engine
    let client: CoordinatorClient
    let redactor: Redactor
    let running: RunningJob
    /// The agent's version, for the snapshot.
    let version: String
    /// What buffers may take.
    let memory: MemoryBudget

    private var job: DesiredJob { running.job }

    /// Does what the job says.
    ///
    /// - Returns: how it ended, when it ended well.
    func perform() async throws -> JobOutcome {
        let command = job.work.backup?.command ?? job.work.restore?.command
        if job.work.release == nil, (command != nil) != engine.runsCommands {
            throw AgentError(
                .unsupported,
                command.map {
                    "job \(job.jobID) of session \(job.session) is for Function \($0.function), and this agent is one for "
                        + "\(engine.name), which it knows itself: look at --engine and the AppBinding's type"
                }
                    ?? "job \(job.jobID) of session \(job.session) names no Function, and this agent (\(engine.name)) knows "
                    + "its database by none other: look at --engine and the AppBinding's type"
            )
        }
        if let spec = job.work.backup { return try await backUp(spec) }
        if let spec = job.work.restore { return try await restore(spec) }
        if let spec = job.work.release { return try await release(spec) }
        throw AgentError(
            .unsupported,
            "job \(job.jobID) of session \(job.session) is of a kind that this agent doesn't know: update the agent"
        )
    }

    private func release(_ spec: ReleaseSpec) async throws -> JobOutcome {
        running.report(step: "release \(spec.host)")
        running.log(.info, "release", "releasing the lock of job \(spec.ownerJobID) on \(spec.host)")
        try await engine.release(spec, context: running)
        running.log(.info, "release", "\(spec.host) is unlocked")
        return JobOutcome()
    }

    // MARK: What backup and restore share

    /// The epoch and fence that every call of the job carries.
    var fenced: FencedRequest {
        FencedRequest(epoch: client.session.value?.epoch ?? 0, fence: job.fence)
    }

    /// Opens the job's repository, index and all, with what the coordinator gives for it.
    func openRepository() async throws -> Repository {
        guard let text = job.work.repositoryURL else {
            throw AgentError(
                .unsupported,
                "job \(job.jobID) of session \(job.session) names no repository: coordinator and agent don't fit"
            )
        }
        running.report(step: "open repository")
        let jobID = job.jobID
        let credentials = try await untilAnswered("ask for credentials") {
            try await client.credentials(jobID, fenced)
        }
        redactor.register(credentials.repositoryPassword)
        for (key, value) in credentials.storage where Self.isSecret(key) { redactor.register(value) }
        let location = try StorageLocation(text)
        let logger = running.logger
        let store = try location.open(
            credentials: StorageCredentials(credentials.storage),
            onRetry: { logger.log(.warning, "storage", $0) }
        )
        let password = try RepositoryPassword(trimming: credentials.repositoryPassword)
        let repository = try await Repository.open(at: store, password: password)
        running.report(step: "read repository index")
        try await repository.loadIndex()
        running.log(.info, "repository", "opened \(store.location), id \(repository.id.prefix(8))")
        return repository
    }

    /// Certificates and names are shown to people who have to find a mistake; everything else is a secret.
    private static func isSecret(_ key: String) -> Bool {
        !key.hasPrefix("CA_CERT") && key != "AWS_DEFAULT_REGION"
    }

    /// Makes a call until it is answered; the lease's end stops it.
    func untilAnswered<Value: Sendable>(
        _ what: String,
        _ call: @Sendable () async throws -> Value
    ) async throws -> Value {
        var backoff = Backoff(cap: .seconds(15))
        while true {
            do {
                return try await call()
            } catch let error as CoordinatorCallError {
                guard case .retryable(let after) = error.kind else { throw error }
                let delay = backoff.fail(atLeast: after)
                if backoff.isWorthTelling {
                    running.log(.warning, "coordinator", "can't \(what) yet, trying again: \(error.message)")
                }
                try await Task.sleep(for: delay)
            }
        }
    }
}
