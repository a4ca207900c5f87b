import FakeAPIServer
import Foundation
import HTTPClient
import Kubernetes
import TestSupport

/// An API server as clusters have it, and clients of it: TLS, HTTP/2 on offer, roles in force.
struct ClusterWire: Sendable {
    let server: FakeAPIServer

    /// Runs `body` with a server that has the namespace `shop`.
    static func run(
        _ body: (ClusterWire) async throws -> Void
    ) async throws {
        var options = FakeAPIServerOptions()
        options.bookmarkInterval = .milliseconds(100)
        try await FakeAPIServer.run(options) { server in
            try await server.create(["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": "shop"]])
            try await body(ClusterWire(server: server))
        }
    }

    /// What shows the administrator's token and trusts the server's authority.
    var access: Access {
        Access(authorization: "Bearer \(server.adminToken)", trust: .pem(Array(server.authority.utf8)))
    }

    func client(adjust: (inout ClientConfiguration) -> Void = { _ in }) -> KubernetesClient {
        client(ClientConfiguration(server: server.url, access: FixedAccess(access)), adjust: adjust)
    }

    func client(
        _ configuration: ClientConfiguration,
        adjust: (inout ClientConfiguration) -> Void = { _ in }
    ) -> KubernetesClient {
        var configuration = configuration
        configuration.callsPerSecond = 10_000
        configuration.burst = 10_000
        configuration.retry = RetryRules(firstDelay: .milliseconds(10), longestDelay: .milliseconds(100))
        adjust(&configuration)
        return KubernetesClient(configuration)
    }

    /// A ConfigMap with so many letters of two bytes.
    static func map(_ name: String, letters: Int = 5) -> KubernetesObject {
        var object = KubernetesObject(.configMaps, name: name, namespace: "shop")
        object["data"] = ["x": .string(String(repeating: "é", count: letters))]
        return object
    }

    func create(_ name: String, letters: Int = 5) async throws {
        try await server.create(Self.map(name, letters: letters).tree)
    }

    static let mapsPath = "/api/v1/namespaces/shop/configmaps"

    /// Files and sockets that this process has open.
    static var openFiles: Int {
        get throws { try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count }
    }
}
