import FakeAPIServer
import HTTPClient
import Kubernetes
import TestSupport
import Testing

@Suite("the fake API server: TLS and HTTP/2")
struct HTTP2Tests {
    private static let list = Samples.configMaps
    private static let watch = "\(Samples.configMaps)?watch=1&allowWatchBookmarks=true&resourceVersion=0"

    /// Runs `body` with a server as clusters have it, and a client that keeps its connections.
    private func with(
        isHTTP2: Bool = true,
        offersHTTP2: Bool = true,
        maxConcurrentStreams: Int = 100,
        _ body: (FakeAPIServer, Caller) async throws -> Void
    ) async throws {
        var options = FakeAPIServerOptions()
        options.bookmarkInterval = .milliseconds(50)
        options.offersHTTP2 = offersHTTP2
        options.maxConcurrentStreams = maxConcurrentStreams
        try await FakeAPIServer.run(options) { server in
            try await server.create(Samples.namespace())
            try await body(server, Caller(server, isHTTP2: isHTTP2))
        }
    }

    private struct Caller: Sendable {
        let server: FakeAPIServer
        let client: HTTPClient

        init(_ server: FakeAPIServer, isHTTP2: Bool) {
            self.server = server
            var configuration = HTTPClientConfiguration(caFile: nil, caPEM: Array(server.authority.utf8))
            configuration.usesHTTP2 = isHTTP2
            client = HTTPClient(configuration)
        }

        private func request(_ target: String) -> HTTPRequest {
            HTTPRequest(url: server.url + target, headers: [("Authorization", "Bearer \(server.adminToken)")])
        }

        func get(_ target: String) async throws -> HTTPResponse { try await client.send(request(target)) }
        func watch() async throws -> HTTPBody { try await client.stream(request(HTTP2Tests.watch)).body }
    }

