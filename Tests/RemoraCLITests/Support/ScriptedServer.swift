import Foundation
import Glibc
import Synchronization
import TestSupport

/// A coordinator that answers as a test says: one connection an answer, HTTP/1.1, on a port of its own.
final class ScriptedServer: Sendable {
    /// What came in.
    struct Request: Sendable {
        var method: String
        /// With its query.
        var path: String
        var headers: [String: String]
        var body: String
    }

    /// What goes out.
    struct Answer: Sendable {
        var status = 200
        var body: String
        /// Close the connection before this many bytes of the body are out: a server that dies.
        var breaksAfter: Int?

        static func ok(_ body: String) -> Answer { Answer(body: body) }
    }

    let url: String
    private let socket: Int32
    private let seen = Mutex<[Request]>([])
    private let answer: @Sendable (Request, Int) -> Answer

    /// Starts to listen; `answer` gets the request and how many came before it.
    init(_ answer: @escaping @Sendable (Request, Int) -> Answer) throws {
        self.answer = answer
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let fd = socket
        let isListening = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(fd, $0, length) == 0 && listen(fd, 16) == 0 && getsockname(fd, $0, &length) == 0
            }
        }
        guard isListening else { throw TestSupportError("cannot listen: \(String(cString: strerror(errno)))") }
        url = "http://127.0.0.1:\(UInt16(bigEndian: address.sin_port))"
        Thread.detachNewThread { [fd, answer = self.answer, weak self] in
            while true {
                let connection = accept(fd, nil, nil)
                guard connection >= 0 else { return }
                Self.serve(connection) { request in
                    guard let self else { return Answer(status: 503, body: "") }
                    let before = self.seen.withLock { seen in
                        seen.append(request)
                        return seen.count - 1
                    }
                    return answer(request, before)
                }
            }
        }
    }

    deinit { stop() }

    /// Refuses connections from now on.
    func stop() {
        shutdown(socket, Int32(SHUT_RDWR))
        close(socket)
    }

    /// Every request so far.
    var requests: [Request] { seen.withLock { $0 } }

    private static func serve(_ connection: Int32, _ answer: (Request) -> Answer) {
        defer { close(connection) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            if let request = parse(bytes) {
                send(answer(request), to: connection)
                return
            }
            let count = read(connection, &buffer, buffer.count)
            guard count > 0 else { return }
            bytes += buffer.prefix(count)
        }
    }

    private static func parse(_ bytes: [UInt8]) -> Request? {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.firstRange(of: "\r\n\r\n") else { return nil }
        let lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
        let first = lines[0].split(separator: " ").map(String.init)
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(
                in: .whitespaces
            )
        }
        let body = text[end.upperBound...]
        guard body.utf8.count >= Int(headers["content-length"] ?? "0") ?? 0, first.count == 3 else { return nil }
        return Request(method: first[0], path: first[1], headers: headers, body: String(body))
    }

    private static func send(_ answer: Answer, to connection: Int32) {
        let head =
            "HTTP/1.1 \(answer.status) X\r\nContent-Type: application/json\r\nConnection: close\r\n"
            + "Content-Length: \(answer.body.utf8.count)\r\n\r\n"
        let body = Array(answer.body.utf8)
        var rest = Array(head.utf8) + (answer.breaksAfter.map { Array(body.prefix($0)) } ?? body)
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            rest.removeFirst(count)
        }
    }
}
