import Glibc

extension DirectoryFiles {
    /// Walks only those directories that can hold keys with `prefix`.
    func list(prefix: String) throws -> [ObjectInfo] {
        var found: [ObjectInfo] = []
        let start = prefix.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(prefix[..<$0]) } ?? ""
        var directories = [start]
        while let directory = directories.popLast() {
            try walk(directory, prefix: prefix, into: &found, &directories)
        }
        return found
    }

    /// One directory, given relative to the root (empty: the root itself).
    private func walk(
        _ directory: String,
        prefix: String,
        into found: inout [ObjectInfo],
        _ directories: inout [String]
    ) throws {
        let directoryPath = directory.isEmpty ? root : path(directory)
        let failure = { (code: Int32) in
            ObjectStorageError(errno: code, "cannot list directory \(ObjectKey.printable(directoryPath))")
        }
        guard let stream = opendir(directoryPath) else {
            if isAbsence(errno) { return }
            throw failure(errno)
        }
        defer { closedir(stream) }
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw failure(errno) }
                return
            }
            guard let name = Self.name(entry), name != ".", name != "..",
                !name.hasPrefix(ObjectKey.temporaryPrefix)
            else { continue }
            let key = directory.isEmpty ? name : "\(directory)/\(name)"
            // The root of an ext4 volume has a directory that only root may read, and no object of ours.
            if key == "lost+found" { continue }
            guard key.utf8.starts(with: prefix.utf8) else { continue }
            var facts = Glibc.stat()
            guard fstatat(dirfd(stream), name, &facts, 0) == 0 else {
                // Deleted since the directory was read, or a link that leads nowhere.
                if errno == ENOENT { continue }
                throw failure(errno)
            }
            if isDirectory(facts) {
                directories.append(key)
            } else if isRegular(facts) {
                found.append(ObjectInfo(key: key, size: Int(facts.st_size)))
            }
        }
    }
}
