import Glibc

extension ObjectStorageError {
    /// An error of a file call: what was attempted, the system's reason, and what to do about it.
    init(errno code: Int32, _ attempt: String) {
        let reason = String(cString: strerror(code))
        switch code {
        case ENOSPC, EDQUOT, EFBIG:
            self.init(.noSpace, "\(attempt): \(reason); free space there or give the repository a larger volume")
        case EACCES, EPERM, EROFS:
            self.init(
                .accessDenied,
                "\(attempt): \(reason); give user \(geteuid()) the right to write and search in that directory"
            )
        case ENOENT:
            self.init(.notFound, "\(attempt): \(reason)")
        case ENOTDIR, EISDIR, ENAMETOOLONG, ELOOP:
            self.init(
                .invalidConfiguration,
                "\(attempt): \(reason); something else has a name that the repository needs, choose another directory"
            )
        case EIO, ESTALE, ETIMEDOUT, ENODEV, ENXIO:
            self.init(
                .unavailable,
                "\(attempt): \(reason); look at the disk or the network file system",
                isTransient: true
            )
        case EAGAIN, EINTR, EBUSY, EMFILE, ENFILE, ENOMEM:
            self.init(.unavailable, "\(attempt): \(reason)", isTransient: true)
        default:
            self.init(.unexpected, "\(attempt): \(reason)")
        }
    }
}
