import Glibc
import Synchronization

/// Ports on loopback that nobody listens on.
public enum Ports {
    /// SOCK_STREAM on Linux, by its number: libmongoc's headers bring that name in a second time, and whether Swift then
    /// finds it depends on which files it happens to compile together.
    static let stream: Int32 = 1

    private static let handedOut = Mutex<Set<UInt16>>([])

    /// A port that is free, and never handed out twice by this process.
    ///
    /// Taken from below the kernel's range for outgoing connections (32768 and up on Linux): one of those could take it
    /// between this call and the server's start. `shadow` is a distance to a second port that must be free as well.
    public static func free(shadow: UInt16? = nil) throws -> UInt16 {
        let top: UInt16 = 32_000 - (shadow ?? 0)
        for _ in 0..<1000 {
            let port = UInt16.random(in: 11_000..<top)
            let wanted = [port] + (shadow.map { [port + $0] } ?? [])
            let isNew = handedOut.withLock { ports in
                guard ports.isDisjoint(with: wanted) else { return false }
                ports.formUnion(wanted)
                return true
            }
            if isNew, wanted.allSatisfy(isFree) { return port }
        }
        throw TestSupportError("no free port on 127.0.0.1 between 11000 and 32000; what is listening on all of them?")
    }

    private static func isFree(_ port: UInt16) -> Bool {
        let socket = Glibc.socket(AF_INET, Ports.stream, 0)
        guard socket >= 0 else { return false }
        defer { close(socket) }
        var address = loopback(port)
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    /// Whether something accepts connections on a loopback port.
    public static func accepts(_ port: UInt16) -> Bool {
        let socket = Glibc.socket(AF_INET, Ports.stream, 0)
        guard socket >= 0 else { return false }
        defer { close(socket) }
        var address = loopback(port)
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }
}
