import BackupModel
import FakeAPIServer
import Foundation
import Injector
import Kubernetes
import TestSupport
import Testing

@testable import RemoraCLI

/// Commands against an API server that refuses what a real one refuses, with the installation that the manifests make.
@Suite("Commands in an installed cluster", .timeLimit(.minutes(5)))
struct StrictClusterTests {
    /// Somebody who is no administrator.
    private let alice = Identity(username: "alice", groups: ["system:authenticated"])

    private func withCluster(_ body: (FakeAPIServer, ScriptedCluster, TestDirectory) async throws -> Void) async throws
    {
        try await withTestDirectory("cluster") { directory in
            try await FakeAPIServer.run { server in
                let coordinator = try await ScriptedCluster.start(in: directory)
                defer { coordinator.stop() }
                let manifests = try String(
                    contentsOfFile: "\(Tools.packageRoot)/manifests/install.yaml",
                    encoding: .utf8
                )
                try await server.apply(yaml: manifests)
                try await server.apply(yaml: Self.cluster(authority: try coordinator.authority()))
                try await makeLeader(server)
                try coordinator.use(kubeconfig: server.kubeconfig(namespace: "shop"))
                try await body(server, coordinator, directory)
            }
        }
    }

    private func run(_ arguments: [String], in cluster: ScriptedCluster) async -> (screen: Screen, ended: Ending) {
        let screen = Screen()
        var surroundings = Surroundings(console: screen.console(), clock: .system, environment: cluster.environment)
        surroundings.isPlugin = true
        let ended = await Surroundings.$current.withValue(surroundings) { await RemoraProgram.run(arguments) }
        return (screen, ended)
    }

