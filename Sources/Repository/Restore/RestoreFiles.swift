import Glibc

/// The local side of a restore: makes directories, files and links that were not there before, and their metadata.
///
/// Everything is made with calls that fail when the name exists, so a hostile tree can't lead a write out of the target
/// through a link it made itself.
struct RestoreFiles: Sendable {
    let target: String

    /// The local path of an entry.
    func path(_ entry: SnapshotTree.Entry) -> [UInt8] { Array(target.utf8) + [0x2F] + entry.rawPath }

    /// Makes the target directory, which must not exist or be empty.
    func makeTarget() throws {
        if mkdir(target, 0o700) == 0 { return }
        guard errno == EEXIST else { throw LocalFile.error("make directory", target) }
        guard let directory = opendir(target) else { throw LocalFile.error("open directory", target) }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            guard name == [0x2E] || name == [0x2E, 0x2E] else {
                throw RepositoryError(
                    .localFile,
                    "can't restore to \(target): it is not empty; choose an empty directory or a new one"
                )
            }
        }
    }

    func makeDirectory(_ entry: SnapshotTree.Entry) throws {
        try withPath(entry) { path in
            guard mkdir(path, 0o700) == 0 else { throw LocalFile.error("make directory", String(cString: path)) }
        }
    }

    func makeLink(_ entry: SnapshotTree.Entry) throws {
        try withPath(entry) { path in
            try (entry.node.linkTarget + [0]).withUnsafeBytes { target in
                guard let target = target.baseAddress?.assumingMemoryBound(to: CChar.self), symlink(target, path) == 0
                else {
                    throw LocalFile.error("make link", String(cString: path))
                }
            }
        }
    }

    /// Makes a file and gives back its descriptor.
    func makeFile(_ entry: SnapshotTree.Entry) throws -> Int32 {
        try withPath(entry) { path in
            let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw LocalFile.error("make file", String(cString: path)) }
            return descriptor
        }
    }

    /// Sets owner, permissions and times, in the order in which one doesn't undo another.
    func setMetadata(_ entry: SnapshotTree.Entry) throws {
        let node = entry.node
        try withPath(entry) { path in
            if geteuid() == 0, lchown(path, node.uid, node.gid) != 0, errno != EPERM {
                // Without the right to give files away, they stay ours: stock restic has it so too.
                throw LocalFile.error("change the owner of", String(cString: path))
            }
            if node.kind != .symlink, chmod(path, node.permissions) != 0 {
                throw LocalFile.error("change the permissions of", String(cString: path))
            }
            let times = [node.accessed, node.modified].map {
                timespec(tv_sec: time_t($0.seconds), tv_nsec: Int($0.nanoseconds))
            }
            guard utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) == 0 else {
                throw LocalFile.error("set the times of", String(cString: path))
            }
        }
    }

    private func withPath<Result>(_ entry: SnapshotTree.Entry, _ body: (UnsafePointer<CChar>) throws -> Result) throws
        -> Result
    {
        try (path(entry) + [0]).withUnsafeBytes { bytes in
            guard let path = bytes.baseAddress?.assumingMemoryBound(to: CChar.self) else {
                throw RepositoryError(.localFile, "there is no path for \(entry.path)")
            }
            return try body(path)
        }
    }
}
