import FakeAPIServer
import Kubernetes
import TestSupport

/// Two replicas of the real coordinator, each in a pod of its own.
struct ClusterReplicas: Sendable {
    static let namespace = "remora-system"

    let servers: [Server]

    init(_ fake: FakeAPIServer, in directory: TestDirectory) async throws {
        var servers: [Server] = []
        for index in 0..<2 {
            let name = Self.pod(index)
            try await fake.create([
                "apiVersion": "v1", "kind": "Pod",
                "metadata": [
                    "name": .string(name), "namespace": .string(Self.namespace),
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
            let token = try fake.serviceAccountToken(
                namespace: Self.namespace,
                account: "remora-coordinator",
                pod: name
            )
            try directory.write(fake.kubeconfig(token: token, namespace: Self.namespace), to: "kubeconfig-\(index)")
            servers.append(
                Server(
                    "coordinator \(index)",
                    program: try Binaries.beside().path("remora-coordinator"),
                    arguments: [
                        "--mode", "cluster", "--kubeconfig", directory.appending("kubeconfig-\(index)"),
                        "--namespace", Self.namespace, "--pod-name", name,
                        "--listen", "127.0.0.1:\(try Ports.free())",
                        "--webhook-listen", "127.0.0.1:\(try Ports.free())",
                        "--agent-image", "remora-agent:test", "--state",
                        try directory.makeDirectory("coordinator-\(index)"),
                    ],
                    logPath: directory.appending("coordinator-\(index).log")
                )
            )
        }
        self.servers = servers
    }

    private static func pod(_ index: Int) -> String { "remora-coordinator-\(index)" }

    /// Whether this one leads, by the label that the agents' service goes by: it is set when everything has been read.
    func isLeading(_ index: Int, _ fake: FakeAPIServer) -> Bool {
        let pod = fake.object("pods", namespace: Self.namespace, name: Self.pod(index))
        return pod?[path: "metadata", "labels", "remora.dev/leader"] == "true" && leaseHolder(fake) == Self.pod(index)
    }

    private func leaseHolder(_ fake: FakeAPIServer) -> String? {
        let lease = fake.object(
            "leases",
            group: "coordination.k8s.io",
            namespace: Self.namespace,
            name: "remora-coordinator"
        )
        // Behind the pod's name there may be what tells its processes apart.
        return lease?[path: "spec", "holderIdentity"]?.string.map { holder in
            String(holder.prefix { $0 != "_" && $0 != "/" })
        }
    }

    func stop() async {
        for server in servers { await server.stop(grace: .seconds(5)) }
    }

    func logs() -> String { servers.map { $0.logTail() }.joined(separator: "\n") }
}
