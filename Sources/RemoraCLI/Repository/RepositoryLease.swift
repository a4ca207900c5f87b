import ObjectStorage
import Repository
import Synchronization

/// Holds a shared lock on a repository while something is done: refreshed in time, removed on every way out.
struct RepositoryLease: Sendable {
    let repository: Repository
    /// No container has such a name, and no other run: what bears it is ours to remove.
    private let host = "remora/manual-\(String(UInt64.random(in: .min ... .max), radix: 16))"

    init(_ repository: Repository) { self.repository = repository }

    private enum Step<Result: Sendable>: Sendable {
        case done(Result), stopped
    }

    /// Writes under the lock.
    ///
    /// `body` begins when the lock is written, and may store files when the permission that it is given has returned: so
    /// the fifth of a second that a lock waits for others isn't lost.
    func whileWriting<Result: Sendable>(
        _ body: @escaping @Sendable (_ permission: @escaping @Sendable () async throws -> Void) async throws -> Result
    ) async throws -> Result {
        let lock = try await repository.beginLock(exclusive: false, host: host)
        return try await hold(lock) { [repository] in
            try await body { try await repository.confirm(lock) }
        }
    }

    /// Reads under the lock; where none can be written (read-only credentials, a write-protected disk) it is done without.
    ///
    /// A prune at the same time can then take away what is being read, which fails the reading loudly.
    func whileReading<Result: Sendable>(
        isLocking: Bool,
        _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        guard isLocking else { return try await body() }
        let lock: RepositoryLock
        do {
            lock = try await repository.addLock(exclusive: false, host: host)
        } catch let error as RepositoryError where error.code != .locked && error.cause is ObjectStorageError {
            Surroundings.current.console.warn("reading without a lock, because none can be written: \(error)")
            return try await body()
        }
        return try await hold(lock, body)
    }

    private func hold<Result: Sendable>(
        _ lock: RepositoryLock,
        _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        let result: Result
        do {
            result = try await run(refreshing: lock, body)
        } catch {
            let failure = error
            do {
                try await release()
            } catch {
                Surroundings.current.console.warn("\(CommandFailure(describing: error).message)")
            }
            throw failure
        }
        do {
            try await release()
        } catch {
            throw CommandFailure(
                .storage,
                "it is done, but our lock is still there: \(CommandFailure(describing: error).message)",
                hint: "restic unlock removes it when it is half an hour old"
            )
        }
        return result
    }

    private func run<Result: Sendable>(
        refreshing lock: RepositoryLock,
        _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        try await withThrowingTaskGroup(of: Step<Result>.self) { group in
            group.addTask { .done(try await body()) }
            group.addTask {
                try await refresh(lock)
                return .stopped
            }
            defer { group.cancelAll() }
            while let step = try await group.next() {
                if case .done(let result) = step { return result }
            }
            throw CancellationError()
        }
    }

    /// Renews the lock until it is cancelled; throws when it is lost, so that nobody writes without one.
    private func refresh(_ first: RepositoryLock) async throws {
        var lock = first
        var renewed = ContinuousClock.now
        var pause = RepositoryLock.refreshInterval
        while true {
            try await Task.sleep(for: pause)
            do {
                let old = lock
                // In a task of its own: cancelled half way, the new file would stay beside the old one.
                lock = try await Task { try await repository.refreshLock(old) }.value
                renewed = .now
                pause = RepositoryLock.refreshInterval
            } catch let error as RepositoryError where error.code != .locked {
                guard ContinuousClock.now - renewed < RepositoryLock.mustStopAfter else { throw error }
                Surroundings.current.console.warn("can't refresh the lock yet: \(error)")
                pause = .seconds(30)
            }
        }
    }

    /// Removes every lock of this run, in a task that is not cancelled with ours.
    private func release() async throws {
        try await Task { _ = try await repository.removeStaleLocks { $0.hostname == host } }.value
    }
}
