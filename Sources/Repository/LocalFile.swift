import Glibc

/// Files of the local system through plain POSIX calls, with errors that name the path.
enum LocalFile {
    /// An error for `path` with the reason of the last failed call.
    static func error(_ action: String, _ path: String, _ number: Int32 = errno) -> RepositoryError {
        RepositoryError(.localFile, "can't \(action) \(path): \(String(cString: strerror(number)))")
    }

    /// All bytes of a file, which must not be longer than `limit`.
    static func readAll(_ path: String, limit: Int) throws -> [UInt8] {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw error("open", path) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw error("read", path) }
            if count == 0 { return bytes }
            bytes.append(contentsOf: buffer[0..<count])
            guard bytes.count <= limit else {
                throw RepositoryError(.localFile, "\(path) is longer than \(limit) bytes: is it the right file?")
            }
        }
    }

    /// Writes all of `bytes` to a descriptor, however often the system takes only a part.
    static func writeAll(_ bytes: [UInt8], to descriptor: Int32, name: String) throws {
        try bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let count = write(descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done)
                if count < 0 && errno == EINTR { continue }
                guard count >= 0 else { throw error("write", name) }
                done += count
            }
        }
    }
}
