import Dispatch
import Glibc

/// Host and port of a database.
public struct Endpoint: Sendable, Hashable, CustomStringConvertible {
    /// Name or address, without brackets.
    public var host: String
    /// From 1 to 65535.
    public var port: Int

    /// Makes one.
    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Reads `HOST:PORT` or `[ADDRESS]:PORT`; nil when the text isn't that.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (1...65535).contains(port)
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty, !host.hasPrefix("-"), host.allSatisfy({ $0.isASCII && !$0.isWhitespace && $0 != "/" })
        else { return nil }
        self.init(host: String(host), port: port)
    }

    /// `HOST:PORT`.
    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Tries to connect, and hangs up.
    ///
    /// - Returns: why nobody takes the connection; nil when somebody does.
    func reasonUnreachable(within limit: Duration = .seconds(5)) async -> String? {
        await withCheckedContinuation { continuation in
            // On a thread of its own: looking a name up blocks.
            DispatchQueue(label: "remora.endpoint").async { continuation.resume(returning: tryToConnect(limit)) }
        }
    }

    private func tryToConnect(_ limit: Duration) -> String? {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, "\(port)", &hints, &found)
        guard code == 0 else { return "the name can't be resolved (\(String(cString: gai_strerror(code))))" }
        defer { freeaddrinfo(found) }
        var reason = "the name has no address"
        var next = found
        while let address = next {
            guard let obstacle = connect(to: address.pointee, limit) else { return nil }
            reason = obstacle
            next = address.pointee.ai_next
        }
        return reason
    }

    private func connect(to address: addrinfo, _ limit: Duration) -> String? {
        let kind = address.ai_socktype | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let socket = Glibc.socket(address.ai_family, kind, address.ai_protocol)
        guard socket >= 0 else { return String(cString: strerror(errno)) }
        defer { close(socket) }
        if Glibc.connect(socket, address.ai_addr, address.ai_addrlen) == 0 { return nil }
        guard errno == EINPROGRESS else { return String(cString: strerror(errno)) }
        var waited = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
        let ready = poll(&waited, 1, milliseconds(limit))
        guard ready > 0 else { return ready == 0 ? "no answer within \(limit)" : String(cString: strerror(errno)) }
        var problem: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(socket, SOL_SOCKET, SO_ERROR, &problem, &length)
        return problem == 0 ? nil : String(cString: strerror(problem))
    }
}
