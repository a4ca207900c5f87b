import BackupModel
import Foundation
import Hummingbird
import Logging

/// What decides and acts, wherever objects and state come from: the conductor, its hands in storage, the agents' logs.
///
/// There is one while a process decides: for its whole life in embedded mode, for a leader's term in cluster mode.
struct CoordinatorCore: Sendable {
    let conductor: Conductor
    let keeper: RepositoryKeeper
    let logs: LogShelf
    let tokens: SessionTokens
    let logger: Logger
    private let work: AsyncStream<Conductor.Work>

    /// Begins a life of the coordinator: its epoch is taken from the store here.
    ///
    /// - Throws: ``StoreError``.
    init(
        store: any Store,
        secrets: any SecretSource,
        logsDirectory: String,
        version: String,
        timings: SessionTimings,
        logger: Logger
    ) throws {
        let stream = AsyncStream.makeStream(of: Conductor.Work.self)
        work = stream.stream
        tokens = SessionTokens(key: try store.secretKey("sessionTokenKey") { Digest.random(32) })
        conductor = try Conductor(
            store: store,
            version: version,
            timings: timings,
            logger: logger,
            clock: Self.now,
            work: stream.continuation
        )
        keeper = RepositoryKeeper(secrets: secrets)
        logs = LogShelf(root: logsDirectory)
        self.logger = logger
    }

    /// The clock on the wall.
    static let now: @Sendable () -> BackupModel.Timestamp = {
        BackupModel.Timestamp(unixMs: Int64(Date().timeIntervalSince1970 * 1000))
    }

    /// The agents' and the people's side of the server.
    func router(agents: any AgentAuthenticator, people: any PeopleAuthorizer) -> Router<BasicRequestContext> {
        let router = Router(context: BasicRequestContext.self)
        router.add(middleware: ErrorAnswers(logger: logger))
        router.get("/healthz") { _, _ in "ok\n" }
        let conductor = conductor
        router.get("/readyz") { _, _ -> String in
            guard await !conductor.isDraining else {
                throw RequestError(
                    status: 503,
                    code: "draining",
                    message: "the coordinator is shutting down",
                    isRetryable: true
                )
            }
            return "ok\n"
        }
        AgentAPI(
            conductor: conductor,
            keeper: keeper,
            logs: logs,
            tokens: tokens,
            authenticator: agents,
            logger: logger
        ).add(to: router)
        PeopleAPI(conductor: conductor, keeper: keeper, logs: logs, authorizer: people, logger: logger).add(to: router)
        return router
    }

    /// Effects, time and lock files, until the task is cancelled.
    func run() async {
        let performer = EffectPerformer(conductor: conductor, keeper: keeper, logs: logs, logger: logger)
        await withTaskGroup { group in
            group.addTask { await performer.run(self.work) }
            group.addTask { await self.ticks() }
            group.addTask { await self.refreshLocks() }
        }
    }
}
