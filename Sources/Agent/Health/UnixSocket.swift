import Glibc

/// A socket in the file system, whatever the length of its path.
///
/// An address holds 107 bytes; a directory that is open has a short name below `/proc/self/fd`.
final class UnixSocket: Sendable {
    let descriptor: Int32

    private init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// Where a socket is: an open directory and a name in it.
    private static func withAddress<Result>(
        _ directory: String,
        _ name: String,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) throws(AgentError) -> Result {
        let opened = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard opened >= 0 else {
            throw AgentError(.stateDirectory, "can't open the state directory \(directory): \(lastErrorText())")
        }
        defer { close(opened) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let path = Array("/proc/self/fd/\(opened)/\(name)".utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    private static func make() throws(AgentError) -> UnixSocket {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { throw AgentError(.stateDirectory, "can't make a socket: \(lastErrorText())") }
        return UnixSocket(descriptor)
    }

    /// A connection to who listens there; nil when nobody does.
    static func connect(_ directory: String, _ name: String) throws(AgentError) -> UnixSocket? {
        let socket = try make()
        let descriptor = socket.descriptor
        let code = try withAddress(directory, name) { Glibc.connect(descriptor, $0, $1) == 0 ? 0 : errno }
        switch code {
        case 0: return socket
        case ENOENT, ECONNREFUSED: return nil
        default:
            throw AgentError(
                .stateDirectory,
                "can't connect to \(directory)/\(name): \(String(cString: strerror(code)))"
            )
        }
    }

    /// Listens there, readable and writable by the owner only, in place of a process that is gone.
    ///
    /// - Throws: `AgentError`, also when another process listens there.
    static func listen(_ directory: String, _ name: String) throws(AgentError) -> UnixSocket {
        let path = "\(directory)/\(name)"
        if try connect(directory, name) != nil {
            throw AgentError(
                .stateDirectory,
                "another agent answers at \(path); every agent needs a state directory of its own"
            )
        }
        // What is left of a process that is gone.
        unlink(path)
        let socket = try make()
        let descriptor = socket.descriptor
        let isBound = try withAddress(directory, name) { bind(descriptor, $0, $1) == 0 }
        // Nobody can connect between these two: that needs `listen`.
        guard isBound, chmod(path, 0o600) == 0, Glibc.listen(descriptor, 16) == 0 else {
            throw AgentError(
                .stateDirectory,
                "can't listen at \(path): \(lastErrorText()); give the agent a writable state directory"
            )
        }
        return socket
    }
}
