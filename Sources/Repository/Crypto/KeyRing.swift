import Synchronization

/// Master keys that were derived before, so that who opens a repository again doesn't derive its key again: scrypt takes
/// about 0.3 s of processor time on purpose.
///
/// A key is known by its key file, whose name is the hash of its content, and by the password. So a key file
/// that was removed, a password that was changed and a repository that was made anew are noticed as without a ring.
public final class KeyRing: Sendable {
    private struct Name: Hashable {
        var file: ObjectID
        var password: [UInt8]
    }

    private let keys = Mutex<[Name: MasterKey]>([:])

    /// Makes an empty one; it grows by some hundred bytes with each repository, and prints nothing of them.
    public init() {}

    func key(of file: ObjectID, _ password: RepositoryPassword) -> MasterKey? {
        keys.withLock { $0[Name(file: file, password: password.bytes)] }
    }

    func keep(_ key: MasterKey, of file: ObjectID, _ password: RepositoryPassword) {
        keys.withLock { $0[Name(file: file, password: password.bytes)] = key }
    }
}
