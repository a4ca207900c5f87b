import Glibc
import HTTPClient
import Synchronization
import TestSupport
import Testing

@Suite("the HTTP client: whole exchanges")
struct ExchangeTests {
    @Test("sends method, fields and path, and gives back status, fields and body")
    func roundTrip() async throws {
        let seen = Mutex<RawRequest?>(nil)
        try await withRawServer { connection in
            while let request = connection.readRequest() {
                seen.withLock { $0 = request }
                connection.respond("404 Not Found", ["X-Thing: one", "x-thing:  two ", "Empty:"], "no such")
            }
        } _: { server in
            let response = try await HTTPClient().send(
                HTTPRequest(
                    url: server.url + "/a%2Fb/../c?x=%20y",
                    headers: [("Authorization", "secret"), ("X-Empty", "")]
                )
            )
            #expect(response.status == 404)
            #expect(response.headers["X-THING"] == "one")
            #expect(response.headers.all("x-Thing") == ["one", "two"])
            #expect(response.headers["empty"] == "")
            #expect(response.headers["absent"] == nil)
            #expect(response.body == Array("no such".utf8))
            let request = try #require(seen.withLock { $0 })
            #expect(request.line == "GET /a%2Fb/../c?x=%20y HTTP/1.1")
            #expect(request.field("authorization") == "secret")
            #expect(request.field("x-empty") == "")
            #expect(request.field("user-agent") == "remora")
            #expect(request.field("content-length") == nil)
        }
    }

    @Test(
        "sends bodies of any size whole, with their length and without waiting for a 100",
        arguments: [0, 1, 70_000, 9 << 20]
    )
    func upload(_ count: Int) async throws {
        let body = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        for method in ["PUT", "POST", "PATCH"] {
            let seen = Mutex<RawRequest?>(nil)
            try await withRawServer { connection in
                while let request = connection.readRequest() {
                    seen.withLock { $0 = request }
                    connection.respond("200 OK")
                }
            } _: { server in
                let response = try await HTTPClient().send(HTTPRequest(method: method, url: server.url, body: body))
                #expect(response.status == 200)
                let request = try #require(seen.withLock { $0 })
                #expect(request.method == method)
                #expect(request.field("content-length") == "\(count)")
                #expect(request.field("expect") == nil)
                #expect(request.field("transfer-encoding") == nil)
                #expect(request.body == body)
            }
        }
    }

    @Test("takes the head of a HEAD response for what it is")
    func head() async throws {
        try await withRawServer { connection in
            while connection.readRequest() != nil {
                connection.write("HTTP/1.1 200 OK\r\nContent-Length: 123456789\r\n\r\n")
            }
        } _: { server in
            let client = HTTPClient()
            for _ in 0..<2 {
                let response = try await client.send(HTTPRequest(method: "HEAD", url: server.url, maxResponseBytes: 10))
                #expect(response.headers["content-length"] == "123456789")
                #expect(response.body.isEmpty)
            }
            #expect(server.connectionCount == 1)
        }
    }

    @Test("uses a connection again, and doesn't mind when it was closed meanwhile")
    func reuse() async throws {
        try await withRawServer { connection in
            let answers = connection.number == 1 ? 3 : 100
            for _ in 0..<answers {
                guard let request = connection.readRequest() else { return }
                connection.respond("200 OK", [], "\(request.body.count)")
            }
        } _: { server in
            let client = HTTPClient()
            for round in 0..<6 {
                let response = try await client.send(
                    HTTPRequest(method: "PUT", url: server.url, body: [UInt8](repeating: 1, count: 100_000))
                )
                #expect(response.body == Array("100000".utf8), "round \(round)")
            }
            #expect(server.connectionCount == 2)
        }
    }

