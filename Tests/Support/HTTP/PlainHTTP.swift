import Foundation
import Glibc

/// The least of HTTP that a rig needs to ask its own server on loopback for something.
enum PlainHTTP {
    /// Sends one request and returns the answer's status.
    static func status(_ method: String, _ path: String, port: UInt16, body: String = "") async throws -> Int {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(with: Result { try exchange(method, path, port, body) })
            }
        }
    }

    private static func exchange(_ method: String, _ path: String, _ port: UInt16, _ body: String) throws -> Int {
        let socket = Glibc.socket(AF_INET, Ports.stream, 0)
        defer { close(socket) }
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = Ports.loopback(port)
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else {
            throw TestSupportError("cannot connect to 127.0.0.1:\(port): \(String(cString: strerror(errno)))")
        }
        let request =
            "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
        let sent = Array(request.utf8).withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        guard sent == request.utf8.count else { throw TestSupportError("127.0.0.1:\(port) takes no request") }
        var answer = [UInt8](repeating: 0, count: 4096)
        let count = answer.withUnsafeMutableBytes { recv(socket, $0.baseAddress, $0.count, 0) }
        // "HTTP/1.1 201 Created"
        let words = String(decoding: answer.prefix(max(count, 0)), as: UTF8.self).split(separator: " ")
        guard words.count > 1, let status = Int(words[1]) else {
            throw TestSupportError("127.0.0.1:\(port) gave no HTTP answer to \(method) \(path)")
        }
        return status
    }
}
