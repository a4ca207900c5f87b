import Foundation
import HTTPClient
import Kubernetes
import TestSupport
import Testing

@Suite("access from within a cluster")
struct AccessTests {
    private func write(_ text: String, to path: String) throws {
        try Data(text.utf8).write(to: URL(filePath: path))
    }

    @Test(
        "the API server's address is the pod's environment",
        arguments: [
            ("10.0.0.1", "https://10.0.0.1:6443"), ("fd00::1", "https://[fd00::1]:6443"),
            ("k.svc", "https://k.svc:6443"),
        ]
    )
    func address(host: String, url: String) async throws {
        try await withTestDirectory { directory in
            try directory.write("token\n", to: "token")
            try directory.write("pem", to: "ca.crt")
            try directory.write("remora-system", to: "namespace")
            let configuration = try ClientConfiguration.inCluster(
                environment: ["KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": "6443"],
                directory: directory.path
            )
            #expect(configuration.server == url && configuration.namespace == "remora-system")
            #expect(try await configuration.access.access().authorization == "Bearer token")
        }
    }

    @Test("outside a pod the error says what to do")
    func outside() {
        let error = #expect(throws: KubernetesError.self) { _ = try ClientConfiguration.inCluster(environment: [:]) }
        #expect(error?.code == .configuration && error?.message.contains("kubeconfig") == true)
    }

    @Test("the token is read again after a minute, and the authority when its file is another")
    func rotation() async throws {
        try await withTestDirectory { directory in
            try directory.write("one", to: "token")
            try directory.write("pem", to: "ca.crt")
            let time = QuickTime()
            let access = InClusterAccess(
                tokenFile: directory.appending("token"),
                authorityFile: directory.appending("ca.crt"),
                time: time.source
            )
            #expect(try access.access().authorization == "Bearer one")
            try write("two", to: directory.appending("token"))
            try write("new pem", to: directory.appending("ca.crt"))
            time.advance(.seconds(59))
            let changed = try access.access()
            #expect(changed.authorization == "Bearer one")
            guard case .pem(let pem) = changed.trust else {
                Issue.record("the authority isn't kept in memory")
                return
            }
            #expect(pem == Array("new pem".utf8))
            time.advance(.seconds(1))
            #expect(try access.access().authorization == "Bearer two")
            // A file that is gone for a moment, as while it is replaced, changes nothing.
            try FileManager.default.removeItem(atPath: directory.appending("token"))
            time.advance(.seconds(61))
            #expect(try access.access().authorization == "Bearer two")
            access.forget()
            let error = #expect(throws: KubernetesError.self) { _ = try access.access() }
            #expect(error?.message.contains("token") == true)
        }
    }

    @Test("a token that the server refuses is read again once, and a second refusal is an error")
    func refused() async throws {
        try await withTestDirectory { directory in
            try directory.write("old", to: "token")
            let file = TokenFileAccess(file: directory.appending("token"), fixed: Access(), time: QuickTime().source)
            try await withAPI { request, _, connection in
                request.field("authorization") == "Bearer new"
                    ? connection.json(200, pod("a", "1")) : connection.fail(401, "Unauthorized", "Unauthorized")
            } _: { server in
                let client = server.client(file)
                let error = await #expect(throws: KubernetesError.self) {
                    _ = try await client.get(.pods, name: "a", namespace: "shop")
                }
                #expect(error?.isUnauthorized == true && error?.message.contains("expired") == true)
                #expect(server.seen.count == 2)
                try write("new", to: directory.appending("token"))
                #expect(try await client.get(.pods, name: "a", namespace: "shop").name == "a")
                #expect(server.seen.count == 4)
                _ = try await client.watch(.pods, from: "1")
            }
        }
    }
}
