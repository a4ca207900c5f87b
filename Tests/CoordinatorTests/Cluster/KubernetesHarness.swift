import BackupModel
import FakeAPIServer
import Foundation
import HTTPClient
import Kubernetes
import Logging
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@testable import Coordinator

/// An API server with our definitions and a target `shop/orders`, and replicas of the coordinator in this process.
struct KubernetesHarness: Sendable {
    let fake: FakeAPIServer
    let directory: TestDirectory
    let client: KubernetesClient

    static let system = "remora-system"

    /// The objects of a target that is backed up on request.
    static let objects = RunningCoordinator.objects

    /// Runs `body` with an API server that is stopped afterwards.
    static func run(
        _ options: FakeAPIServerOptions = openOptions,
        _ body: (KubernetesHarness) async throws -> Void
    ) async throws {
        try await withTestDirectory("cluster") { directory in
            try await FakeAPIServer.run(options) { fake in
                let client = KubernetesClient(configuration(fake))
                let harness = KubernetesHarness(fake: fake, directory: directory, client: client)
                try await harness.prepare()
                try await body(harness)
            }
        }
    }

    /// Everybody who is known may do everything: who may do what is proven where roles are tested.
    static var openOptions: FakeAPIServerOptions {
        var options = FakeAPIServerOptions()
        options.enforcesRBAC = false
        return options
    }

    /// The same without TLS, where only HTTP/1.1 is spoken.
    static var plainOptions: FakeAPIServerOptions {
        var options = openOptions
        options.usesTLS = false
        return options
    }

    static func configuration(_ fake: FakeAPIServer, token: String? = nil) -> ClientConfiguration {
        var configuration = ClientConfiguration(
            server: fake.url,
            access: FixedAccess(
                Access(
                    authorization: "Bearer \(token ?? fake.adminToken)",
                    trust: fake.authority.isEmpty ? .system : .pem(Array(fake.authority.utf8))
                )
            )
        )
        // Tests do in seconds what takes hours elsewhere.
        configuration.callsPerSecond = 10_000
        configuration.burst = 10_000
        return configuration
    }

