import FakeAPIServer
import Foundation
import Testing

@Suite("manual")
struct ManualServe {
    @Test("manual", .enabled(if: ProcessInfo.processInfo.environment["FAKE_SERVE"] != nil))
    func serve() async throws {
        let path = ProcessInfo.processInfo.environment["FAKE_SERVE"] ?? ""
        try await FakeAPIServer.run { server in
            try Data(server.kubeconfig().utf8).write(to: URL(fileURLWithPath: path))
            while FileManager.default.fileExists(atPath: path) { try await Task.sleep(for: .milliseconds(200)) }
        }
    }
}
