import Foundation
import HTTPClient
import TestSupport

/// The real coordinator with its webhook, on one core: `taskset` becomes the coordinator.
struct WebhookCoordinator: Sendable {
    let server: Server
    private let directory: TestDirectory
    private let port: UInt16
    private static let name = "remora-webhook.remora-system.svc"

    init(in directory: TestDirectory) throws {
        self.directory = directory
        port = try Ports.free()
        for folder in ["objects", "secrets", "state"] { _ = try directory.makeDirectory(folder) }
        server = Server(
            "coordinator",
            program: "/usr/bin/taskset",
            arguments: [
                "--cpu-list", "0", try Binaries.beside().path("remora-coordinator"),
                "--objects", directory.appending("objects"), "--secrets", directory.appending("secrets"),
                "--state", directory.appending("state"), "--listen", "127.0.0.1:\(try Ports.free())",
                "--webhook-listen", "127.0.0.1:\(port)", "--agent-image", "acme/remora-agent@sha256:1",
                "--log-level", "warning",
            ],
            logPath: directory.appending("coordinator.log")
        )
    }

    /// Starts it and waits until it is ready.
    func start() async throws {
        try await server.launch()
        try await server.waitUntilReady(within: .seconds(60)) {
            try await client().send(HTTPRequest(url: "https://127.0.0.1:\(port)/readyz")).status == 200
        }
    }

    /// A client as the API server is one, with a connection of its own.
    func client() throws -> HTTPClient {
        struct State: Decodable {
            struct Current: Decodable { var certificate: String }
            var current: Current
        }
        let data = try Data(contentsOf: URL(fileURLWithPath: directory.appending("state/authority/authority.json")))
        let certificate = try JSONDecoder().decode(State.self, from: data).current.certificate
        return HTTPClient(
            HTTPClientConfiguration(trust: .pem(Array(certificate.utf8)), serverName: Self.name, maxConnections: 1)
        )
    }

    func request(_ body: [UInt8]) -> HTTPRequest {
        HTTPRequest(
            method: "POST",
            url: "https://127.0.0.1:\(port)/webhook/v1/inject?timeout=5s",
            headers: [("Content-Type", "application/json")],
            body: body
        )
    }
}
