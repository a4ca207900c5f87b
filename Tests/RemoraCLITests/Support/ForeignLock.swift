import ObjectStorage
import Repository

/// Somebody else's exclusive lock on a repository.
struct ForeignLock {
    private let repository: Repository
    private let lock: RepositoryLock

    /// Takes it.
    static func take(in path: String, _ password: String) async throws -> ForeignLock {
        let store = try DirectoryStore(path: path)
        let repository = try await Repository.open(at: store, password: RepositoryPassword(trimming: password))
        return ForeignLock(repository: repository, lock: try await repository.addLock(exclusive: true, host: "other"))
    }

    /// Gives it back.
    func release() async throws { try await repository.removeLock(lock) }
}
