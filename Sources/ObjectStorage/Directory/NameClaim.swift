import CPlatform
import Glibc

/// How a finished temporary file gets its name unless something has it already.
///
/// In all ways the name shows the whole file or none, and one of several writers wins. Creating the final name
/// exclusively would work anywhere, but show a part of the file to readers, and for good if the writer dies.
enum NameClaim: CaseIterable, Sendable {
    /// `link`: atomic wherever there are hard links.
    case link
    /// `renameat2` with `RENAME_NOREPLACE`: atomic on local file systems without hard links (vfat, exfat).
    case rename
    /// Looking and renaming under a lock on a file beside the target, for what has neither (FUSE, some network file
    /// systems): decides among writers on one machine, and among several where the file system shares its locks.
    case lock

    /// What came of it.
    enum Outcome: Equatable, Sendable {
        /// The file has the name; `isTemporaryThere` when it has the temporary one too.
        case done(isTemporaryThere: Bool)
        /// Somebody else has the name.
        case taken
        /// The file system doesn't know this way.
        case unsupported
        case failed(Int32)
    }

    /// Tries.
    func attempt(from temporary: String, to target: String) -> Outcome {
        switch self {
        case .link:
            if Glibc.link(temporary, target) == 0 { return .done(isTemporaryThere: true) }
        case .rename:
            if remora_rename_new(temporary, target) == 0 { return .done(isTemporaryThere: false) }
        case .lock: return Self.renameLocked(temporary, target)
        }
        return Self.outcome(errno)
    }

    private static func outcome(_ code: Int32) -> Outcome {
        switch code {
        case EEXIST: .taken
        // EINVAL: a flag that the file system doesn't know.
        case EPERM, EOPNOTSUPP, ENOSYS, EINVAL, ENOTTY: .unsupported
        default: .failed(code)
        }
    }

    /// The lock dies with its holder, so none is ever left behind that must be broken.
    private static func renameLocked(_ temporary: String, _ target: String) -> Outcome {
        let path = target.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(target[...$0]) } ?? ""
        let lock = "\(path)\(ObjectKey.temporaryPrefix)claim"
        // Whoever had it before us has removed the file, so what we waited for may not be what others find.
        for _ in 0..<1000 {
            let descriptor = open(lock, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { return .failed(errno) }
            defer { close(descriptor) }
            while flock(descriptor, LOCK_EX) != 0 {
                guard errno == EINTR else { return outcome(errno) }
            }
            var (held, found) = (Glibc.stat(), Glibc.stat())
            guard fstat(descriptor, &held) == 0 else { return .failed(errno) }
            guard stat(lock, &found) == 0, held.st_ino == found.st_ino, held.st_dev == found.st_dev else { continue }
            defer { unlink(lock) }
            if access(target, F_OK) == 0 { return .taken }
            guard errno == ENOENT, Glibc.rename(temporary, target) == 0 else { return .failed(errno) }
            return .done(isTemporaryThere: false)
        }
        return .failed(EBUSY)
    }
}
