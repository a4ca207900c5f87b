import Synchronization

/// A token in a file that somebody renews, beside what stays the same.
public final class TokenFileAccess: AccessSource {
    private let fixed: Access
    private let file: String
    private let time: TimeSource
    private let kept = Mutex<(token: String, read: Duration)?>(nil)

    /// Makes a source; nothing is read yet.
    ///
    /// - Parameters:
    ///   - file: holds the token.
    ///   - fixed: everything but the token.
    ///   - time: tells how old a token is.
    public init(file: String, fixed: Access, time: TimeSource = .system) {
        self.file = file
        self.fixed = fixed
        self.time = time
    }

    /// With the token as it is now.
    public func access() throws(KubernetesError) -> Access {
        let now = time.elapsed()
        var access = fixed
        if let kept = kept.withLock({ $0 }), now - kept.read < InClusterAccess.tokenAge {
            access.authorization = "Bearer \(kept.token)"
            return access
        }
        let token = try SmallFile.token(file)
        kept.withLock { $0 = (token, now) }
        access.authorization = "Bearer \(token)"
        return access
    }

    /// The server refused the token: read it again.
    public func forget() { kept.withLock { $0 = nil } }
}