    @Test(
        "the client chooses among the versions of HTTP on offer",
        arguments: [(true, true), (true, false), (false, true)]
    )
    func negotiation(isWanted: Bool, isOffered: Bool) async throws {
        try await with(isHTTP2: isWanted, offersHTTP2: isOffered) { server, caller in
            for _ in 0..<3 { #expect(try await caller.get(Self.list).status == 200) }
            let connection = try #require(server.connections.first)
            #expect(connection.isHTTP2 == (isWanted && isOffered) && connection.requests == 3)
            #expect(server.connections.count == 1)
        }
    }

    @Test("a connection that closes takes all its streams with it", arguments: [0, 10])
    func cut(bytes: Int) async throws {
        try await with { server, caller in
            var watch = try await caller.watch().makeAsyncIterator()
            #expect(try await watch.next() != nil)
            server.misbehave(.closeConnection(afterBytes: bytes), verb: "list", path: "/configmaps")
            let error = await #expect(throws: HTTPClientError.self) { _ = try await caller.get(Self.list) }
            #expect(error?.code == .brokenConnection && error?.isTransient == true)
            await #expect(throws: HTTPClientError.self) { while try await watch.next() != nil {} }
            #expect(try await caller.get(Self.list).status == 200)
            #expect(server.connections.map(\.requests) == [2, 1])
            try await server.waitForWatches(count: 0)
        }
    }

    @Test("a stream that is reset leaves the others alone", arguments: [0, 10])
    func reset(bytes: Int) async throws {
        try await with { server, caller in
            var watch = try await caller.watch().makeAsyncIterator()
            server.misbehave(.resetStream(afterBytes: bytes), verb: "list", path: "/configmaps")
            let error = await #expect(throws: HTTPClientError.self) { _ = try await caller.get(Self.list) }
            #expect(error?.code == .brokenConnection && error?.isTransient == true)
            #expect(error?.message.contains("INTERNAL_ERROR") == true)
            for _ in 0..<3 { #expect(try await watch.next() != nil) }
            #expect(try await caller.get(Self.list).status == 200)
            #expect(server.connections.map(\.requests) == [3])
        }
    }

    @Test("GOAWAY lets what is under way go on, and sends what comes elsewhere", arguments: [true, false])
    func goAway(isScripted: Bool) async throws {
        try await with { server, caller in
            var watch: HTTPBody.Iterator? = try await caller.watch().makeAsyncIterator()
            #expect(try await watch?.next() != nil)
            if isScripted {
                server.misbehave(.goAway(afterBytes: 10), verb: "list", path: "/configmaps")
                #expect(try await caller.get(Self.list).status == 200)
            } else {
                server.goAway()
            }
            try await server.create(Samples.configMap("a"), namespace: "shop")
            var text = ""
            while !text.contains("ADDED"), let chunk = try await watch?.next() {
                text += String(decoding: chunk, as: UTF8.self)
            }
            #expect(text.contains("\"ADDED\""))
            #expect(try await caller.get(Self.list).status == 200)
            #expect(server.connections.map(\.isOpen) == [true, true])
            watch = nil
            try await eventually("the old connection ends with its last stream") {
                server.connections.map(\.isOpen) == [false, true]
            }
        }
    }

    @Test("over HTTP/1.1 a server that shuts down ends a connection behind its answer")
    func goAwayHTTP1() async throws {
        try await with(isHTTP2: false) { server, caller in
            server.misbehave(.goAway(afterBytes: 10), verb: "list", path: "/configmaps")
            for _ in 0..<2 {
                let answer = try await caller.get(Self.list)
                #expect(answer.status == 200)
            }
            #expect(server.connections.map(\.requests) == [1, 1])
        }
    }

    @Test("GOAWAY and the end at once break every stream", arguments: [0, 10])
    func goAwayAndClose(bytes: Int) async throws {
        try await with { server, caller in
            var watch = try await caller.watch().makeAsyncIterator()
            server.misbehave(.goAwayAndClose(afterBytes: bytes), verb: "list", path: "/configmaps")
            await #expect(throws: HTTPClientError.self) { _ = try await caller.get(Self.list) }
            await #expect(throws: HTTPClientError.self) { while try await watch.next() != nil {} }
            #expect(try await caller.get(Self.list).status == 200)
            #expect(server.connections.map(\.requests) == [2, 1])
        }
    }

    @Test("no more streams at once than the server allows")
    func fewStreams() async throws {
        try await with(maxConcurrentStreams: 3) { server, caller in
            #expect(try await caller.get(Self.list).status == 200)
            var watches: [HTTPBody] = []
            for _ in 0..<5 { watches.append(try await caller.watch()) }
            #expect(server.connections.map(\.requests) == [4, 2])
            #expect(server.openWatches() == 5)
            _ = consume watches
        }
    }

    @Test("a body cut into pieces reads the same")
    func pieces() async throws {
        try await with { server, caller in
            try await server.create(Samples.configMap("a", ["x": "äöü😀"]), namespace: "shop")
            let whole = try await caller.get("\(Self.list)/a").body
            server.misbehave(.splitBody(every: 1), path: "/configmaps/a")
            #expect(try await caller.get("\(Self.list)/a").body == whole)
        }
    }

    @Test("a frozen connection is open and says nothing")
    func frozen() async throws {
        try await with(isHTTP2: false) { server, caller in
            let answer = try await caller.get(Self.list)
            #expect(answer.status == 200)
            await server.freezeConnections()
            var request = HTTPRequest(
                url: server.url + Self.list,
                headers: [("Authorization", "Bearer \(server.adminToken)")]
            )
            request.timeout = .milliseconds(300)
            let error = await #expect(throws: HTTPClientError.self) { _ = try await caller.client.send(request) }
            #expect(error?.code == .timedOut)
            #expect(server.requests.filter { $0.path == Self.list }.count == 1)
        }
    }

    @Test("who shows a certificate needs no token, and one that nobody signed is none")
    func certificates() async throws {
        try await with { server, _ in
            let own = try server.clientCertificate(for: Identity(username: "carol", groups: ["system:masters"]))
            var configuration = HTTPClientConfiguration(caFile: nil, caPEM: Array(server.authority.utf8))
            let unknown = try await HTTPClient(configuration).send(HTTPRequest(url: server.url + Self.list))
            #expect(unknown.status == 401)
            configuration.clientCertificatePEM = Array(own.certificate.utf8)
            configuration.clientKeyPEM = Array(own.key.utf8)
            for isHTTP2 in [true, false] {
                configuration.usesHTTP2 = isHTTP2
                let response = try await HTTPClient(configuration).send(HTTPRequest(url: server.url + Self.list))
                #expect(response.status == 200 && server.requests.last?.user == "carol")
            }
            try await server.replaceAuthority()
            configuration.trust = .pem(Array(server.authority.utf8))
            let error = await #expect(throws: HTTPClientError.self) {
                _ = try await HTTPClient(configuration).send(HTTPRequest(url: server.url + Self.list))
            }
            #expect(error?.code == .tls || error?.code == .brokenConnection, "\(error?.message ?? "")")
        }
    }
}
