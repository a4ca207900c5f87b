import BackupModel
import Foundation
import Hummingbird
import HummingbirdCore
import Kubernetes
public import Logging
import NIOSSL
public import ServiceLifecycle
import Synchronization

/// A replica of the coordinator in a cluster: it serves the webhook always, and everything else while it leads.
public final class ClusterCoordinatorService: Service {
    let configuration: ClusterConfiguration
    let logger: Logger
    let client: KubernetesClient
    let namespaces: NamespaceWatch
    private let tls: TLSConfiguration?
    private let webhook: WebhookServer?
    private let conductor = Mutex<Conductor?>(nil)

    /// Pause before another try to lead, after a term that couldn't begin.
    private static let pauseBetweenTerms = Duration.seconds(2)

    /// Checks everything that can be checked before anything is started.
    ///
    /// - Throws: ``CoordinatorError``.
    public init(_ configuration: ClusterConfiguration, logger: Logger) throws {
        self.configuration = configuration
        self.logger = logger
        guard configuration.tls != nil || configuration.listen.isLoopback || configuration.webhook != nil else {
            throw CoordinatorError(
                .configuration,
                "--listen \(configuration.listen) can be reached from other machines, and without TLS everybody in "
                    + "between could read repository passwords: give --tls-certificate and --tls-key, or listen on 127.0.0.1"
            )
        }
        tls = try configuration.tls.map {
            try CoordinatorServer.tls(certificate: $0.certificate, key: $0.key)
        }
        try StateFiles(directory: configuration.stateDirectory).prepare()
        client = KubernetesClient(configuration.client)
        let limits = configuration.webhook == nil ? nil : NamespaceLimits(client: client, logger: logger)
        namespaces = NamespaceWatch(
            client: client,
            timing: configuration.watches,
            limits: limits,
            logger: logger
        )
        var settings = configuration.webhook
        settings?.namespaces = namespaces
        webhook = settings.map { WebhookServer($0, clock: { CoordinatorCore.now().unixMs / 1000 }, logger: logger) }
    }

    /// Runs until it is told to stop, or until another replica leads.
    public func run() async throws {
        let identity = "\(configuration.podName)_\(Digest.hex(Digest.random(6)))"
        let election = LeaderElection(
            client,
            name: ClusterNames.lease,
            namespace: configuration.namespace,
            identity: identity,
            timing: configuration.election,
            onTrouble: { [logger] in logger.warning("\($0)") }
        )
        let (namespaces, webhook) = (namespaces, webhook)
        try await webhook?.awaitCertificate()
        let responder = LeaderSwitch(
            isReady: {
                guard namespaces.isSynced else { return "the namespaces were not read yet" }
                return webhook?.isReady == false ? "the webhook does not answer yet" : nil
            },
            who: { election.leader }
        )
        let tls = webhook?.certificates.serving.configuration() ?? tls
        let application = Application(
            responder: responder,
            server: try CoordinatorServer.builder(tls),
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.listen.host, port: configuration.listen.port),
                serverName: "remora"
            ),
            logger: CoordinatorServer.quiet(logger)
        )
        logger.notice(
            "remora-coordinator \(configuration.version) on \(tls == nil ? "http" : "https")://\(configuration.listen), as \(identity) in namespace \(configuration.namespace)"
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
                await namespaces.run()
                return false
            }
            group.addTask {
                if await self.competeUntilShutdown(election, responder) { throw LeadershipEnded() }
                return false
            }
            // The servers end when they are told to, the election when it is lost; the others only serve them.
            defer { group.cancelAll() }
            var servers = webhook == nil ? 1 : 2
            do {
                while servers > 0, let isServer = try await group.next() { servers -= isServer ? 1 : 0 }
            } catch is LeadershipEnded {
                return
            }
        }
        logger.notice("remora-coordinator has stopped; sessions under way go on with the next leader")
    }

    /// Another replica leads, and this process was told to end.
    private struct LeadershipEnded: Error {}

    /// Competes until the process is told to end.
    ///
    /// Agents are sent away then and the lease is given back at once: the next leader needn't wait until this replica's
    /// servers have ended. True when this process has led and must not go on.
    private func competeUntilShutdown(_ election: LeaderElection, _ responder: LeaderSwitch) async -> Bool {
        await withTaskGroup(of: Bool?.self) { group in
            group.addTask { await self.compete(election, responder) }
            group.addTask {
                // Thrown when everything is cancelled, which ends this group anyway.
                try? await gracefulShutdown()
                responder.drain()
                await self.conductor.withLock({ $0 })?.drain()
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            let second = await group.next() ?? nil
            return first ?? second ?? false
        }
    }

    /// Tries to lead again and again; true when this process has led and must not go on.
    private func compete(_ election: LeaderElection, _ responder: LeaderSwitch) async -> Bool {
        let isOver = Mutex(false)
        let end: @Sendable (String) -> Void = { [configuration, logger] reason in
            let isFirst = isOver.withLock { isOver in
                defer { isOver = true }
                return !isOver
            }
            guard isFirst else { return }
            logger.error("\(reason); this process ends now")
            responder.follow()
            configuration.endProcess(reason)
        }
        let term = LeaderTerm(
            configuration: configuration,
            client: client,
            namespaces: namespaces,
            responder: responder,
            trust: webhook.map { CertificateTrust(keeper: $0.certificates, isOurs: configuration.tls == nil) }
                ?? NoTrust(),
            logger: logger,
            fenced: end,
            conducts: { now in self.conductor.withLock { $0 = now } }
        )
        await unmark(term)
        while !Task.isCancelled, !isOver.withLock({ $0 }) {
            do {
                try await election.lead(onLost: { end("the Lease is lost") }) { try await term.run() }
            } catch {
                if Task.isCancelled || isOver.withLock({ $0 }) { break }
                logger.error("leading failed: \(error); it is tried again")
                if await !pause(Self.pauseBetweenTerms) { break }
            }
        }
        return isOver.withLock { $0 }
    }

    /// Takes the leader's label off our own pod: its container may have been killed while it led, and started anew.
    ///
    /// Before anything else, since this process may lead next, and until it is done: agents are sent to this label.
    private func unmark(_ term: LeaderTerm) async {
        repeat {
            do {
                return try await term.markPod(false)
            } catch {
                logger.warning("the leader's label can't be taken off pod \(configuration.podName): \(error)")
                guard (error as? KubernetesError)?.isTransient == true else { return }
            }
        } while await pause(Self.pauseBetweenTerms)
    }
}
