import FakeAPIServer
import Foundation
import Kubernetes
import TestSupport
import Testing

/// The installation's own manifests, an API server that is as strict as a real one, and our real programs in cluster mode.
@Suite("in a cluster, objects drive backup and restore", .serialized)
struct ClusterModeTests {
    @Test("pods are given agents, an object backs the set up, the leader is killed, another object restores it")
    func roundTrip() async throws {
        try await withTestDirectory("e2e-cluster") { directory in
            try await FakeAPIServer.run { fake in
                let set = try await ReplicaSet.start(ReplicaSetOptions(), in: directory)
                let rig = try await ClusterRig.start(fake, set, in: directory)
                do {
                    try await prove(rig)
                    await rig.stop()
                } catch {
                    let logs = rig.logs()
                    await rig.stop()
                    throw TestSupportError("\(error)\n\(logs)")
                }
            }
        }
    }

    private func prove(_ rig: ClusterRig) async throws {
        try await DataSet.small.load(into: rig.set.uri())
        try await rig.set.waitUntilInSync()
        let before = try await ClusterFingerprint.read(rig.set.client())
        try await rig.create(
            """
            apiVersion: remora.dev/v1alpha1
            kind: BackupSession
            metadata: {name: by-hand, namespace: demo}
            spec: {invoker: {name: shop}}
            """
        )
        let backup = try await rig.waitForEnd("backupsessions", "by-hand")
        #expect(backup[path: "status", "phase"] == "Succeeded", "\(backup["status"] ?? .null)")
        #expect(backup[path: "status", "hosts"]?.array?.count == 1)
        try await Restic(
            repository: rig.directory.appending("repository/demo/shop/rs0"),
            password: Deployment.repositoryPassword
        ).check()

        try await rig.forgetFormerAuthority()

        // The one that leads is gone at once; another one, in another pod, knows everything from the objects.
        await rig.coordinators[0].kill()
        try await rig.coordinators[1].launch()
        try await DataSet.drop(from: rig.set.uri())
        try await rig.create(
            """
            apiVersion: remora.dev/v1alpha1
            kind: RestoreSession
            metadata: {name: back-again, namespace: demo}
            spec: {target: {ref: {name: shop}}, from: by-hand}
            """
        )
        let restore = try await rig.waitForEnd("restoresessions", "back-again")
        #expect(restore[path: "status", "phase"] == "Succeeded", "\(restore["status"] ?? .null)")
        try await rig.set.waitUntilInSync()
        let after = try await ClusterFingerprint.read(rig.set.client())
        #expect(after == before, "what comes back is what was backed up")
        for member in rig.set.members { #expect(try await !member.isLocked()) }

        // Deleting the whole namespace hangs on nothing of ours.
        #expect(await rig.fake.send("DELETE", "/api/v1/namespaces/demo").status < 300)
        try await eventually("the namespace is gone") {
            await rig.fake.settle()
            return rig.fake.object("namespaces", name: "demo") == nil
        }
        let refused = rig.fake.requests.filter { $0.status == 403 && $0.user.contains("remora-coordinator") }
        #expect(refused.isEmpty, "its roles allow everything that it does: \(refused.map { "\($0.verb) \($0.path)" })")
    }
}

/// Two coordinators, one after the other at the same place, and agents beside a replica set whose pods went through the webhook.
final class ClusterRig: Sendable {
    let fake: FakeAPIServer
    let set: ReplicaSet
    let directory: TestDirectory
    let coordinators: [Server]
    let agents: [Server]

    private static let system = "remora-system"

    private init(
        _ fake: FakeAPIServer,
        _ set: ReplicaSet,
        _ directory: TestDirectory,
        _ coordinators: [Server],
        _ agents: [Server]
    ) {
        self.fake = fake
        self.set = set
        self.directory = directory
        self.coordinators = coordinators
        self.agents = agents
    }

