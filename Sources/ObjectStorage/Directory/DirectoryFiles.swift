import Glibc
import Synchronization

/// The file calls of `DirectoryStore`, all of which block.
final class DirectoryFiles: Sendable {
    let root: String
    /// Ways of putting a file where none may be, tried in this order.
    private let claims: [NameClaim]
    /// Directories in which leftovers of dead writers were looked for already.
    private let swept = Mutex<Set<String>>([])

    init(root: String, claims: [NameClaim] = NameClaim.allCases) {
        self.root = root
        self.claims = claims
    }

    func path(_ key: String) -> String {
        root.hasSuffix("/") ? root + key : "\(root)/\(key)"
    }

    // MARK: Writing

    /// Order: file synced before rename, so that the name never shows a part; directory synced after it, so that the
    /// name is durable when the caller goes on to write what refers to it.
    func write(_ key: String, _ bytes: [UInt8], ifAbsent: Bool) throws {
        let target = path(key)
        if ifAbsent, access(target, F_OK) == 0 {
            throw ObjectStorageError.alreadyExists(key, in: root)
        }
        let directory = parent(of: target)
        let failure = { (what: String, code: Int32) in
            ObjectStorageError(errno: code, "cannot write object \(ObjectKey.printable(key)) in \(self.root): \(what)")
        }
        let temporary = try makeTemporaryFile(in: directory, failure)
        var isTemporaryThere = true
        defer {
            close(temporary.descriptor)
            if isTemporaryThere { unlink(temporary.path) }
        }
        if let code = bytes.withUnsafeBytes(FileWriter(descriptor: temporary.descriptor).write) {
            throw failure("write failed", code)
        }
        if fsync(temporary.descriptor) != 0 { throw failure("fsync failed", errno) }
        if ifAbsent {
            isTemporaryThere = try claim(key, target: target, temporary: temporary.path, failure)
        } else {
            if rename(temporary.path, target) != 0 { throw failure("rename failed", errno) }
            isTemporaryThere = false
        }
        try syncDirectory(directory) { failure("fsync of its directory failed", $0) }
        sweep(directory)
    }

    /// Gives the file its name unless something has it already; returns whether it has the temporary one as well.
    private func claim(
        _ key: String,
        target: String,
        temporary: String,
        _ failure: (String, Int32) -> ObjectStorageError
    ) throws -> Bool {
        for claim in claims {
            switch claim.attempt(from: temporary, to: target) {
            case .done(let isTemporaryThere): return isTemporaryThere
            case .taken: throw ObjectStorageError.alreadyExists(key, in: root)
            case .unsupported: continue
            case .failed(let code): throw failure("\(claim) failed", code)
            }
        }
        throw ObjectStorageError(
            .invalidConfiguration,
            "cannot write object \(ObjectKey.printable(key)) in \(root) only if absent: that file system has neither hard links, nor renames that don't replace, nor file locks, one of which must decide who is first; use another volume"
        )
    }

    private func makeTemporaryFile(
        in directory: String,
        _ failure: (String, Int32) -> ObjectStorageError
    ) throws -> (path: String, descriptor: Int32) {
        var isDirectoryMade = false
        while true {
            let random = UInt64.random(in: .min ... .max)
            let name = "\(directory)/\(ObjectKey.temporaryPrefix)\(String(random, radix: 16))"
            let descriptor = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            if descriptor >= 0 {
                // The lock tells a sweeper that the writer lives. Without locks (some network file systems) only the
                // file's age does, so a failure here costs nothing but that.
                _ = flock(descriptor, LOCK_EX | LOCK_NB)
                return (name, descriptor)
            }
            switch errno {
            case EEXIST, EINTR: continue
            case ENOENT where !isDirectoryMade:
                isDirectoryMade = true
                try makeDirectories(directory) { failure("cannot make directory \($0)", $1) }
            default: throw failure("cannot create a file", errno)
            }
        }
    }

    /// Like `mkdir -p`; every directory whose entries changed is synced, so that a new one can't vanish with its files.
    private func makeDirectories(_ directory: String, _ failure: (String, Int32) -> ObjectStorageError) throws {
        if mkdir(directory, 0o700) != 0 {
            switch errno {
            case EEXIST: return
            case ENOENT where parent(of: directory) != directory:
                try makeDirectories(parent(of: directory), failure)
                if mkdir(directory, 0o700) != 0, errno != EEXIST { throw failure(directory, errno) }
            default: throw failure(directory, errno)
            }
        }
        try syncDirectory(parent(of: directory)) { failure(directory, $0) }
    }

