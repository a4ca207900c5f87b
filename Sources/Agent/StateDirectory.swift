import Glibc

/// The directory that outlives the agent's process.
///
/// Only one process at a time may use it.
final class StateDirectory: Sendable {
    let path: String
    /// Logs of the jobs.
    let logs: String
    private let lockDescriptor: Int32

    /// Opens it, making it when it isn't there, readable by its owner only.
    ///
    /// - Throws: `AgentError` with code `.stateDirectory`, also when another process has it.
    init(_ path: String) throws {
        self.path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        logs = "\(self.path)/logs"
        try Self.make(self.path)
        try Self.make(logs)
        let lockPath = "\(self.path)/lock"
        lockDescriptor = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lockDescriptor >= 0 else {
            throw AgentError(.stateDirectory, "can't open \(lockPath): \(lastErrorText())")
        }
        guard flock(lockDescriptor, LOCK_EX | LOCK_NB) == 0 else {
            let reason = errno == EWOULDBLOCK ? "another agent is using it" : lastErrorText()
            close(lockDescriptor)
            throw AgentError(
                .stateDirectory,
                "can't use the state directory \(path): \(reason); every agent needs one of its own"
            )
        }
    }

    deinit {
        close(lockDescriptor)
    }

    /// The agent's identity where no pod UID is given: random, made once.
    func persistentUID() throws -> String {
        let file = DurableFile(directory: path, name: "uid")
        if let bytes = try file.read() {
            let text = String(decoding: bytes, as: UTF8.self).filter { !$0.isWhitespace }
            if !text.isEmpty { return text }
        }
        let uid = AgentIdentity.randomHex()
        try file.replace(with: Array("\(uid)\n".utf8))
        return uid
    }

    /// Makes a directory and those above it, unless they are there.
    ///
    /// - Throws: `AgentError` with code `.stateDirectory`.
    static func make(_ path: String) throws {
        var made = ""
        for part in path.split(separator: "/", omittingEmptySubsequences: true) {
            made += made.isEmpty && !path.hasPrefix("/") ? String(part) : "/\(part)"
            if mkdir(made, 0o700) != 0, errno != EEXIST {
                throw AgentError(
                    .stateDirectory,
                    "can't make the directory \(made): \(lastErrorText()); give the agent a writable state directory"
                )
            }
        }
    }
}
