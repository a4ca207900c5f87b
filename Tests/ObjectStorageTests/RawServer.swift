import Dispatch
import Glibc
import Synchronization

/// A server that does byte for byte what a test says, also what no honest server does.
final class RawServer: Sendable {
    let port: UInt16
    private let listener: Int32
    private let connections = Mutex<(open: Set<Int32>, count: Int, isStopped: Bool)>(([], 0, false))

    /// Listens on a free loopback port and runs `handler` on a thread of its own for each connection.
    init(_ handler: @escaping @Sendable (RawConnection) -> Void) throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 128) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        guard isBound else { throw RawServerError(code: errno) }
        port = UInt16(bigEndian: address.sin_port)
        DispatchQueue(label: "raw-server").async { self.accept(handler) }
    }

    var url: String { "http://127.0.0.1:\(port)" }

    /// How many connections there have been.
    var connectionCount: Int { connections.withLock(\.count) }

    /// Stops listening and breaks all connections.
    func stop() {
        connections.withLock { state in
            state.isStopped = true
            for connection in state.open { shutdown(connection, Int32(SHUT_RDWR)) }
        }
        shutdown(listener, Int32(SHUT_RDWR))
    }

    private func accept(_ handler: @escaping @Sendable (RawConnection) -> Void) {
        while true {
            let socket = Glibc.accept(listener, nil, nil)
            guard socket >= 0 else { break }
            let number: Int? = connections.withLock { state in
                guard !state.isStopped else { return nil }
                state.open.insert(socket)
                state.count += 1
                return state.count
            }
            guard let number else {
                close(socket)
                break
            }
            DispatchQueue(label: "raw-connection").async {
                let connection = RawConnection(socket: socket, number: number)
                handler(connection)
                self.connections.withLock { state in
                    _ = state.open.remove(socket)
                    close(socket)
                }
            }
        }
        close(listener)
    }
}

struct RawServerError: Error {
    let code: Int32
}

/// A request as the server saw it.
struct RawRequest: Sendable {
    var line: String
    var fields: [(name: String, value: String)]
    var body: [UInt8]

    func field(_ name: String) -> String? { fields.first { $0.name == name.lowercased() }?.value }
    var method: String { String(line.prefix { $0 != " " }) }
    var path: String { String(line.split(separator: " ").dropFirst().first ?? "") }
}

/// One connection of a `RawServer`; used by one thread only.
final class RawConnection {
    let socket: Int32
    /// 1 for the first connection of the server.
    let number: Int
    private var buffered: [UInt8] = []

    init(socket: Int32, number: Int) {
        self.socket = socket
        self.number = number
    }

    /// The next request, or nil when the client is gone.
    func readRequest() -> RawRequest? {
        guard let head = readHead() else { return nil }
        let length = head.field("content-length").flatMap { Int($0) } ?? 0
        while buffered.count < length { guard fill() else { return nil } }
        var request = head
        request.body = Array(buffered.prefix(length))
        buffered.removeFirst(length)
        return request
    }

    /// The next request's head; its body stays unread.
    func readHead() -> RawRequest? {
        while true {
            if let end = buffered.indices.first(where: { buffered[$0...].starts(with: [13, 10, 13, 10]) }) {
                let lines = String(decoding: buffered[..<end], as: UTF8.self).split(separator: "\r\n")
                buffered.removeFirst(end + 4)
                let fields = lines.dropFirst().map { line in
                    let colon = line.firstIndex(of: ":") ?? line.endIndex
                    return (
                        name: line[..<colon].lowercased(),
                        value: String(line[colon...].dropFirst().drop { $0 == " " })
                    )
                }
                return RawRequest(line: String(lines.first ?? ""), fields: Array(fields), body: [])
            }
            guard fill() else { return nil }
        }
    }

    /// Blocks until the client goes away.
    func waitForEnd() { while fill() {} }

    func write(_ text: String) { write(Array(text.utf8)) }

    func write(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    /// Answers with a whole response.
    func respond(_ status: String, _ fields: [String] = [], _ body: String = "") {
        let lines = ["HTTP/1.1 \(status)", "Content-Length: \(body.utf8.count)"] + fields
        write(lines.joined(separator: "\r\n") + "\r\n\r\n" + body)
    }

    /// Makes the end of the handler a reset instead of an orderly close.
    func resetAtEnd() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(socket, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }

    private func fill() -> Bool {
        var part = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(socket, &part, part.count, 0)
        guard count > 0 else { return false }
        buffered += part[..<count]
        return true
    }
}

/// Runs `body` with a server and stops it.
func withRawServer<Result>(
    _ handler: @escaping @Sendable (RawConnection) -> Void,
    _ body: (RawServer) async throws -> Result
) async throws -> Result {
    let server = try RawServer(handler)
    defer { server.stop() }
    return try await body(server)
}
