import Glibc

/// A small file that is replaced as a whole: after a crash at any moment it holds the old content or the new.
///
/// Order: write a new file, fsync it (its bytes must be on disk before its name is), rename it over the old one
/// (atomic), fsync the directory (so that the rename itself survives).
struct DurableFile: Sendable {
    /// The steps of a replacement, in order.
    enum Step: Sendable, CaseIterable {
        case create, write, sync, rename, syncDirectory
    }

    let directory: String
    let name: String
    /// Called before each step: tests end the replacement there, as a crash would.
    var beforeStep: @Sendable (Step) throws -> Void = { _ in }

    var path: String { "\(directory)/\(name)" }

    /// The content, or nil when the file isn't there.
    func read() throws -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw AgentError(.stateDirectory, "can't read \(path): \(lastErrorText())")
        }
        defer { close(descriptor) }
        var content: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count == 0 { return content }
            if count < 0 {
                if errno == EINTR { continue }
                throw AgentError(.stateDirectory, "can't read \(path): \(lastErrorText())")
            }
            content += buffer[..<count]
        }
    }

    /// Replaces the content; returns when it is durable.
    func replace(with bytes: [UInt8]) throws {
        let temporary = "\(path).new"
        try beforeStep(.create)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("create", temporary) }
        do {
            defer { close(descriptor) }
            try beforeStep(.write)
            guard writeAll(descriptor, bytes) else { throw failure("write", temporary) }
            try beforeStep(.sync)
            guard fsync(descriptor) == 0 else { throw failure("flush", temporary) }
        }
        try beforeStep(.rename)
        guard rename(temporary, path) == 0 else { throw failure("rename", temporary) }
        try beforeStep(.syncDirectory)
        let parent = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard parent >= 0 else { throw failure("open", directory) }
        defer { close(parent) }
        guard fsync(parent) == 0 else { throw failure("flush", directory) }
    }

    private func failure(_ verb: String, _ path: String) -> AgentError {
        AgentError(
            .stateDirectory,
            "can't \(verb) \(path): \(lastErrorText()); the agent needs a state directory that it can write and flush"
        )
    }
}

/// Writes all bytes; false (and errno) when that can't be done.
func writeAll(_ descriptor: Int32, _ bytes: some Collection<UInt8>) -> Bool {
    let bytes = Array(bytes)
    return bytes.withUnsafeBytes { buffer in
        var written = 0
        while written < buffer.count {
            let count = write(descriptor, buffer.baseAddress?.advanced(by: written), buffer.count - written)
            if count < 0 {
                if errno == EINTR { continue }
                return false
            }
            written += count
        }
        return true
    }
}

/// What the last system call said, in words.
func lastErrorText() -> String {
    let code = errno
    guard let text = strerror(code) else { return "error \(code)" }
    return String(cString: text)
}
