import Dispatch
import Glibc
import Synchronization

/// A server that does byte for byte what a test says, also what no honest server does.
///
/// The one server of the tests that has no program of its own: what else speaks HTTP from a script stands on it.
public final class RawServer: Sendable {
    /// Where it listens, on 127.0.0.1.
    public let port: UInt16
    private let listener: Int32
    private let connections = Mutex<(open: Set<Int32>, count: Int, isStopped: Bool)>(([], 0, false))

    /// Listens on a free loopback port; connections wait until `start`.
    ///
    /// - Throws: `TestSupportError` when there is no port.
    public init() throws {
        listener = socket(AF_INET, Ports.stream, 0)
        var address = Ports.loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 128) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        guard isBound else { throw TestSupportError("cannot listen: \(String(cString: strerror(errno)))") }
        port = UInt16(bigEndian: address.sin_port)
    }

    /// Listens and starts.
    ///
    /// - Throws: `TestSupportError` when there is no port.
    public convenience init(_ handler: @escaping @Sendable (RawConnection) -> Void) throws {
        try self.init()
        start(handler)
    }

    /// Runs `handler` on a thread of its own for each connection, until `stop`; to be called once.
    public func start(_ handler: @escaping @Sendable (RawConnection) -> Void) {
        DispatchQueue(label: "raw-server").async { self.accept(handler) }
    }

    /// `http://` and where it listens.
    public var url: String { "http://127.0.0.1:\(port)" }

    /// How many connections there have been.
    public var connectionCount: Int { connections.withLock(\.count) }

    /// Stops listening and breaks all connections.
    public func stop() {
        let isFirst = connections.withLock { state in
            defer { state.isStopped = true }
            return !state.isStopped
        }
        // Only once: `accept` closes the listener, and its number may be somebody else's by the second time.
        if isFirst { shutdown(listener, Int32(SHUT_RDWR)) }
        breakConnections()
    }

    /// Breaks all connections there are; new ones are taken.
    public func breakConnections() {
        connections.withLock { state in
            for connection in state.open { shutdown(connection, Int32(SHUT_RDWR)) }
        }
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

/// Runs `body` with a server and stops it.
public func withRawServer<Result>(
    _ handler: @escaping @Sendable (RawConnection) -> Void,
    _ body: (RawServer) async throws -> Result
) async throws -> Result {
    let server = try RawServer(handler)
    defer { server.stop() }
    return try await body(server)
}