    private func prepare() async throws {
        let folder = "\(Tools.packageRoot)/manifests/crds"
        for name in try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        where name.hasSuffix(".yaml") && name != "kustomization.yaml" {
            try await fake.apply(yaml: try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8))
        }
        for namespace in [Self.system, "shop"] {
            try await fake.create(["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(namespace)]])
        }
        await fake.settle()
        try await fake.apply(
            yaml: """
                apiVersion: v1
                kind: Secret
                metadata: {name: main, namespace: shop}
                stringData: {RESTIC_PASSWORD: correct horse battery}
                """
        )
        let text = Self.objects.replacingOccurrences(of: "REPOSITORY", with: directory.appending("repository"))
        try await fake.apply(yaml: text)
    }

    // MARK: Store

    /// A store of a leader of its own.
    func makeStore(
        fenced: @escaping @Sendable (String) -> Void = { _ in },
        happened: @escaping @Sendable (SessionState, String, [SessionEventView]) -> Void = { _, _, _ in }
    ) -> KubernetesStore {
        KubernetesStore(
            client: client,
            namespace: Self.system,
            guards: .init(fenced: fenced, owner: { _ in nil }, happened: happened, clock: CoordinatorCore.now),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
    }

    // MARK: Replicas

    /// A replica of the coordinator.
    struct Replica: Sendable {
        let name: String
        let coordinator: RunningCoordinator
        let group: ServiceGroup
        /// Why the process would have ended, when it would have.
        let ended: Ended
    }

    /// Takes down why a process would end.
    final class Ended: Sendable {
        private let reasons = Mutex<[String]>([])
        var all: [String] { reasons.withLock { $0 } }
        func note(_ reason: String) { reasons.withLock { $0.append(reason) } }
    }

    /// Makes a replica that isn't started yet.
    ///
    /// - Parameters:
    ///   - name: its pod's.
    ///   - token: who it is; nil: an administrator.
    ///   - timings: of jobs.
    ///   - lease: how long a Lease is good; long, because machines that run tests may be slow.
    ///   - lists: how often is listed what isn't watched.
    ///   - adjust: changes what else is to be different.
    /// - Returns: the replica.
    /// - Throws: `CoordinatorError` when it can't be made.
    func makeReplica(
        _ name: String,
        token: String? = nil,
        timings: SessionTimings? = nil,
        lease: Duration = .seconds(60),
        lists: ListTiming = ListTiming(),
        adjust: (inout ClusterConfiguration) -> Void = { _ in }
    ) throws -> Replica {
        let port = try Ports.free()
        let ended = Ended()
        var settings = ClusterConfiguration(
            client: Self.configuration(fake, token: token),
            namespace: Self.system,
            podName: name,
            isPod: false,
            listen: try #require(ListenAddress("127.0.0.1:\(port)")),
            stateDirectory: directory.appending("state-\(name)"),
            version: "test",
            endProcess: { ended.note($0) }
        )
        settings.timings = timings ?? SessionTimings(leaseMs: 60_000, pollSeconds: 20)
        settings.election = ElectionTiming(
            leaseDuration: lease,
            renewDeadline: lease / 3 * 2,
            retryPeriod: .milliseconds(200)
        )
        settings.watches.firstDelay = .milliseconds(20)
        settings.lists = lists
        adjust(&settings)
        let level = ProcessInfo.processInfo.environment["REMORA_TEST_LOG"].flatMap { Logger.Level(rawValue: $0) }
        var logger = Logger(label: name) { label -> any LogHandler in
            if level == nil { return SwiftLogNoOpLogHandler() }
            return StreamLogHandler.standardError(label: label)
        }
        logger.logLevel = level ?? .critical
        let service = try ClusterCoordinatorService(settings, logger: logger)
        let group = ServiceGroup(
            configuration: .init(services: [service], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        )
        let running = RunningCoordinator(url: "http://127.0.0.1:\(port)", directory: directory)
        return Replica(name: name, coordinator: running, group: group, ended: ended)
    }

    /// Runs replicas while `body` runs; they are stopped as by SIGTERM afterwards.
    func run(_ replicas: [Replica], _ body: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Bool.self) { tasks in
            for replica in replicas {
                tasks.addTask {
                    do {
                        try await replica.group.run()
                    } catch {
                        // One whose process would have ended has ended, too.
                        if replica.ended.all.isEmpty { throw error }
                    }
                    return false
                }
            }
            tasks.addTask {
                try await body()
                return true
            }
            var failure: (any Error)?
            do {
                while let isBody = try await tasks.next(), !isBody {}
            } catch {
                failure = error
            }
            for replica in replicas { await replica.group.triggerGracefulShutdown() }
            while let result = await tasks.nextResult() {
                if case .failure(let error) = result, failure == nil { failure = error }
            }
            if let failure { throw failure }
        }
    }

    /// One replica that leads, while `body` runs.
    func lead(
        timings: SessionTimings? = nil,
        lists: ListTiming = ListTiming(),
        _ body: @escaping @Sendable (RunningCoordinator) async throws -> Void
    ) async throws {
        let replica = try makeReplica("remora-0", timings: timings, lists: lists)
        try await run([replica]) {
            try await untilLeading(replica)
            try await body(replica.coordinator)
        }
    }

    /// Waits until a replica answers as the leader.
    func untilLeading(_ replica: Replica) async throws {
        try await eventually("\(replica.name) leads") {
            let response = try await replica.coordinator.call("GET", "/agent/v1/nothing")
            return response.status == 404
        }
    }

    // MARK: Objects

    /// A session's object.
    func session(_ name: String, kind: String = "backupsessions") -> JSONTree? {
        fake.object(kind, group: "remora.dev", namespace: "shop", name: name)
    }

    /// Asks for a backup, as kubectl does.
    func createSession(_ name: String, configuration: String = "hourly") async throws {
        try await fake.create([
            "apiVersion": "remora.dev/v1alpha1", "kind": "BackupSession",
            "metadata": ["name": .string(name), "namespace": "shop"],
            "spec": ["invoker": ["name": .string(configuration)]],
        ])
    }

    /// Asks for a deletion, as kubectl does.
    func delete(_ resource: String, _ name: String, api: String = "apis/remora.dev/v1alpha1") async throws {
        let answer = await fake.send("DELETE", "/\(api)/namespaces/shop/\(resource)/\(name)")
        try #require(answer.status < 300, "\(answer.body)")
    }

    /// Waits until a session's phase is this.
    func untilPhase(_ name: String, _ phase: SessionPhase, kind: String = "backupsessions") async throws {
        try await fake.waitUntil("session \(name) is \(phase.rawValue)") { _ in
            self.session(name, kind: kind)?[path: "status", "phase"]?.string == phase.rawValue ? true : nil
        }
    }

    /// The condition of an object.
    func condition(_ resource: String, _ name: String, _ type: String) -> JSONTree? {
        fake.object(resource, group: "remora.dev", namespace: "shop", name: name)?[path: "status", "conditions"]?.array?
            .first { $0["type"]?.string == type }
    }

    /// Makes a pod with an agent, as the webhook would have made it, and an agent that speaks for it.
    func makeAgent(
        _ coordinator: RunningCoordinator,
        pod: String = "mongo-1",
        role: String = "secondary",
        cluster: String = "orders"
    ) async throws -> ScriptedAgent {
        try await makePod(pod, labels: ["remora.dev/injected": "true", "remora.dev/cluster": .string(cluster)])
        var agent = try agent(coordinator, pod: pod, role: role)
        agent.cluster = cluster
        return agent
    }

    func makePod(
        _ pod: String,
        labels: JSONTree = ["remora.dev/injected": "true", "remora.dev/cluster": "orders"],
        annotations: JSONTree = ["remora.dev/inject": "true"],
        owner: JSONTree? = nil
    ) async throws {
        var metadata: JSONTree = [
            "name": .string(pod), "namespace": "shop", "labels": labels, "annotations": annotations,
        ]
        if let owner { metadata["ownerReferences"] = [Self.reference(to: owner)] }
        try await fake.create([
            "apiVersion": "v1", "kind": "Pod", "metadata": metadata,
            "spec": ["containers": [["name": "mongod", "image": "mongo:6"]]],
        ])
    }

    /// What a controller writes on the objects that it makes.
    static func reference(to owner: JSONTree) -> JSONTree {
        [
            "apiVersion": owner["apiVersion"] ?? "", "kind": owner["kind"] ?? "",
            "name": owner[path: "metadata", "name"] ?? "", "uid": owner[path: "metadata", "uid"] ?? "",
            "controller": true, "blockOwnerDeletion": true,
        ]
    }

    /// An agent in a pod that is there.
    func agent(_ coordinator: RunningCoordinator, pod: String, role: String = "secondary") throws -> ScriptedAgent {
        var agent = ScriptedAgent(coordinator, pod: pod, role: role)
        agent.uid = fake.object("pods", namespace: "shop", name: pod)?[path: "metadata", "uid"]?.string ?? ""
        agent.bearer = try fake.serviceAccountToken(namespace: "shop", audiences: ["remora.dev"], pod: pod)
        return agent
    }

    /// A token of a person.
    func person(_ name: String = "alice") -> String {
        fake.token(for: Identity(username: name, groups: ["system:masters"]))
    }
}
