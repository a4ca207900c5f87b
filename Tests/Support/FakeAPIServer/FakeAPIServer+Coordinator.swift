import Kubernetes
public import TestSupport

extension FakeAPIServer {
    /// Namespace of the coordinator, as the manifests have it.
    public static let coordinatorNamespace = "remora-system"

    /// A replica of the real coordinator in a pod of its own, with that pod's token; not started yet.
    ///
    /// - Parameters:
    ///   - index: its number; the pod is `remora-coordinator-INDEX`.
    ///   - directory: where its kubeconfig, state and log go.
    ///   - listen: port for agents and people.
    ///   - webhook: port of the webhook.
    /// - Returns: the process.
    /// - Throws: what the API server refused, or what can't be written.
    public func makeCoordinator(
        _ index: Int,
        in directory: TestDirectory,
        listen: UInt16,
        webhook: UInt16
    ) async throws -> Server {
        let (name, namespace) = ("remora-coordinator-\(index)", Self.coordinatorNamespace)
        try await create([
            "apiVersion": "v1", "kind": "Pod",
            "metadata": [
                "name": .string(name), "namespace": .string(namespace),
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
        let token = try serviceAccountToken(namespace: namespace, account: "remora-coordinator", pod: name)
        try directory.write(kubeconfig(token: token, namespace: namespace), to: "kubeconfig-\(index)")
        return Server(
            "coordinator \(index)",
            program: try Binaries.beside().path("remora-coordinator"),
            arguments: [
                "--mode", "cluster", "--kubeconfig", directory.appending("kubeconfig-\(index)"), "--namespace",
                namespace, "--pod-name", name, "--listen", "127.0.0.1:\(listen)", "--webhook-listen",
                "127.0.0.1:\(webhook)", "--agent-image", "remora-agent:test", "--state",
                try directory.makeDirectory("coordinator-\(index)"),
            ],
            logPath: directory.appending("coordinator-\(index).log")
        )
    }
}
