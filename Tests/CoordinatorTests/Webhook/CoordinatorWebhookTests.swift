import Foundation
import HTTPClient
import Logging
import ServiceLifecycle
import TestSupport
import Testing

@testable import Coordinator

@Suite("A coordinator with a webhook")
struct CoordinatorWebhookTests {
    @Test("serves it from its configuration, and shows agents the same certificate")
    func together() async throws {
        try await withTestDirectory("webhook") { directory in
            try RunningCoordinator.prepare(directory)
            let agents = try #require(ListenAddress("127.0.0.1:\(try Ports.free())"))
            let webhook = try #require(ListenAddress("127.0.0.1:\(try Ports.free())"))
            var configuration = CoordinatorConfiguration(
                objectsDirectory: directory.appending("objects"),
                secretsDirectory: directory.appending("secrets"),
                stateDirectory: directory.appending("state"),
                listen: agents,
                enrolmentTokenFile: directory.appending("state/enrolment.token"),
                version: "test"
            )
            let store = DirectoryAuthorityStore(directory: directory.appending("state/authority"))
            var served = WebhookConfiguration(
                listen: webhook,
                injector: RunningWebhook.settings,
                certificates: .authority(store),
                names: WebhookConfiguration.names(ofServices: ["remora-webhook", "remora-agents"], in: "remora-system")
            )
            served.lingering = .zero
            configuration.webhook = served
            let service = try CoordinatorService(configuration, logger: CertificateKeeperTests.quiet)
            let group = ServiceGroup(configuration: .init(services: [service], logger: CertificateKeeperTests.quiet))
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await group.run() }
                let bundle = try await eventually("there is an authority") { try await store.load()?.state?.bundle }
                for (name, address) in [
                    ("remora-agents.remora-system.svc", agents), ("remora-webhook.remora-system.svc", webhook),
                ] {
                    let client = HTTPClient(HTTPClientConfiguration(trust: .pem(Array(bundle.utf8)), serverName: name))
                    try await eventually("\(name) is ready") {
                        try await client.send(HTTPRequest(url: "https://\(address)/readyz")).status == 200
                    }
                }
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
            }
        }
    }
}