    static func start(_ fake: FakeAPIServer, _ set: ReplicaSet, in directory: TestDirectory) async throws -> ClusterRig
    {
        let binaries = try Binaries.beside()
        let manifests = "\(Tools.packageRoot)/manifests/install.yaml"
        try await fake.apply(yaml: try String(contentsOfFile: manifests, encoding: .utf8))
        try await fake.apply(yaml: objects(directory))
        // As the services have it: whoever leads is found at one address.
        let (listen, webhook) = (try Ports.free(), try Ports.free())
        var coordinators: [Server] = []
        for index in 0..<2 {
            coordinators.append(
                try await coordinator(fake, directory, binaries, index, listen: listen, webhook: webhook)
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
        for (index, member) in set.members.enumerated() {
            agents.append(try await agent(fake, directory, binaries, index, member, coordinator: listen))
        }
        for agent in agents { try await agent.launch() }
        let rig = ClusterRig(fake, set, directory, coordinators, agents)
        try await eventually("all agents are connected") {
            let status = fake.object("backupconfigurations", group: "remora.dev", namespace: "demo", name: "shop")?[
                "status"
            ]
            return status?[path: "agents", "connected"]?.integer == Int64(agents.count) && status?["phase"] == "Ready"
        }
        return rig
    }

    private static func objects(_ directory: TestDirectory) -> String {
        """
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
            + Deployment.objects(
                backend: "    local:\n      mountPath: \(directory.appending("repository"))",
                configuration: ""
            )
    }

    private static func coordinator(
        _ fake: FakeAPIServer,
        _ directory: TestDirectory,
        _ binaries: Binaries,
        _ index: Int,
        listen: UInt16,
        webhook: UInt16
    ) async throws -> Server {
        let name = "remora-coordinator-\(index)"
        try await fake.create([
            "apiVersion": "v1", "kind": "Pod",
            "metadata": [
                "name": .string(name), "namespace": .string(system),
                "labels": ["app.kubernetes.io/part-of": "remora.dev"],
            ],
            "spec": [
                "serviceAccountName": "remora-coordinator",
                "securityContext": ["runAsNonRoot": true, "seccompProfile": ["type": "RuntimeDefault"]],
                "containers": [
                    [
                        "name": "coordinator", "image": "remora-coordinator",
                        "securityContext": [
                            "allowPrivilegeEscalation": false, "capabilities": ["drop": ["ALL"]],
                        ],
                    ]
                ],
            ],
        ])
        let token = try fake.serviceAccountToken(namespace: system, account: "remora-coordinator", pod: name)
        try directory.write(fake.kubeconfig(token: token, namespace: system), to: "kubeconfig-\(index)")
        return Server(
            "coordinator \(index)",
            program: binaries.path("remora-coordinator"),
            arguments: [
                "--mode", "cluster", "--kubeconfig", directory.appending("kubeconfig-\(index)"), "--namespace", system,
                "--pod-name", name, "--listen", "127.0.0.1:\(listen)", "--webhook-listen", "127.0.0.1:\(webhook)",
                "--agent-image", "remora-agent:test", "--state", try directory.makeDirectory("coordinator-\(index)"),
            ],
            logPath: directory.appending("coordinator-\(index).log")
        )
    }

    private static func agent(
        _ fake: FakeAPIServer,
        _ directory: TestDirectory,
        _ binaries: Binaries,
        _ index: Int,
        _ member: MongoServer,
        coordinator port: UInt16
    ) async throws -> Server {
        let name = "mongo-\(index)"
        let pod = try await fake.create([
            "apiVersion": "v1", "kind": "Pod",
            "metadata": [
                "name": .string(name), "namespace": "demo",
                "annotations": [
                    "remora.dev/inject": "true", "remora.dev/cluster": "shop", "remora.dev/engine": "mongodb",
                ],
            ],
            "spec": ["containers": [["name": "mongod", "image": "mongo:6.0", "ports": [["containerPort": 27017]]]]],
        ])
        guard pod[path: "metadata", "labels", "remora.dev/injected"] == "true" else {
            throw TestSupportError(
                "the webhook gave pod \(name) no agent: \(pod["metadata"] ?? .null) \(fake.failedOpen)"
            )
        }
        let authority: String = try await eventually("agents may know the coordinator's authority") {
            fake.object("configmaps", namespace: "demo", name: "remora-ca")?[path: "data", "ca.crt"]?.string
        }
        try directory.write(authority, to: "ca-\(index).crt")
        let token = try fake.serviceAccountToken(namespace: "demo", audiences: ["remora.dev"], pod: name)
        try directory.write(token, to: "token-\(index)")
        try directory.write(MongoUser.remora.name, to: "user-\(index)")
        try directory.write(MongoUser.remora.password, to: "password-\(index)")
        return Server(
            "agent \(name)",
            program: binaries.path("remora-agent"),
            arguments: [
                "--coordinator", "https://127.0.0.1:\(port)", "--ca-file", directory.appending("ca-\(index).crt"),
                "--enrolment-token-file",
                directory.appending("token-\(index)"), "--state-dir", try directory.makeDirectory("agent-\(index)"),
                "--namespace", "demo", "--pod", name, "--pod-uid", pod[path: "metadata", "uid"]?.string ?? "",
                "--cluster", "shop", "--engine", "mongodb", "--mongodb-uri",
                "mongodb://\(member.address)/?authSource=admin", "--username-file",
                directory.appending("user-\(index)"),
                "--password-file", directory.appending("password-\(index)"),
            ],
            logPath: directory.appending("agent-\(index).log")
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
        await set.kill()
    }
}
