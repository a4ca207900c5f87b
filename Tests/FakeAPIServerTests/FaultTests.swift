import FakeAPIServer
import HTTPClient
import Kubernetes
import Testing

@Suite("the fake API server: scripted misbehaviour")
struct FaultTests {
    @Test("statuses and bodies as scripted, so many times")
    func statuses() async throws {
        try await FakeAPIServer.withShop { server in
            let busy = server.misbehave(.status(429, retryAfter: 7), verb: "list", path: "/configmaps", times: 2)
            for _ in 0..<2 {
                let response = try await server.http("GET", Samples.configMaps)
                #expect(response.status == 429 && response.headers["Retry-After"] == "7")
            }
            #expect(try await server.http("GET", Samples.configMaps).status == 200)
            #expect(busy.uses == 2)
            server.misbehave(.body("<html>"), path: "/configmaps")
            #expect(try await server.http("GET", Samples.configMaps).body == Array("<html>".utf8))
            server.misbehave(.gone, path: "/configmaps")
            #expect(try await server.http("GET", Samples.configMaps).status == 410)
            server.misbehave(.unauthorized)
            #expect(try await server.http("GET", Samples.configMaps).status == 401)
        }
    }

    @Test("a body cut into single bytes still reads the same")
    func pieces() async throws {
        try await FakeAPIServer.withShop { server in
            try await server.create(Samples.configMap("a", ["x": "äöü😀"]), namespace: "shop")
            let whole = try await server.http("GET", "\(Samples.configMaps)/a").body
            server.misbehave(.splitBody(every: 1), path: "/configmaps/a")
            #expect(try await server.http("GET", "\(Samples.configMaps)/a").body == whole)
            server.misbehave(.splitBody(every: 3), verb: "watch")
            let lines = try await server.lines("\(Samples.configMaps)?watch=1&resourceVersion=0", 2)
            #expect(lines.count == 2 && lines[0]["object"]?["data"]?["x"] == "äöü😀")
        }
    }

    @Test("connections break where they are told to", arguments: [0, 10])
    func cuts(bytes: Int) async throws {
        try await FakeAPIServer.withShop { server in
            server.misbehave(.closeConnection(afterBytes: bytes), path: "/configmaps")
            await #expect(throws: HTTPClientError.self) { _ = try await server.http("GET", Samples.configMaps) }
            let after = try await server.http("GET", Samples.configMaps)
            #expect(after.status == 200)
        }
    }

    @Test("an answer that hangs comes when the fault is lifted")
    func hangs() async throws {
        try await FakeAPIServer.withShop { server in
            let fault = server.misbehave(.hang, path: "/configmaps")
            async let response = server.http("GET", Samples.configMaps)
            try await server.waitForRequest("the list") { $0.path.hasSuffix("/configmaps") && $0.status == 0 }
            fault.lift()
            #expect(try await response.status == 200)
        }
    }

    @Test("the log tells who asked what, as which program")
    func log() async throws {
        try await FakeAPIServer.withShop { server in
            _ = try await server.http("GET", "\(Samples.configMaps)?limit=5")
            let request = try await server.waitForRequest("the list") { $0.verb == "list" && $0.status == 200 }
            #expect(
                request.path == Samples.configMaps && request.query == "limit=5" && request.user == "kubernetes-admin"
            )
            #expect(request.userAgent == "remora")
        }
    }
}
