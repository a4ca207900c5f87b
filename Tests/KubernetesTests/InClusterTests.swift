import FakeAPIServer
import Foundation
import HTTPClient
import Kubernetes
import KubernetesConfiguration
import TestSupport
import Testing

/// From what a pod or a person has to calls that are answered, against a server with TLS.
@Suite("Kubernetes client: access to a real server's like", .serialized)
struct InClusterTests {
    /// What the kubelet puts into a pod.
    private struct Pod {
        let wire: ClusterWire
        let directory: TestDirectory
        let time = QuickTime()

        init(_ wire: ClusterWire, _ directory: TestDirectory) async throws {
            self.wire = wire
            self.directory = directory
            try await wire.server.create([
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
                "metadata": ["name": "all"],
                "roleRef": ["apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"],
                "subjects": [["kind": "ServiceAccount", "name": "default", "namespace": "shop"]],
            ])
            await wire.server.settle()
            try writeAuthority()
            try directory.write("shop", to: "namespace")
        }

        /// Gives the pod a new token.
        func writeToken() throws -> String {
            let token = try wire.server.serviceAccountToken(namespace: "shop")
            try replace("token", token)
            return token
        }

        func writeAuthority() throws { try replace("ca.crt", wire.server.authority) }

        /// By a new file in the old one's place, as the kubelet does.
        private func replace(_ name: String, _ text: String) throws {
            try directory.write(text, to: "\(name).new")
            guard rename(directory.appending("\(name).new"), directory.appending(name)) == 0 else {
                throw TestSupportError("cannot rename \(name)")
            }
        }

        func client() throws -> KubernetesClient {
            let address = try #require(URL(string: wire.server.url))
            let configuration = try ClientConfiguration.discover(
                environment: [
                    "KUBERNETES_SERVICE_HOST": try #require(address.host),
                    "KUBERNETES_SERVICE_PORT": "\(try #require(address.port))",
                ],
                directory: directory.path
            )
            return wire.client(configuration)
        }
    }

    @Test("a pod finds its server, and goes on when its token and then the authority are exchanged")
    func rotation() async throws {
        try await withTestDirectory { directory in
            try await ClusterWire.run { wire in
                let pod = try await Pod(wire, directory)
                let first = try pod.writeToken()
                let client = try pod.client()
                #expect(client.defaultNamespace == "shop" && client.configuration.server == wire.server.url)
                let informer = Informer(
                    client,
                    .configMaps,
                    namespace: "shop",
                    timing: WatchTiming(firstDelay: .milliseconds(10), longestDelay: .milliseconds(50))
                )
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { await informer.run() }
                    try await informer.waitUntilSynced()
                    #expect(wire.server.requests.last?.user == "system:serviceaccount:shop:default")

                    _ = try pod.writeToken()
                    wire.server.revoke(first)
                    _ = try await client.list(.configMaps, namespace: "shop")
                    try await wire.create("after-token")
                    try await eventually("the informer goes on") {
                        informer.object(named: "after-token", in: "shop") != nil
                    }

                    try await wire.server.replaceAuthority()
                    wire.server.cutConnections()
                    let refused = await #expect(throws: KubernetesError.self) {
                        _ = try await client.list(.configMaps, namespace: "shop")
                    }
                    #expect(refused?.code == .tls)
                    try pod.writeAuthority()
                    _ = try await client.list(.configMaps, namespace: "shop")
                    try await wire.create("after-authority")
                    try await eventually("the informer goes on") {
                        informer.object(named: "after-authority", in: "shop") != nil
                    }
                    group.cancelAll()
                    try await group.waitForAll()
                }
            }
        }
    }

    @Test("an exchange of the authority that finds the connections open breaks none of them")
    func quietRotation() async throws {
        try await withTestDirectory { directory in
            try await ClusterWire.run { wire in
                let pod = try await Pod(wire, directory)
                _ = try pod.writeToken()
                let client = try pod.client()
                var watch = try await client.watch(.configMaps, namespace: "shop", from: "0")
                try await wire.server.replaceAuthority()
                try pod.writeAuthority()
                _ = try await client.list(.configMaps, namespace: "shop")
                try await wire.create("a")
                while let event = try await watch.next() {
                    if case .added(let object) = event, object.name == "a" { break }
                }
                #expect(wire.server.connections.count { $0.isOpen } == 2)
            }
        }
    }

    @Test("a kubeconfig's certificate is who we are, and its server name is whom we expect")
    func kubeconfig() async throws {
        try await ClusterWire.run { wire in
            let own = try wire.server.clientCertificate(for: Identity(username: "carol", groups: ["system:masters"]))
            func client(_ fields: String) async throws -> KubernetesClient {
                let text = """
                    apiVersion: v1
                    kind: Config
                    current-context: c
                    clusters:
                    - name: c
                      cluster:
                        server: \(wire.server.url)
                        certificate-authority-data: \(Data(wire.server.authority.utf8).base64EncodedString())
                        \(fields)
                    users:
                    - name: c
                      user:
                        client-certificate-data: \(Data(own.certificate.utf8).base64EncodedString())
                        client-key-data: \(Data(own.key.utf8).base64EncodedString())
                    contexts:
                    - name: c
                      context: {cluster: c, user: c}
                    """
                let config = try Kubeconfig(parsing: text, path: "config")
                return wire.client(try config.clientConfiguration(environment: [:])) { $0.retry = .never }
            }
            for fields in ["", "tls-server-name: localhost", "tls-server-name: kubernetes.default.svc"] {
                _ = try await client(fields).list(.configMaps)
                #expect(wire.server.requests.last?.user == "carol")
            }
            let error = await #expect(throws: KubernetesError.self) {
                _ = try await client("tls-server-name: elsewhere").list(.configMaps)
            }
            #expect(error?.code == .tls && error?.message.contains("elsewhere") == true)
        }
    }
}
