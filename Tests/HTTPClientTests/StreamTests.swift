import Glibc
import HTTPClient
import Synchronization
import TestSupport
import Testing

@Suite("the HTTP client: streamed responses")
struct StreamTests {
    @Test("hands out each part as it comes")
    func incremental() async throws {
        let mayGoOn = Mutex(0)
        try await withRawServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n")
            for part in 0..<3 {
                while mayGoOn.withLock({ $0 }) < part { usleep(1000) }
                connection.write("2\r\n\(part)\n\r\n")
            }
            connection.write("0\r\n\r\n")
            connection.waitForEnd()
        } _: { server in
            let response = try await HTTPClient().stream(HTTPRequest(url: server.url))
            #expect(response.status == 200)
            #expect(response.headers["x-a"] == "b")
            var parts: [[UInt8]] = []
            for try await part in response.body {
                parts.append(part)
                mayGoOn.withLock { $0 += 1 }
            }
            #expect(parts == [Array("0\n".utf8), Array("1\n".utf8), Array("2\n".utf8)])
        }
    }

    @Test("makes the server wait for a slow reader and loses nothing")
    func backPressure() async throws {
        let body = (0..<(8 << 20)).map { UInt8(truncatingIfNeeded: $0 >> 8 ^ $0) }
        let isWritten = Mutex(false)
        try await withRawServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: \(body.count)\r\n\r\n")
            connection.write(body)
            isWritten.withLock { $0 = true }
            connection.waitForEnd()
        } _: { server in
            let response = try await HTTPClient().stream(
                HTTPRequest(url: server.url, idleTimeout: .seconds(2), maxResponseBytes: 10)
            )
            var received: [UInt8] = []
            for try await part in response.body {
                // Longer than the idle limit: a pause that we made doesn't count.
                if received.isEmpty {
                    try await Task.sleep(for: .milliseconds(2500))
                    #expect(!isWritten.withLock { $0 })
                }
                #expect(part.count < 1 << 20)
                received += part
            }
            #expect(received == body)
        }
    }

    @Test("throws where the stream breaks, after all that came before")
    func broken() async throws {
        try await withRawServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        } _: { server in
            let response = try await HTTPClient().stream(HTTPRequest(url: server.url))
            var received: [UInt8] = []
            let error = await #expect(throws: HTTPClientError.self) {
                for try await part in response.body { received += part }
            }
            #expect(error?.code == .brokenConnection)
            #expect(received == Array("half".utf8))
        }
    }

    @Test(
        "ends the transfer when its reader is cancelled, and when nobody holds the body any more",
        arguments: [true, false]
    )
    func abandoned(_ isCancelled: Bool) async throws {
        let isGone = Mutex(false)
        try await withRawServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
            connection.waitForEnd()
            isGone.withLock { $0 = true }
        } _: { server in
            let client = HTTPClient()
            let task = Task {
                let response = try await client.stream(HTTPRequest(url: server.url, timeout: nil, idleTimeout: nil))
                for try await _ in response.body where !isCancelled { return }
            }
            if isCancelled { task.cancel() }
            if isCancelled {
                let error = await #expect(throws: HTTPClientError.self) { try await task.value }
                #expect(error?.code == .cancelled)
                return
            }
            try await task.value
            while !isGone.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(1)) }
        }
    }

    @Test("throws when there is no response at all")
    func noHead() async throws {
        try await withRawServer {
            _ = $0.readRequest()
        } _: { server in
            let error = await #expect(throws: HTTPClientError.self) {
                _ = try await HTTPClient().stream(HTTPRequest(url: server.url))
            }
            #expect(error?.code == .brokenConnection)
        }
    }

    @Test("collects a short body and refuses a long one")
    func collect() async throws {
        try await withRawServer { connection in
            while connection.readRequest() != nil { connection.respond("500 Oops", [], "0123456789") }
        } _: { server in
            let client = HTTPClient()
            let body = try await client.stream(HTTPRequest(url: server.url)).body
            #expect(try await body.collect(upTo: 10) == Array("0123456789".utf8))
            let other = try await client.stream(HTTPRequest(url: server.url)).body
            let error = await #expect(throws: HTTPClientError.self) { _ = try await other.collect(upTo: 9) }
            #expect(error?.code == .tooLarge)
        }
    }
}