    /// A coordinator's pod that is ready and says that it leads.
    private func makeLeader(_ server: FakeAPIServer) async throws {
        let deployment = try #require(
            server.object("deployments", group: "apps", namespace: "remora-system", name: "remora-coordinator")
        )
        var pod: JSONTree = ["apiVersion": "v1", "kind": "Pod"]
        pod["metadata"] = deployment[path: "spec", "template", "metadata"]
        pod["metadata"]?["name"] = "remora-coordinator-1"
        pod["metadata"]?["namespace"] = "remora-system"
        pod["metadata"]?["labels"]?["remora.dev/leader"] = "true"
        pod["spec"] = deployment[path: "spec", "template", "spec"]
        try await server.create(pod)
        try makeReady(server, "remora-system", "remora-coordinator-1")
    }

    private func makeReady(_ server: FakeAPIServer, _ namespace: String, _ name: String) throws {
        try server.alter("pods", namespace: namespace, name: name) { pod in
            pod["status"] = ["phase": "Running", "conditions": [["type": "Ready", "status": "True"]]]
        }
    }

    private static func cluster(authority: String) -> String {
        let indented = authority.split(separator: "\n").map { "    \($0)" }.joined(separator: "\n")
        return """
            apiVersion: v1
            kind: Namespace
            metadata: {name: shop, labels: {pod-security.kubernetes.io/enforce: restricted}}
            ---
            apiVersion: v1
            kind: ConfigMap
            metadata: {name: remora-ca, namespace: remora-system}
            data:
              ca.crt: |
            \(indented)
            ---
            apiVersion: apps/v1
            kind: StatefulSet
            metadata: {name: mongo, namespace: shop}
            spec:
              serviceName: mongo
              replicas: 3
              selector: {matchLabels: {app: mongo}}
              template:
                metadata: {labels: {app: mongo}}
                spec:
                  securityContext: {runAsNonRoot: true, runAsUser: 999, seccompProfile: {type: RuntimeDefault}}
                  containers:
                    - name: mongodb
                      image: mongo:6.0
                      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
                      ports: [{containerPort: 27017}]
            """
    }

    private static func bind(_ role: String, in namespace: String = "remora-system") -> String {
        """
        apiVersion: rbac.authorization.k8s.io/v1
        kind: RoleBinding
        metadata: {name: alice-\(role), namespace: \(namespace)}
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: \(role)}
        subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: alice}]
        """
    }

    @Test(
        "who is bound to remora-viewer-access can look and nothing more; remora-operator-access lets them begin a backup"
    )
    func people() async throws {
        try await withCluster { server, cluster, _ in
            try cluster.use(kubeconfig: server.kubeconfig(token: server.token(for: alice), namespace: "shop"))
            let stranger = await run(["status"], in: cluster)
            #expect(stranger.ended == .kubernetes)
            #expect(stranger.screen.error.contains("forbidden"))

            try await server.apply(yaml: Self.bind("remora-viewer-access"))
            let viewer = await run(["status", "-o", "json"], in: cluster)
            #expect(viewer.ended == .succeeded, "\(viewer.screen.error)")
            let refused = await run(["backup", "nightly"], in: cluster)
            #expect(refused.ended == .kubernetes)
            #expect(
                refused.screen.error.contains(
                    "you may not make a token of service account remora-system/remora-operator"
                )
            )
            #expect(refused.screen.error.contains("--role=remora-operator-access"))

            try await server.apply(yaml: Self.bind("remora-operator-access"))
            let begun = await run(["backup", "nightly"], in: cluster)
            // The scripted coordinator knows no backups: it was asked.
            #expect(begun.screen.error.contains("is no coordinator: HTTP status 404"))
            let token = try #require(cluster.coordinatorRequests.last?.field("authorization")?.dropFirst(7))
            let review: JSONTree = [
                "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
                "spec": ["token": .string(String(token)), "audiences": ["remora.dev"]],
            ]
            let reviewed = await server.send("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review).body
            #expect(
                reviewed[path: "status", "user", "username"]
                    == "system:serviceaccount:remora-system:remora-operator"
            )
        }
    }

    @Test("the installation defines our kinds and gives the coordinator every right that the doctor asks about")
    func doctor() async throws {
        try await withCluster { server, cluster, _ in
            let (screen, ended) = await run(["doctor", "-o", "json"], in: cluster)
            // No leader has written a Lease or an authority here, and no webhook answers.
            #expect(ended == .failed)
            let findings = try WireJSON.decode([Finding].self, from: Array(screen.output.utf8))
            for check in ["api-server", "definitions", "permissions", "coordinator"] {
                let own = findings.filter { $0.check == check && $0.level != .ok }
                #expect(own.allSatisfy { $0.message.contains("of version") }, "\(own)")
                #expect(findings.contains { $0.check == check && $0.level == .ok })
            }
            #expect(findings.contains { $0.check == "leader" && $0.message.contains("no Lease 'remora-coordinator'") })
            #expect(findings.contains { $0.check == "webhook" && $0.message.contains("no caBundle") })
            // The pod that is tried passes Pod Security 'restricted', and nothing of it is kept.
            let injection = try #require(findings.first { $0.check == "injection" })
            #expect(injection.message.contains("gets none: the webhook does not answer"))
            #expect(server.objects("pods", namespace: "shop").isEmpty)
        }
    }

    @Test("enroll and unenroll change exactly our annotations, as a manager of their own")
    func enroll() async throws {
        try await withCluster { server, cluster, _ in
            let enrolled = await run(["enroll", "sts/mongo", "--credentials-secret", "backup", "--yes"], in: cluster)
            #expect(enrolled.ended == .succeeded, "\(enrolled.screen.error)")
            let set = try #require(server.object("statefulsets", group: "apps", namespace: "shop", name: "mongo"))
            let annotations: JSONTree = ["remora.dev/inject": "true", "remora.dev/credentials-secret": "backup"]
            #expect(set[path: "spec", "template", "metadata", "annotations"] == annotations)
            let managers = (set[path: "metadata", "managedFields"]?.array ?? []).compactMap { $0["manager"]?.string }
            #expect(managers.contains("remora-cli"))

            let removed = await run(["unenroll", "mongo", "--yes"], in: cluster)
            #expect(removed.ended == .succeeded, "\(removed.screen.error)")
            let after = try #require(server.object("statefulsets", group: "apps", namespace: "shop", name: "mongo"))
            let left = after[path: "spec", "template", "metadata", "annotations"] ?? [:]
            #expect(left == [:])
            #expect(after[path: "spec", "template", "spec"] == set[path: "spec", "template", "spec"])
        }
    }

    @Test("the image of an agent in a running pod is changed by a patch that the server takes")
    func upgrade() async throws {
        try await withCluster { server, cluster, _ in
            var pod = ClusterSamples.pod()
            pod["status"] = nil
            pod["metadata"]?["ownerReferences"] = nil
            let restricted: JSONTree = [
                "runAsNonRoot": true, "runAsUser": 999, "seccompProfile": ["type": "RuntimeDefault"],
            ]
            pod["spec"]?["securityContext"] = restricted
            for list in ["initContainers", "containers"] {
                let containers = (pod[path: "spec", list]?.array ?? []).map { container in
                    container.with(
                        "securityContext",
                        value: ["allowPrivilegeEscalation": false, "capabilities": ["drop": ["ALL"]]]
                    )
                }
                pod["spec"]?[list] = .array(containers)
            }
            try await server.create(pod)
            try makeReady(server, "shop", "mongo-0")
            let plan = await run(["agents", "upgrade", "--image", "agent:2", "--plan"], in: cluster)
            #expect(plan.ended == .succeeded && plan.screen.output.contains("shop/mongo-0"), "\(plan.screen.error)")
            // Nobody plays the kubelet here: the agent is not seen to come back.
            let arguments = ["agents", "upgrade", "--image", "agent:2", "--yes", "--timeout", "10"]
            let (screen, ended) = await run(arguments, in: cluster)
            #expect(ended == .failed)
            #expect(screen.error.contains("the agent of shop/mongo-0 did not come back within 10 s with agent:2"))
            let changed = try #require(server.object("pods", namespace: "shop", name: "mongo-0"))
            #expect(changed[path: "spec", "initContainers"]?[1]?["image"] == "agent:2")
            #expect(changed[path: "spec", "initContainers"]?[0]?["image"] == "busybox")
        }
    }

    @Test("a report of an installation has its parts, and no value of a secret")
    func report() async throws {
        try await withCluster { server, cluster, directory in
            try await server.apply(
                yaml: """
                    apiVersion: v1
                    kind: Secret
                    metadata: {name: storage, namespace: shop}
                    stringData: {RESTIC_PASSWORD: planted-password, AWS_ACCESS_KEY_ID: planted-id, AWS_SECRET_ACCESS_KEY: planted-secret}
                    ---
                    apiVersion: remora.dev/v1alpha1
                    kind: Repository
                    metadata:
                      name: main
                      namespace: shop
                      annotations: {kubectl.kubernetes.io/last-applied-configuration: planted-annotation}
                    spec:
                      backend: {s3: {endpoint: "https://s3.example.com", bucket: b}, storageSecretName: storage}
                    """
            )
            let file = directory.appending("report.tar")
            let (screen, ended) = await run(["report", "--file", file, "-o", "json"], in: cluster)
            #expect(ended == .succeeded, "\(screen.error)")
            let answer = try WireJSON.decode(ReportCommand.Answer.self, from: Array(screen.output.utf8))
            for plural in Install.definitions { #expect(answer.contents.contains("objects/\(plural).json")) }
            let text = String(decoding: try Data(contentsOf: URL(fileURLWithPath: file)), as: UTF8.self)
            #expect(!text.contains("planted"))
            #expect(!text.contains(server.adminToken))
            #expect(text.contains("s3.example.com"))
        }
    }
}
