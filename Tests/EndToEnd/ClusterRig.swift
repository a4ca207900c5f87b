import FakeAPIServer
import Foundation
import Kubernetes
import TestSupport

/// A pod with a database, and what its agent is told besides.
struct ClusterPod: Sendable {
    var name: String
    /// Besides the one that asks for an agent.
    var annotations: [String: String]
    var container: JSONTree
    /// Engine and address.
    var arguments: [String]
    var user: String
    var password: String
}

/// Two coordinators, one after the other at the same place, and agents beside databases whose pods went through the webhook.
final class ClusterRig: Sendable {
    let fake: FakeAPIServer
    let directory: TestDirectory
    let coordinators: [Server]
    let agents: [Server]

    private static let system = FakeAPIServer.coordinatorNamespace

    private init(
        _ fake: FakeAPIServer,
        _ directory: TestDirectory,
        _ coordinators: [Server],
        _ agents: [Server]
    ) {
        self.fake = fake
        self.directory = directory
        self.coordinators = coordinators
        self.agents = agents
    }

    /// YAML of a repository's directory.
    static func backend(_ directory: TestDirectory) -> String {
        "    local:\n      mountPath: \(directory.appending("repository"))"
    }

    /// Starts everything and waits until every agent is connected to the target `shop`, whose objects these are.
    static func start(
        _ fake: FakeAPIServer,
        _ pods: [ClusterPod],
        _ objects: String,
        in directory: TestDirectory
    ) async throws -> ClusterRig {
        let binaries = try Binaries.beside()
        let manifests = "\(Tools.packageRoot)/manifests/install.yaml"
        try await fake.apply(yaml: try String(contentsOfFile: manifests, encoding: .utf8))
        try await fake.apply(yaml: surroundings + objects)
        // As the services have it: whoever leads is found at one address.
        let (listen, webhook) = (try Ports.free(), try Ports.free())
        var coordinators: [Server] = []
        for index in 0..<2 {
            coordinators.append(
                try await fake.makeCoordinator(index, in: directory, listen: listen, webhook: webhook)
            )
        }
        try await coordinators[0].launch()
        fake.route(namespace: system, service: "remora-webhook", to: Int(webhook))
        try await eventually("the webhook is known to the API server") {
            fake.object(
                "mutatingwebhookconfigurations",
                group: "admissionregistration.k8s.io",
                name: "zz-remora-injector"
            )?[
                "webhooks"
            ]?[0]?[path: "clientConfig", "caBundle"]?.string?.isEmpty == false
        }
        try await eventually("the leader marks its pod") {
            let pod = fake.object("pods", namespace: system, name: "remora-coordinator-0")
            return pod?[path: "metadata", "labels", "remora.dev/leader"] == "true"
        }
        var agents: [Server] = []
        for pod in pods {
            agents.append(try await agent(fake, directory, binaries, pod, coordinator: listen))
        }
        for agent in agents { try await agent.launch() }
        let rig = ClusterRig(fake, directory, coordinators, agents)
        try await eventually("all agents are connected") {
            let status = fake.object("backupconfigurations", group: "remora.dev", namespace: "demo", name: "shop")?[
                "status"
            ]
            return status?[path: "agents", "connected"]?.integer == Int64(agents.count) && status?["phase"] == "Ready"
        }
        return rig
    }

    /// The namespace, and what opens its repository.
    private static let surroundings = """
        apiVersion: v1
        kind: Namespace
        metadata: {name: demo}
        ---
        apiVersion: v1
        kind: Secret
        metadata: {name: storage, namespace: demo}
        stringData: {RESTIC_PASSWORD: "\(Deployment.repositoryPassword)"}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: Role
        metadata: {name: remora-storage, namespace: demo}
        rules:
        - {apiGroups: [""], resources: [secrets], resourceNames: [storage], verbs: [get]}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: RoleBinding
        metadata: {name: remora-storage, namespace: demo}
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: remora-storage}
        subjects:
        - {kind: ServiceAccount, name: remora-coordinator, namespace: \(system)}
        ---

        """

