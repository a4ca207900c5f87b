import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Injector
public import Logging
public import ServiceLifecycle
import Synchronization

/// The admission webhook on its own address, with its certificate renewed and its readiness proven by a question to
/// itself.
public final class WebhookServer: Service {
    private let configuration: WebhookConfiguration
    private let logger: Logger
    private let now: @Sendable () -> ContinuousClock.Instant
    private let isProven = Mutex(false)
    private let isEnding = Mutex(false)
    /// The certificate, which the agents' server may serve too.
    public let certificates: CertificateKeeper
    /// What was answered.
    public let counters = WebhookCounters()

    /// Makes a server; nothing is opened yet.
    ///
    /// - Parameters:
    ///   - configuration: where and what.
    ///   - clock: seconds since 1970.
    ///   - logger: for decisions and problems.
    public convenience init(
        _ configuration: WebhookConfiguration,
        clock: @escaping @Sendable () -> Int64,
        logger: Logger
    ) {
        self.init(configuration, clock: clock, logger: logger) { .now }
    }

    init(
        _ configuration: WebhookConfiguration,
        clock: @escaping @Sendable () -> Int64,
        logger: Logger,
        now: @escaping @Sendable () -> ContinuousClock.Instant
    ) {
        self.configuration = configuration
        self.logger = logger
        self.now = now
        certificates = CertificateKeeper(
            configuration.certificates,
            names: configuration.allNames,
            clock: clock,
            logger: logger
        )
    }

    /// Whether the API server would have an answer.
    public var isReady: Bool { isProven.withLock(\.self) && !isEnding.withLock(\.self) }

    /// Serves until it is told to stop, and then a little longer: whoever sends questions hears of it later than we do.
    ///
    /// - Throws: ``CoordinatorError`` when the address can't be used.
    public func run() async throws {
        try await awaitCertificate()
        guard let tls = certificates.serving.configuration() else { return }
        let router = Router(context: BasicRequestContext.self)
        router.add(middleware: ErrorAnswers(logger: logger))
        WebhookAPI(
            injector: AgentInjector(configuration.injector),
            namespaces: configuration.namespaces,
            counters: counters,
            isReady: { [weak self] in self?.isReady ?? false },
            logger: logger,
            now: now
        ).add(to: router)
        var quiet = logger
        quiet.logLevel = max(.warning, logger.logLevel)
        let application = Application(
            router: router,
            server: try HTTPServerBuilder.tls(.http1(), tlsConfiguration: tls),
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.listen.host, port: configuration.listen.port),
                serverName: "remora"
            ),
            logger: quiet
        )
        logger.notice("admission webhook on https://\(configuration.listen)")
        let service = HTTPService(
            application: application,
            address: configuration.listen,
            purpose: "the webhook ",
            lingering: configuration.lingering
        ) {
            self.isEnding.withLock { $0 = true }
        }
        try await withThrowingTaskGroup(of: Bool.self) { tasks in
            tasks.addTask {
                try await service.run()
                return true
            }
            tasks.addTask {
                await self.watch()
                return false
            }
            defer { tasks.cancelAll() }
            while let isServer = try await tasks.next(), !isServer {}
        }
    }

    /// Waits until there is a certificate to serve.
    ///
    /// - Throws: `CancellationError` when the task is cancelled.
    public func awaitCertificate() async throws {
        while certificates.serving.generation == 0 {
            do {
                return try await certificates.refresh()
            } catch {
                logger.error("there is no certificate for the webhook yet: \(error)")
            }
            try await Task.sleep(for: .seconds(2))
        }
    }

    /// Renews the certificate, and proves every one that is served.
    private func watch() async {
        var proven = 0
        var pause = Duration.milliseconds(50)
        while !Task.isCancelled {
            let generation = certificates.serving.generation
            if proven != generation {
                let isGood = await prove()
                isProven.withLock { $0 = isGood }
                if isGood { proven = generation }
                // The server begins at the same time as the first question: soon again, then ever more seldom.
                pause = isGood ? CertificateKeeper.interval : min(pause * 2, CertificateKeeper.interval)
            }
            // Cancelled means that the server ends.
            try? await Task.sleep(for: pause)
            do {
                try await certificates.refresh()
            } catch {
                if Task.isCancelled { return }
                logger.error("the webhook's certificate could not be looked at, the one from before stays: \(error)")
            }
        }
    }

    private func prove() async -> Bool {
        let test = WebhookSelfTest(
            address: configuration.listen,
            name: configuration.names.first ?? "localhost",
            bundle: certificates.bundle
        )
        do {
            try await test.run()
            return true
        } catch {
            if !Task.isCancelled { logger.warning("the webhook isn't ready yet: \(error)") }
            return false
        }
    }
}
