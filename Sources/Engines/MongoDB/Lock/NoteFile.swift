import Glibc

/// Small files that must survive a crash of the machine: what has to be undone later is written here first.
enum NoteFile {
    /// A file system call that failed.
    struct Failure: Error, CustomStringConvertible {
        let description: String
        init(_ call: String) { description = "\(call): \(String(cString: strerror(errno)))" }
    }

    /// A part of a file name made of a host, a set or anything else.
    static func plain(_ text: String) -> String {
        String(
            decoding: text.utf8.map { byte in
                let scalar = Unicode.Scalar(byte)
                let isPlain = scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
                return isPlain || scalar == "." || scalar == "-" ? byte : UInt8(ascii: "_")
            },
            as: UTF8.self
        )
    }

    /// Writes a file: content, then its name, then the directory.
    static func write(_ bytes: [UInt8], to path: String, in directory: String) throws(Failure) {
        guard mkdir(directory, 0o700) == 0 || errno == EEXIST else { throw Failure("mkdir") }
        try writeDurably(bytes, to: path + ".new")
        guard rename(path + ".new", path) == 0 else { throw Failure("rename") }
        try sync(directory)
    }

    /// Removes a file; one that isn't there is removed already.
    static func remove(_ path: String, in directory: String) throws(Failure) {
        guard unlink(path) == 0 || errno == ENOENT else { throw Failure("unlink") }
        try sync(directory)
    }

    /// Names of the files in a directory that begin and end so, sorted; none where there is no directory.
    static func names(in directory: String, prefix: String, suffix: String) throws(Failure) -> [String] {
        guard let handle = opendir(directory) else {
            if errno == ENOENT { return [] }
            throw Failure("opendir")
        }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { raw in
                String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasPrefix(prefix), name.hasSuffix(suffix) { names.append(name) }
        }
        return names.sorted()
    }

    private static func writeDurably(_ bytes: [UInt8], to path: String) throws(Failure) {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Failure("open") }
        defer { close(file) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if written < 0 {
                if errno == EINTR { continue }
                throw Failure("write")
            }
            rest = rest.dropFirst(written)
        }
        guard fsync(file) == 0 else { throw Failure("fsync") }
    }

    private static func sync(_ path: String) throws(Failure) {
        let directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw Failure("open") }
        defer { close(directory) }
        guard fsync(directory) == 0 else { throw Failure("fsync") }
    }
}