    @Test("doesn't follow redirects and passes over interim responses")
    func redirect() async throws {
        try await withRawServer { connection in
            while connection.readRequest() != nil {
                connection.write("HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n")
                connection.respond("302 Found", ["Location: /elsewhere"], "moved")
            }
        } _: { server in
            let response = try await HTTPClient().send(HTTPRequest(url: server.url))
            #expect(response.status == 302)
            #expect(response.headers["location"] == "/elsewhere")
            #expect(response.headers["link"] == nil)
            #expect(server.connectionCount == 1)
        }
    }

    @Test("reads chunked bodies with leading white space as they are")
    func chunked() async throws {
        try await withRawServer { connection in
            _ = connection.readRequest()
            connection.write(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n \r\n2\r\n\n \r\n4\r\n{\"a\"\r\n3\r\n:1}\r\n0\r\n\r\n"
            )
            connection.waitForEnd()
        } _: { server in
            let response = try await HTTPClient().send(HTTPRequest(url: server.url))
            #expect(response.body == Array(" \n {\"a\":1}".utf8))
        }
    }

    @Test("holds many waiting exchanges at once without holding up the rest of the program")
    func manyAtOnce() async throws {
        let waiting = Mutex(0)
        let released = Mutex(false)
        try await withRawServer { connection in
            while let request = connection.readRequest() {
                if request.path == "/wait" {
                    waiting.withLock { $0 += 1 }
                    while !released.withLock({ $0 }) { usleep(1000) }
                }
                connection.respond("200 OK", [], request.path)
            }
        } _: { server in
            let client = HTTPClient(HTTPClientConfiguration(maxConnections: 64))
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<40 {
                    group.addTask { try await client.send(HTTPRequest(url: server.url + "/wait")).status == 200 }
                }
                while waiting.withLock({ $0 }) < 40 { try await Task.sleep(for: .milliseconds(1)) }
                let quick = try await client.send(HTTPRequest(url: server.url + "/quick"))
                #expect(quick.body == Array("/quick".utf8))
                released.withLock { $0 = true }
                for try await isGood in group { #expect(isGood) }
            }
        }
    }

    @Test("lets requests wait for a connection when all are in use")
    func connectionLimit() async throws {
        try await withRawServer { connection in
            while let request = connection.readRequest() { connection.respond("200 OK", [], request.path) }
        } _: { server in
            let client = HTTPClient(HTTPClientConfiguration(maxConnections: 2))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<50 {
                    group.addTask {
                        let response = try await client.send(HTTPRequest(url: server.url + "/\(index)"))
                        #expect(response.body == Array("/\(index)".utf8))
                    }
                }
                try await group.waitForAll()
            }
            #expect(server.connectionCount <= 2)
        }
    }
}

@Suite("the HTTP client: kept connections")
struct KeptConnectionTests {
    /// Two requests; the server takes the second one and breaks off.
    private func breakOff(_ isFresh: Bool) async throws -> (Result<HTTPResponse, any Error>, requests: Int) {
        let requests = Mutex(0)
        return try await withRawServer { connection in
            while connection.readRequest() != nil {
                let count = requests.withLock {
                    $0 += 1; return $0
                }
                if count == 2 { return }
                connection.respond("200 OK")
            }
        } _: { server in
            let client = HTTPClient()
            _ = try await client.send(HTTPRequest(url: server.url))
            do {
                let request = HTTPRequest(method: "PUT", url: server.url, body: [1], usesFreshConnection: isFresh)
                return (.success(try await client.send(request)), requests.withLock { $0 })
            } catch {
                return (.failure(error), requests.withLock { $0 })
            }
        }
    }

    @Test("repeats a request unseen when the kept connection breaks")
    func repeats() async throws {
        let (result, requests) = try await breakOff(false)
        #expect(try result.get().status == 200)
        #expect(requests == 3)
    }

    @Test("sends a request once when it is to have a connection of its own")
    func once() async throws {
        let (result, requests) = try await breakOff(true)
        #expect(throws: HTTPClientError.self) { try result.get() }
        #expect(requests == 2)
    }
}
