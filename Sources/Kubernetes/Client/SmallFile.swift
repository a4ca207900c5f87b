import Glibc

/// What tells whether a file is another than before; the kubelet replaces files by renaming a link to their directory.
struct FileStamp: Hashable {
    var inode: UInt64
    var size: Int64
    var seconds: Int
    var nanoseconds: Int
}

/// Reads the small files that tokens and certificates are kept in.
package enum SmallFile {
    /// Nothing that belongs into the file of a token or an authority is larger.
    package static let largest = 4 << 20

    static func stamp(_ path: String) -> FileStamp? {
        var status = Glibc.stat()
        guard stat(path, &status) == 0 else { return nil }
        return FileStamp(
            inode: UInt64(status.st_ino),
            size: Int64(status.st_size),
            seconds: status.st_mtim.tv_sec,
            nanoseconds: status.st_mtim.tv_nsec
        )
    }

    /// The whole file; one of more than `largest` bytes is refused.
    package static func read(_ path: String, largest: Int = SmallFile.largest) throws(KubernetesError) -> [UInt8] {
        guard let file = fopen(path, "re") else { throw failure(path, String(cString: strerror(errno))) }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { break }
            bytes += buffer[..<count]
            if bytes.count > largest { throw failure(path, "it has more than \(largest) bytes") }
        }
        if ferror(file) != 0 { throw failure(path, "is it a directory?") }
        return bytes
    }

    /// The file's text without white space around it; never empty.
    static func token(_ path: String) throws(KubernetesError) -> String {
        let text = String(decoding: try read(path), as: UTF8.self)
        let words = text.split(whereSeparator: \.isWhitespace)
        guard words.count == 1, let word = words.first else {
            throw failure(path, words.isEmpty ? "it is empty" : "it holds more than one word")
        }
        return String(word)
    }

    private static func failure(_ path: String, _ reason: String) -> KubernetesError {
        KubernetesError(.configuration, "cannot read \(path): \(reason)")
    }
}