    private func syncDirectory(_ directory: String, _ failure: (Int32) -> ObjectStorageError) throws {
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(errno) }
        defer { close(descriptor) }
        // EINVAL: a file system that has no sync for directories keeps their entries by other means.
        if fsync(descriptor) != 0, errno != EINVAL { throw failure(errno) }
    }

    private func parent(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    // MARK: Reading

    func read(_ key: String, range: Range<Int>?) throws -> [UInt8] {
        let failure = { (code: Int32) in
            ObjectStorageError(errno: code, "cannot read object \(ObjectKey.printable(key)) in \(self.root)")
        }
        let descriptor = open(path(key), O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw isAbsence(errno) ? ObjectStorageError.notFound(key, in: root) : failure(errno)
        }
        defer { close(descriptor) }
        var facts = Glibc.stat()
        guard fstat(descriptor, &facts) == 0 else { throw failure(errno) }
        guard isRegular(facts) else { throw ObjectStorageError.notFound(key, in: root) }
        let size = Int(facts.st_size)
        let wanted = range ?? 0..<size
        guard wanted.lowerBound >= 0, wanted.upperBound <= size else {
            throw ObjectStorageError.outside(wanted, of: key, size: size, in: root)
        }
        return try [UInt8](unsafeUninitializedCapacity: wanted.count) { buffer, count in
            while count < wanted.count {
                let got = pread(
                    descriptor,
                    buffer.baseAddress.map { $0 + count },
                    wanted.count - count,
                    off_t(wanted.lowerBound + count)
                )
                if got < 0 {
                    if errno == EINTR { continue }
                    throw failure(errno)
                }
                if got == 0 {
                    throw ObjectStorageError.outside(wanted, of: key, size: wanted.lowerBound + count, in: root)
                }
                count += got
            }
        }
    }

    func size(of key: String) throws -> Int {
        var facts = Glibc.stat()
        guard fstatat(AT_FDCWD, path(key), &facts, 0) == 0 else {
            if isAbsence(errno) { throw ObjectStorageError.notFound(key, in: root) }
            throw ObjectStorageError(errno: errno, "cannot look at object \(ObjectKey.printable(key)) in \(root)")
        }
        guard isRegular(facts) else { throw ObjectStorageError.notFound(key, in: root) }
        return Int(facts.st_size)
    }

    func remove(_ key: String) throws {
        // EISDIR: the key names a directory, so no object has it.
        guard unlink(path(key)) != 0, !isAbsence(errno), errno != EISDIR else { return }
        throw ObjectStorageError(errno: errno, "cannot delete object \(ObjectKey.printable(key)) in \(root)")
    }

    func isRegular(_ facts: Glibc.stat) -> Bool { facts.st_mode & S_IFMT == S_IFREG }
    func isDirectory(_ facts: Glibc.stat) -> Bool { facts.st_mode & S_IFMT == S_IFDIR }

    /// No such file, or a file where a directory of the path should be.
    func isAbsence(_ code: Int32) -> Bool { code == ENOENT || code == ENOTDIR }

    // MARK: Leftovers

    /// Removes what dead writers left in `directory`, once for each directory and instance.
    ///
    /// A leftover is older than an hour and nobody holds its lock. All failures are passed over: the sweep is a courtesy,
    /// the next writer tries again.
    private func sweep(_ directory: String) {
        guard swept.withLock({ $0.insert(directory).inserted }), let stream = opendir(directory) else { return }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let name = Self.name(entry)
            guard let name, name.hasPrefix(ObjectKey.temporaryPrefix) else { continue }
            let path = "\(directory)/\(name)"
            var facts = Glibc.stat()
            guard lstat(path, &facts) == 0, isRegular(facts) else { continue }
            guard facts.st_mtim.tv_sec < time(nil) - DirectoryFiles.leftoverSeconds else { continue }
            let descriptor = open(path, O_WRONLY | O_CLOEXEC)
            guard descriptor >= 0 else { continue }
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { unlink(path) }
            close(descriptor)
        }
    }

    /// Longer than any put takes that isn't dead: 16 MiB in an hour are 5 kB/s.
    static let leftoverSeconds = 3600

    /// The entry's name, unless it isn't UTF-8: such a file is none of ours.
    static func name(_ entry: UnsafeMutablePointer<dirent>) -> String? {
        withUnsafePointer(to: &entry.pointee.d_name) { pointer in
            pointer.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: entry.pointee.d_name)) {
                String(validatingCString: $0)
            }
        }
    }
}
