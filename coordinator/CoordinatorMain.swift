import ArgumentParser
import BackupModel
import Coordinator
import Foundation
import Kubernetes
import KubernetesConfiguration
import Logging
import ServiceLifecycle
import UnixSignals

/// `remora-coordinator`: parse, wire, run.
struct CoordinatorMain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remora-coordinator",
        abstract: "Schedules backups and restores, and tells agents what to do.",
        discussion: """
            Embedded (the default), objects (Repository, AppBinding, BackupConfiguration, BackupSession, \
            RestoreSession) are YAML files in one directory, read again when they change. With --mode cluster they are \
            objects of the Kubernetes API, which keeps the state too; of several replicas one leads. Logs go to \
            standard error.

            Exit codes: 0 stopped as told, or another replica leads; 64 wrong usage; 69 the state directory or the address can't be used; 70 an \
            unexpected failure; 78 objects, secrets or options make no sense (every problem on a line of its own).
            """,
        version: CoordinatorMain.versionText
    )

    static let versionText = RemoraVersion.current

    /// Where objects and state are.
    enum Mode: String, ExpressibleByArgument, CaseIterable {
        case embedded, cluster
    }

    @Option(help: "embedded: objects and secrets in directories; cluster: in the Kubernetes API.")
    var mode: Mode = .embedded

    @Option(help: "Embedded: directory of YAML files with objects.")
    var objects: String?

    @Option(help: "Embedded: directory of secrets: DIR/<secret>/<entry> or DIR/<namespace>/<secret>/<entry>.")
    var secrets: String?

    @Option(help: "Cluster: the coordinator's own namespace. (default: POD_NAMESPACE, or that of the kubeconfig)")
    var namespace: String?

    @Option(name: .customLong("pod-name"), help: "Cluster: the coordinator's own pod. (default: POD_NAME)")
    var podName: String?

    @Option(help: "Cluster: kubeconfig file, for a coordinator outside of the cluster. (default: the pod's own access)")
    var kubeconfig: String?

    @Option(help: "Cluster: context of the kubeconfig.")
    var context: String?

    @Option(help: "Directory for the coordinator's own state: database, tokens, logs.")
    var state: String

    @Option(help: "HOST:PORT to listen on, :PORT for all addresses; anything but loopback needs TLS.")
    var listen: String = "127.0.0.1:7480"

    @Option(name: .customLong("tls-certificate"), help: "PEM file with the certificate chain.")
    var tlsCertificate: String?

    @Option(name: .customLong("tls-key"), help: "PEM file with the private key.")
    var tlsKey: String?

    @Option(
        name: .customLong("enrolment-token-file"),
        help: "File with the secret that agents register with; made if it is missing. (default: STATE/enrolment.token)"
    )
    var enrolmentTokenFile: String?

    @Option(name: .customLong("lease-seconds"), help: "Lease of jobs: how long a silent agent is believed to work.")
    var leaseSeconds: Int = 60

    @Option(name: .customLong("heartbeat-seconds"), help: "Interval of heartbeats. (default: a quarter of the lease)")
    var heartbeatSeconds: Int?

    @Option(
        name: .customLong("max-disconnected-seconds"),
        help: "After so long without contact a job is given up even though its agent may live."
    )
    var maximumDisconnectedSeconds: Int = 600

    @Option(name: .customLong("poll-seconds"), help: "How long check-ins wait. (default: by the size of the fleet)")
    var pollSeconds: Int?

    @Option(name: .customLong("log-level"), help: "debug, info, notice, warning or error.")
    var logLevel: String = "info"

    @OptionGroup var webhook: WebhookOptions

    func validate() throws {
        switch mode {
        case .embedded:
            guard objects != nil, secrets != nil else {
                throw ValidationError("--objects and --secrets are needed, or --mode cluster")
            }
        case .cluster:
            for (name, value) in [
                ("--objects", objects), ("--secrets", secrets), ("--enrolment-token-file", enrolmentTokenFile),
            ] where value != nil {
                throw ValidationError(
                    "\(name) is for --mode embedded; in a cluster the Kubernetes API has what it names"
                )
            }
        }
        guard (tlsCertificate == nil) == (tlsKey == nil) else {
            throw ValidationError("--tls-certificate and --tls-key belong together; give both or neither")
        }
        guard ListenAddress(listen) != nil else {
            throw ValidationError(
                "--listen is '\(listen)'; it looks like 127.0.0.1:7480, [::1]:7480, or :7480 for all addresses"
            )
        }
        guard (2...3600).contains(leaseSeconds) else {
            throw ValidationError("--lease-seconds is \(leaseSeconds); allowed: 2 to 3600")
        }
        guard (1...leaseSeconds).contains(heartbeatSeconds ?? 1) else {
            throw ValidationError("--heartbeat-seconds must be from 1 to the lease (\(leaseSeconds))")
        }
        guard maximumDisconnectedSeconds >= leaseSeconds else {
            throw ValidationError("--max-disconnected-seconds must be at least the lease (\(leaseSeconds))")
        }
        guard (1...300).contains(pollSeconds ?? 1) else {
            throw ValidationError("--poll-seconds must be from 1 to 300")
        }
        guard Logger.Level(rawValue: logLevel) != nil else {
            throw ValidationError("--log-level is '\(logLevel)'; allowed: debug, info, notice, warning, error")
        }
    }

    func run() async throws {
        Self.raiseFileLimit()
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        var logger = Logger(label: "remora-coordinator")
        logger.logLevel = Logger.Level(rawValue: logLevel) ?? .info
        do {
            let service = try makeService(logger)
            var group = ServiceGroupConfiguration(
                services: [service],
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: logger
            )
            // Requests that don't end by themselves are cut then.
            group.maximumGracefulShutdownDuration = .seconds(15)
            try await ServiceGroup(configuration: group).run()
        } catch let error as CoordinatorError {
            Self.tell(error.description)
            throw ExitCode(error.kind.rawValue)
        } catch let error as KubernetesError {
            Self.tell(error.description)
            throw ExitCode(CoordinatorError.Kind.configuration.rawValue)
        } catch {
            Self.tell("unexpected failure: \(error)")
            throw ExitCode(70)
        }
    }

    private func makeService(_ logger: Logger) throws -> any Service {
        // Checked in validate() as well.
        guard let address = ListenAddress(listen) else { throw ExitCode(64) }
        let tls = tlsCertificate.flatMap { certificate in tlsKey.map { (certificate: certificate, key: $0) } }
        let timings = SessionTimings(
            leaseMs: Int64(leaseSeconds) * 1000,
            heartbeatMs: heartbeatSeconds.map { Int64($0) * 1000 },
            maximumDisconnectedMs: Int64(maximumDisconnectedSeconds) * 1000,
            pollSeconds: pollSeconds
        )
        if mode == .cluster { return try makeClusterService(address, tls, timings, logger) }
        var settings = CoordinatorConfiguration(
            objectsDirectory: objects ?? "",
            secretsDirectory: secrets ?? "",
            stateDirectory: state,
            listen: address,
            tls: tls,
            enrolmentTokenFile: enrolmentTokenFile ?? "\(state)/enrolment.token",
            version: Self.versionText
        )
        settings.timings = timings
        settings.webhook = webhook.configuration(
            namespace: ProcessInfo.processInfo.environment["POD_NAMESPACE"] ?? "remora-system",
            certificates: tls.map { .files(CertificateFiles(certificate: $0.certificate, key: $0.key)) }
                ?? .authority(DirectoryAuthorityStore(directory: "\(state)/authority")),
            version: Self.versionText
        )
        return try CoordinatorService(settings, logger: logger)
    }

    private func makeClusterService(
        _ address: ListenAddress,
        _ tls: (certificate: String, key: String)?,
        _ timings: SessionTimings,
        _ logger: Logger
    ) throws -> any Service {
        let environment = ProcessInfo.processInfo.environment
        var client = try ClientConfiguration.discover(
            kubeconfig: kubeconfig,
            context: context,
            environment: environment
        )
        client.userAgent = "remora-coordinator/\(Self.versionText)"
        client.onRetry = { logger.info("\($0)") }
        let pod = podName ?? environment["POD_NAME"]
        var settings = ClusterConfiguration(
            client: client,
            namespace: namespace ?? environment["POD_NAMESPACE"] ?? client.namespace,
            podName: pod ?? ProcessInfo.processInfo.hostName,
            isPod: pod != nil,
            listen: address,
            stateDirectory: state,
            version: Self.versionText,
            // At once: whatever this process still has under way is another's by now.
            endProcess: { _ in _exit(0) }
        )
        settings.tls = tls
        settings.timings = timings
        settings.webhook = webhook.configuration(
            namespace: settings.namespace,
            certificates: tls.map { .files(CertificateFiles(certificate: $0.certificate, key: $0.key)) }
                ?? .authority(ClusterAuthorityStore(KubernetesClient(client), namespace: settings.namespace)),
            version: Self.versionText
        )
        return try ClusterCoordinatorService(settings, logger: logger)
    }

    /// As many open files as the system allows: every agent that waits is one, and shells begin with 1024.
    private static func raiseFileLimit() {
        var limit = rlimit()
        let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(files, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        // Refused: then it is as it was, and connections beyond it are told so in the log.
        setrlimit(files, &limit)
    }

    private static func tell(_ text: String) {
        for line in text.split(separator: "\n") {
            FileHandle.standardError.write(Data("remora-coordinator: \(line)\n".utf8))
        }
    }
}
