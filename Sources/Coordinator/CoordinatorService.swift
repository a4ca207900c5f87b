import BackupModel
import Foundation
import Hummingbird
import HummingbirdCore
public import Logging
import NIOSSL
public import ServiceLifecycle
import Synchronization

/// What a coordinator needs to know to start.
public struct CoordinatorConfiguration: Sendable {
    /// Directory of YAML files with objects.
    public var objectsDirectory: String
    /// Directory of secrets: `DIR/<namespace>/<secret>/<entry>` or `DIR/<secret>/<entry>`.
    public var secretsDirectory: String
    /// Directory for the coordinator's own state; made if it is missing.
    public var stateDirectory: String
    /// Where to listen.
    public var listen: ListenAddress
    /// PEM files of certificate chain and key; needed unless only this machine can connect.
    public var tls: (certificate: String, key: String)?
    /// File with the secret that agents register with; made if it is missing.
    public var enrolmentTokenFile: String
    /// Version to show.
    public var version: String
    /// Leases and intervals; the defaults are for production.
    public var timings = SessionTimings()
    /// The admission webhook, whose certificate is then the one that agents see too; nil: there is none.
    public var webhook: WebhookConfiguration?

    /// Makes a configuration.
    public init(
        objectsDirectory: String,
        secretsDirectory: String,
        stateDirectory: String,
        listen: ListenAddress,
        tls: (certificate: String, key: String)? = nil,
        enrolmentTokenFile: String,
        version: String
    ) {
        self.objectsDirectory = objectsDirectory
        self.secretsDirectory = secretsDirectory
        self.stateDirectory = stateDirectory
        self.listen = listen
        self.tls = tls
        self.enrolmentTokenFile = enrolmentTokenFile
        self.version = version
    }
}

/// The coordinator can't start: one sentence a line, and the exit code that says which kind of reason it is.
public struct CoordinatorError: Error, Sendable, CustomStringConvertible {
    /// Why, as `sysexits.h` names it.
    public enum Kind: Int32, Sendable, CaseIterable {
        /// Objects, secrets or options make no sense.
        case configuration = 78
        /// The state directory or the address can't be used.
        case unavailable = 69
    }

    /// Which kind.
    public var kind: Kind
    /// What was attempted, why it failed, what to do.
    public var description: String

    /// Makes an error.
    public init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}

/// The coordinator: schedules, sessions, the fleet, and the server that agents and people talk to.
public final class CoordinatorService: Service {
    let configuration: CoordinatorConfiguration
    let logger: Logger
    let directory: ObjectDirectory
    let secrets: any SecretSource
    private let loaded: ObjectDirectory.Loaded
    /// What was last read, and what is wrong with it.
    let objectState: Mutex<ObjectState>
    let core: CoordinatorCore
    private let enrolmentToken: [UInt8]
    private let adminToken: [UInt8]
    private let tls: TLSConfiguration?
    private let webhook: WebhookServer?

    /// Checks everything that can be checked before anything is started.
    ///
    /// - Throws: ``CoordinatorError``.
    public init(_ configuration: CoordinatorConfiguration, logger: Logger) throws {
        self.configuration = configuration
        self.logger = logger
        guard configuration.tls != nil || configuration.listen.isLoopback || configuration.webhook != nil else {
            throw CoordinatorError(
                .configuration,
                "--listen \(configuration.listen) can be reached from other machines, and without TLS everybody in "
                    + "between could read repository passwords: give --tls-certificate and --tls-key, or listen on 127.0.0.1"
            )
        }
        tls = try configuration.tls.map { try CoordinatorServer.tls(certificate: $0.certificate, key: $0.key) }
        directory = ObjectDirectory(path: configuration.objectsDirectory)
        secrets = SecretDirectory(path: configuration.secretsDirectory)
        loaded = directory.load()
        objectState = Mutex(ObjectState(fingerprint: loaded.fingerprint))
        guard loaded.problems.isEmpty else {
            throw CoordinatorError(.configuration, loaded.problems.map(\.description).joined(separator: "\n"))
        }
        let files = StateFiles(directory: configuration.stateDirectory)
        try files.prepare()
        enrolmentToken = try files.token(configuration.enrolmentTokenFile)
        adminToken = try files.token("\(configuration.stateDirectory)/admin.token")
        do {
            core = try CoordinatorCore(
                store: try SQLiteStore(path: "\(configuration.stateDirectory)/coordinator.sqlite"),
                secrets: secrets,
                logsDirectory: "\(configuration.stateDirectory)/logs",
                version: configuration.version,
                timings: configuration.timings,
                logger: logger
            )
        } catch let error as StoreError {
            throw CoordinatorError(.unavailable, error.description)
        }
        webhook = configuration.webhook.map {
            WebhookServer($0, clock: { CoordinatorCore.now().unixMs / 1000 }, logger: logger)
        }
    }

    /// Runs until it is told to stop; open polls are answered then, sessions go on at the next start.
    public func run() async throws {
        let conductor = core.conductor
        await conductor.setObjects(loaded.objects, problems: await secretProblems(loaded.objects))
        try await conductor.start()
        try await webhook?.awaitCertificate()
        let application = Application(
            router: core.router(
                agents: SharedSecretAuthenticator(secret: enrolmentToken, logger: logger),
                people: AdminTokenAuthorizer(
                    adminToken: adminToken,
                    isReadableWithoutToken: configuration.listen.isLoopback
                )
            ),
            server: try CoordinatorServer.builder(webhook?.certificates.serving.configuration() ?? tls),
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.listen.host, port: configuration.listen.port),
                serverName: "remora"
            ),
            logger: CoordinatorServer.quiet(logger)
        )
        let scheme = tls == nil && webhook == nil ? "http" : "https"
        logger.notice(
            "remora-coordinator \(configuration.version) on \(scheme)://\(configuration.listen), epoch \(conductor.identity.epoch), \(loaded.objects.configurations.count) configurations, \(loaded.objects.bindings.count) targets"
        )
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await HTTPService(application: application, address: self.configuration.listen).run()
                return true
            }
            if let webhook {
                group.addTask {
                    try await webhook.run()
                    return true
                }
            }
            group.addTask {
                // Thrown when everything is cancelled, which ends this group anyway.
                try? await gracefulShutdown()
                await conductor.drain()
                return false
            }
            group.addTask {
                await self.core.run()
                return false
            }
            group.addTask {
                await self.watchObjects()
                return false
            }
            group.addTask {
                await self.watchHangups()
                return false
            }
            // The servers end when they are told to; the others only serve them.
            defer { group.cancelAll() }
            var servers = webhook == nil ? 1 : 2
            while servers > 0, let isServer = try await group.next() { servers -= isServer ? 1 : 0 }
        }
        logger.notice("remora-coordinator has stopped; sessions under way go on at the next start")
    }
}
