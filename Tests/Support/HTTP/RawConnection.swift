import Glibc

/// A request as the server saw it.
public struct RawRequest: Sendable {
    /// The request line, like `GET / HTTP/1.1`.
    public var line: String
    /// Its fields in their order, names in lower case.
    public var fields: [(name: String, value: String)]
    /// Its body, if it was read.
    public var body: [UInt8]
    /// Line and fields as they came, with the empty line behind them.
    public var head: [UInt8] = []

    /// The first field of that name.
    public func field(_ name: String) -> String? { fields.first { $0.name == name.lowercased() }?.value }
    /// Like `GET`.
    public var method: String { String(line.prefix { $0 != " " }) }
    /// The path with its query.
    public var path: String { String(line.split(separator: " ").dropFirst().first ?? "") }
}

/// One connection of a `RawServer`; used by one thread only.
public final class RawConnection {
    private let socket: Int32
    /// 1 for the first connection of the server.
    public let number: Int
    private var buffered: [UInt8] = []

    init(socket: Int32, number: Int) {
        self.socket = socket
        self.number = number
    }

    /// The next request, or nil when the client is gone.
    public func readRequest() -> RawRequest? {
        guard let head = readHead() else { return nil }
        let length = head.field("content-length").flatMap { Int($0) } ?? 0
        while buffered.count < length { guard fill() else { return nil } }
        var request = head
        request.body = Array(buffered.prefix(length))
        buffered.removeFirst(length)
        return request
    }

    /// The next request's head; its body stays unread.
    public func readHead() -> RawRequest? {
        while true {
            if let end = buffered.indices.first(where: { buffered[$0...].starts(with: [13, 10, 13, 10]) }) {
                let lines = String(decoding: buffered[..<end], as: UTF8.self).split(separator: "\r\n")
                let head = Array(buffered[..<(end + 4)])
                buffered.removeFirst(end + 4)
                let fields = lines.dropFirst().map { line in
                    let colon = line.firstIndex(of: ":") ?? line.endIndex
                    return (
                        name: line[..<colon].lowercased(),
                        value: String(line[colon...].dropFirst().drop { $0 == " " })
                    )
                }
                return RawRequest(line: String(lines.first ?? ""), fields: Array(fields), body: [], head: head)
            }
            guard fill() else { return nil }
        }
    }

    /// Reads so many bytes and hands them to `use` as they come; false when the other side is gone before.
    public func read(_ count: Int, _ use: ([UInt8]) -> Void) -> Bool {
        var left = count
        while left > 0 {
            if buffered.isEmpty, !fill() { return false }
            let part = Array(buffered.prefix(left))
            buffered.removeFirst(part.count)
            left -= part.count
            use(part)
        }
        return true
    }

    /// The next line with its end, or nil when the other side is gone.
    public func readLine() -> [UInt8]? {
        while true {
            if let end = buffered.firstIndex(of: UInt8(ascii: "\n")) {
                defer { buffered.removeFirst(end + 1) }
                return Array(buffered[...end])
            }
            guard fill() else { return nil }
        }
    }

    /// Blocks until the client goes away.
    public func waitForEnd() { while fill() {} }

    /// Sends text as it is.
    public func write(_ text: String) { write(Array(text.utf8)) }

    /// Sends bytes as they are; those a client that is gone doesn't take are lost.
    public func write(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    /// Answers with a whole response.
    public func respond(_ status: String, _ fields: [String] = [], _ body: String = "") {
        let lines = ["HTTP/1.1 \(status)", "Content-Length: \(body.utf8.count)"] + fields
        write(lines.joined(separator: "\r\n") + "\r\n\r\n" + body)
    }

    /// Makes the end of the handler a reset instead of an orderly close.
    public func resetAtEnd() {
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
