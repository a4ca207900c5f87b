import FakeAPIServer
import Kubernetes
import TestSupport

/// Two replicas of the real coordinator, each in a pod of its own.
struct ClusterReplicas: Sendable {
    static let namespace = FakeAPIServer.coordinatorNamespace

    let servers: [Server]

    init(_ fake: FakeAPIServer, in directory: TestDirectory) async throws {
        var servers: [Server] = []
        for index in 0..<2 {
            let webhook = try Ports.free()
            servers.append(
                try await fake.makeCoordinator(index, in: directory, listen: Ports.free(), webhook: webhook)
            )
            // The first one leads while there is something to inject.
            if index == 0 { fake.route(namespace: Self.namespace, service: "remora-webhook", to: Int(webhook)) }
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