    private static func agent(
        _ fake: FakeAPIServer,
        _ directory: TestDirectory,
        _ binaries: Binaries,
        _ pod: ClusterPod,
        coordinator port: UInt16
    ) async throws -> Server {
        let name = pod.name
        let annotations = pod.annotations.merging(["remora.dev/inject": "true"]) { $1 }
        let made = try await fake.create([
            "apiVersion": "v1", "kind": "Pod",
            "metadata": [
                "name": .string(name), "namespace": "demo",
                "annotations": .object(annotations.mapValues { .string($0) }),
            ],
            "spec": ["containers": [pod.container]],
        ])
        guard made[path: "metadata", "labels", "remora.dev/injected"] == "true" else {
            throw TestSupportError(
                "the webhook gave pod \(name) no agent: \(made["metadata"] ?? .null) \(fake.failedOpen)"
            )
        }
        let authority: String = try await eventually("agents may know the coordinator's authority") {
            fake.object("configmaps", namespace: "demo", name: "remora-ca")?[path: "data", "ca.crt"]?.string
        }
        try directory.write(authority, to: "ca-\(name).crt")
        let token = try fake.serviceAccountToken(namespace: "demo", audiences: ["remora.dev"], pod: name)
        try directory.write(token, to: "token-\(name)")
        try directory.write(pod.user, to: "user-\(name)")
        try directory.write(pod.password, to: "password-\(name)")
        return Server(
            "agent \(name)",
            program: binaries.path("remora-agent"),
            arguments: [
                "--coordinator", "https://127.0.0.1:\(port)", "--ca-file", directory.appending("ca-\(name).crt"),
                "--enrolment-token-file",
                directory.appending("token-\(name)"), "--state-dir", try directory.makeDirectory("agent-\(name)"),
                "--namespace", "demo", "--pod", name, "--pod-uid", made[path: "metadata", "uid"]?.string ?? "",
                "--cluster", "shop", "--username-file", directory.appending("user-\(name)"), "--password-file",
                directory.appending("password-\(name)"),
            ] + pod.arguments,
            logPath: directory.appending("agent-\(name).log")
        )
    }

    /// Creates an object as a person with every right does.
    func create(_ yaml: String) async throws { try await fake.apply(yaml: yaml) }

    /// An authority that signed before goes as soon as every real agent has said which one it trusts now.
    func forgetFormerAuthority() async throws {
        let (place, entry) = ("/api/v1/namespaces/\(Self.system)/secrets/remora-webhook-ca", "authorities.json")
        func stored() async throws -> JSONTree {
            let data = await fake.send("GET", place).body[path: "data", entry]?.string.flatMap {
                Data(base64Encoded: $0)
            }
            return try JSONTree(parsing: [UInt8](data ?? Data()))
        }
        var state = try await stored()
        let certificate = state[path: "current", "certificate"] ?? ""
        state["former"] = [
            [
                "certificate": certificate, "fingerprint": .string(String(repeating: "0", count: 64)),
                "until": 4_102_444_800, "since": 0,
            ]
        ]
        let text = Data(state.bytes).base64EncodedString()
        let answer = await fake.send("PATCH", place, ["data": [entry: .string(text)]])
        guard answer.status == 200 else { throw TestSupportError("the authority was not changed: \(answer.body)") }
        try await eventually("every agent trusts the one that signs, and the former one goes") {
            try await stored()["former"]?.array?.isEmpty == true
        }
    }

    /// Waits until a session has ended, and returns its object.
    func waitForEnd(_ resource: String, _ name: String) async throws -> JSONTree {
        try await fake.waitUntil("\(name) ends", within: .seconds(120)) { fake in
            let object = fake.object(resource, group: "remora.dev", namespace: "demo", name: name)
            guard let phase = object?[path: "status", "phase"]?.string,
                ["Succeeded", "Failed", "Cancelled"].contains(phase)
            else { return nil }
            return object
        }
    }

    func logs() -> String { (coordinators + agents).map { $0.logTail(lines: 30) }.joined(separator: "\n") }

    func stop() async {
        await withTaskGroup(of: Void.self) { tasks in
            for process in coordinators + agents { tasks.addTask { await process.stop(grace: .seconds(5)) } }
        }
    }
}

/// Runs a test on a cluster of its own and ends it; a failure shows what everybody said.
func withClusterRig(
    _ fake: FakeAPIServer,
    _ pods: [ClusterPod],
    _ objects: String,
    in directory: TestDirectory,
    _ body: (ClusterRig) async throws -> Void
) async throws {
    let rig = try await ClusterRig.start(fake, pods, objects, in: directory)
    do {
        try await body(rig)
        await rig.stop()
    } catch {
        let logs = rig.logs()
        await rig.stop()
        throw TestSupportError("\(error)\n\(logs)")
    }
}
