import Foundation
import Glibc

/// What goes on over one client's connection of a `FaultProxy` and the one behind it, request by request.
final class ProxyExchange {
    private let client: RawConnection
    private let store: RawConnection
    private let socket: Int32

    /// Connects to the store; nil when it isn't there.
    init?(client: RawConnection, upstream: UInt16) {
        let socket = Glibc.socket(AF_INET, Ports.stream, 0)
        guard socket >= 0 else { return nil }
        var address = Ports.loopback(upstream)
        let isConnected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else {
            close(socket)
            return nil
        }
        self.client = client
        self.socket = socket
        store = RawConnection(socket: socket, number: 0)
        store.resetAtEnd()
    }

    deinit { close(socket) }

    /// Serves requests until one of the sides ends or a fault breaks the connection.
    func run(_ decide: (_ method: String, _ path: String, _ length: Int) -> FaultProxy.Decision) {
        while let request = client.readHead() {
            let length = request.length ?? 0
            let decision = decide(request.method, request.path, length)
            if decision.fault == .hold {
                while decision.standing() == .held { usleep(2000) }
                if decision.standing() == .broken { return }
            }
            guard pass(request, length, decision.fault) else { return }
        }
    }

    /// Carries out one request; false when the connection is to end.
    private func pass(_ request: RawRequest, _ length: Int, _ fault: FaultProxy.Fault?) -> Bool {
        var before = 0
        switch fault {
        case .answer(let status, let code):
            guard client.read(length, { _ in }) else { return false }
            let body = "<?xml version=\"1.0\"?><Error><Code>\(code)</Code><Message>made by a test</Message></Error>"
            client.respond("\(status) Fault", ["Content-Type: application/xml"], request.method == "HEAD" ? "" : body)
            return true
        case .breakUpload, .stall: before = length / 2
        case .hold, .breakDownload, .loseAnswer, nil: break
        }
        store.write(request.head)
        guard client.read(before, store.write) else { return false }
        if fault == .breakUpload { return false }
        if case .stall(let duration) = fault {
            Thread.sleep(forTimeInterval: duration / .seconds(1))
        }
        guard client.read(length - before, store.write) else { return false }
        return answer(fault, isBodiless: request.method == "HEAD")
    }

    private func answer(_ fault: FaultProxy.Fault?, isBodiless: Bool) -> Bool {
        while let answer = store.readHead() {
            // Only now has the store done it.
            if fault == .loseAnswer { return false }
            client.write(answer.head)
            let status = answer.line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
            if (100..<200).contains(status) { continue }
            if isBodiless || status == 204 || status == 304 { return true }
            if answer.field("transfer-encoding")?.lowercased() == "chunked" { return passChunks() }
            guard let length = answer.length else { return false }
            guard fault != .breakDownload else {
                _ = store.read(length / 2, client.write)
                return false
            }
            return store.read(length, client.write)
        }
        return false
    }

    private func passChunks() -> Bool {
        while let line = store.readLine() {
            client.write(line)
            guard let size = Int(String(decoding: line, as: UTF8.self).prefix { $0.isHexDigit }, radix: 16) else {
                return false
            }
            if size > 0 {
                guard store.read(size + 2, client.write) else { return false }
                continue
            }
            // Trailing fields, then an empty line.
            while let line = store.readLine() {
                client.write(line)
                if line.count == 2 { return true }
            }
        }
        return false
    }
}

extension RawRequest {
    /// What it says of its body's length.
    fileprivate var length: Int? { field("content-length").flatMap { Int($0) } }
}
