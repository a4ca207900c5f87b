import Glibc
import HTTPClient
import Synchronization
import TestSupport
import Testing

@Suite("the HTTP client: failures")
struct FailureTests {
    private func failure(_ request: HTTPRequest, by client: HTTPClient = HTTPClient()) async throws -> HTTPClientError {
        try #require(await #expect(throws: HTTPClientError.self) { _ = try await client.send(request) })
    }

    @Test("says that nobody listens, and where")
    func refused() async throws {
        let server = try RawServer { _ in }
        server.stop()
        let error = try await failure(HTTPRequest(url: "http://user:pass@127.0.0.1:\(server.port)/path?token=secret"))
        #expect(error.code == .cannotConnect)
        #expect(error.isTransient)
        #expect(error.message.hasPrefix("cannot GET http://127.0.0.1:\(server.port)/path: "))
        #expect(error.message.contains("check that the server runs"))
        #expect(!error.message.contains("secret") && !error.message.contains("pass"))
    }

    @Test("says that a host name doesn't exist")
    func unknownHost() async throws {
        let error = try await failure(HTTPRequest(url: "http://no-such-host.invalid/"))
        #expect(error.code == .cannotConnect)
        #expect(error.message.contains("no-such-host.invalid"))
    }

    @Test(
        "refuses URLs it can't use",
        arguments: [
            "", "nonsense", "ftp://127.0.0.1/", "file:///etc/passwd", "http://a b/", "http://[::1/", "http://h:99999/",
        ]
    )
    func badURL(_ url: String) async throws {
        let error = try await failure(HTTPRequest(url: url))
        #expect(error.code == .invalidURL)
        #expect(!error.isTransient)
    }

    @Test("refuses fields and methods that would smuggle something")
    func badFields() async throws {
        for headers in [[("X", "a\r\nY: b")], [("X Y", "a")], [("", "a")], [("X\n", "a")], [("X", "nul\0")]] {
            #expect(
                try await failure(HTTPRequest(url: "http://127.0.0.1:1/", headers: headers)).code == .invalidRequest
            )
        }
        #expect(try await failure(HTTPRequest(method: "GET /", url: "http://127.0.0.1:1/")).code == .invalidRequest)
    }

    @Test("reports a body that ends too soon, a reset and a silent close as a broken connection")
    func broken() async throws {
        try await withRawServer { connection in
            switch connection.readRequest()?.path {
            case "/truncated": connection.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")
            case "/truncated-chunks":
                connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            case "/reset": connection.resetAtEnd()
            case "/reset-in-body":
                connection.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")
                connection.resetAtEnd()
            default: break
            }
        } _: { server in
            for path in ["/truncated", "/truncated-chunks", "/reset", "/reset-in-body", "/silence"] {
                let error = try await failure(HTTPRequest(url: server.url + path))
                #expect(error.code == .brokenConnection, "\(path)")
                #expect(error.isTransient, "\(path)")
                #expect(error.message.contains("\(server.url)\(path)"))
            }
        }
    }

    @Test("reports what isn't HTTP")
    func garbage() async throws {
        try await withRawServer { connection in
            _ = connection.readRequest()
            connection.write("220 mail.example.com ESMTP ready\r\n250 yes\r\n\r\n")
        } _: { server in
            let error = try await failure(HTTPRequest(url: server.url))
            #expect(error.code == .malformedResponse || error.code == .invalidURL, "\(error)")
        }
    }

    @Test("reports a response that is too large, announced or not")
    func tooLarge() async throws {
        try await withRawServer { connection in
            let part = String(repeating: "x", count: 600)
            if connection.readRequest()?.path == "/announced" {
                connection.respond("200 OK", [], part + part)
            } else {
                connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                for _ in 0..<2 { connection.write("258\r\n\(part)\r\n") }
            }
            connection.waitForEnd()
        } _: { server in
            for path in ["/announced", "/chunks"] {
                let error = try await failure(HTTPRequest(url: server.url + path, maxResponseBytes: 1000))
                #expect(error.code == .tooLarge)
                #expect(!error.isTransient)
                #expect(error.message.contains("1000 bytes"))
            }
        }
    }

    @Test("gives up after the whole time, and when nothing moves", arguments: [true, false])
    func timeouts(_ isWhole: Bool) async throws {
        try await withRawServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
            connection.waitForEnd()
        } _: { server in
            var request = HTTPRequest(url: server.url, timeout: nil, idleTimeout: nil)
            if isWhole { request.timeout = .milliseconds(150) } else { request.idleTimeout = .milliseconds(150) }
            let begun = ContinuousClock.now
            let error = try await failure(request)
            #expect(error.code == .timedOut)
            #expect(error.isTransient)
            #expect(error.message.contains(isWhole ? "no whole response within" : "nothing moved for"))
            #expect(ContinuousClock.now - begun >= .milliseconds(150))
        }
    }

    @Test("waits as long as keep-alives come, however slow they are together")
    func keepAlives() async throws {
        try await withRawServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
            for _ in 0..<9 {
                usleep(300_000)
                connection.write(" ")
            }
            connection.write("1")
            connection.waitForEnd()
        } _: { server in
            let response = try await HTTPClient().send(
                HTTPRequest(url: server.url, timeout: nil, idleTimeout: .seconds(2))
            )
            #expect(response.body == Array("         1".utf8))
        }
    }

    @Test("gives up connecting when the other side takes the connection and stays silent")
    func connectTimeout() async throws {
        try await withRawServer {
            $0.waitForEnd()
        } _: { server in
            let client = HTTPClient(HTTPClientConfiguration(connectTimeout: .milliseconds(200)))
            let error = try await failure(HTTPRequest(url: "https://127.0.0.1:\(server.port)/"), by: client)
            #expect(error.code == .timedOut)
        }
    }

    @Test("aborts the transfer when its task is cancelled")
    func cancellation() async throws {
        let isAsked = Mutex(false)
        let isGone = Mutex(false)
        try await withRawServer { connection in
            _ = connection.readRequest()
            isAsked.withLock { $0 = true }
            connection.waitForEnd()
            isGone.withLock { $0 = true }
        } _: { server in
            let client = HTTPClient()
            let task = Task { try await client.send(HTTPRequest(url: server.url, timeout: nil, idleTimeout: nil)) }
            while !isAsked.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(1)) }
            task.cancel()
            let error = await #expect(throws: HTTPClientError.self) { _ = try await task.value }
            #expect(error?.code == .cancelled)
            #expect(error?.isTransient == false)
            while !isGone.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(1)) }
        }
    }

    @Test("doesn't send anything in a task that is cancelled already")
    func cancelledBefore() async throws {
        try await withRawServer {
            $0.waitForEnd()
        } _: { server in
            let client = HTTPClient()
            let task = Task {
                while !Task.isCancelled { await Task.yield() }
                return try await client.send(HTTPRequest(url: server.url))
            }
            task.cancel()
            let error = await #expect(throws: HTTPClientError.self) { _ = try await task.value }
            #expect(error?.code == .cancelled)
            #expect(server.connectionCount == 0)
        }
    }

    @Test("survives a server that stops reading and closes in the middle of an upload")
    func brokenUpload() async throws {
        try await withRawServer { connection in
            _ = connection.readHead()
            connection.resetAtEnd()
        } _: { server in
            let body = [UInt8](repeating: 7, count: 20 << 20)
            let error = try await failure(HTTPRequest(method: "PUT", url: server.url, body: body))
            #expect(error.code == .brokenConnection)
            #expect(error.isTransient)
        }
    }
}
