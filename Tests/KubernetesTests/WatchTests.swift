import TestSupport
import Testing

@testable import Kubernetes

@Suite("Kubernetes client: watches")
struct WatchTests {
    @Test("lines are the same wherever the network cuts them")
    func framing() {
        let bytes = Array("{\"a\":\"é😀\"}\n\r\n  \n{\"b\":1}\n{\"c\"".utf8)
        for size in 1...bytes.count {
            var framer = LineFramer()
            var lines: [String] = []
            var start = 0
            while start < bytes.count {
                let isTaken = framer.append(Array(bytes[start..<min(bytes.count, start + size)]))
                #expect(isTaken)
                while let line = framer.next() { lines.append(String(decoding: line, as: UTF8.self)) }
                start += size
            }
            #expect(lines == ["{\"a\":\"é😀\"}", "{\"b\":1}"])
        }
    }

    @Test("events come in their order, cut in the middle of a character, and the end is no error")
    func events() async throws {
        try await withAPI { _, _, connection in
            connection.beginStream()
            let bytes = line("ADDED", pod("a", "1", text: "日本語😀")) + line("BOOKMARK", bookmark("5"))
            for byte in bytes { connection.chunk([byte]) }
            connection.event("SOMETHING-NEW", [:])
            connection.event("DELETED", pod("a", "6"))
            connection.chunk(Array("{\"type\":\"ADDED\",\"obj".utf8))
            return connection.endStream()
        } _: { server in
            var stream = try await server.client(time: QuickTime(chance: 0).source).watch(.pods, from: "0")
            #expect(try await stream.next() == .added(KubernetesObject(pod("a", "1", text: "日本語😀"))))
            #expect(try await stream.next() == .bookmark(resourceVersion: "5"))
            #expect(try await stream.next() == .deleted(KubernetesObject(pod("a", "6"))))
            #expect(try await stream.next() == nil)
            #expect(
                server.lines == [
                    "GET /api/v1/pods?watch=1&allowWatchBookmarks=true&resourceVersion=0&timeoutSeconds=300"
                ]
            )
        }
    }

    @Test("errors within a watch and instead of one are told apart by their reason")
    func errors() async throws {
        try await withAPI { _, number, connection in
            switch number {
            case 0:
                connection.beginStream()
                connection.event("ERROR", failure(410, "Expired", "too old resource version"))
                return connection.endStream()
            case 1: return connection.fail(410, "Gone")
            case 2:
                connection.beginStream()
                connection.chunk(Array("{\"type\":\n".utf8))
                return connection.endStream()
            default: return false
            }
        } _: { server in
            let client = server.client()
            for code in [KubernetesError.Code.expired, .expired, .malformedAnswer, .unreachable] {
                do throws(KubernetesError) {
                    var stream = try await client.watch(.pods, from: "1")
                    _ = try await stream.next()
                    Issue.record("\(code) was expected")
                } catch {
                    #expect(error.code == code)
                }
            }
        }
    }

    @Test("a watch without a byte for too long is dead")
    func silence() async throws {
        try await withAPI { _, _, connection in
            connection.beginStream()
            connection.event("ADDED", pod("a", "1"))
            connection.waitForEnd()
            return false
        } _: { server in
            let timing = WatchTiming(silence: .milliseconds(300))
            var stream = try await server.client().watch(.pods, from: "0", timing: timing)
            #expect(try await stream.next() != nil)
            do throws(KubernetesError) {
                _ = try await stream.next()
                Issue.record("the silence was not noticed")
            } catch {
                #expect(error.code == .timedOut && error.isTransient)
            }
        }
    }
}
