import ObjectStorage
import Synchronization

extension Repository {
    /// Takes a lock, or says who holds one that excludes it.
    ///
    /// Writers and readers take shared locks; what deletes takes an exclusive one. The protocol is restic's: look, write,
    /// wait 200 ms, look again, so that of two that come at once at least one gives way.
    ///
    /// - Parameters:
    ///   - exclusive: whether nobody else may hold any lock.
    ///   - host: who holds it. Use a name that no container has: `restic unlock` on a host of this name would look for the
    ///     process by its number and, not finding it in its own namespace, remove a lock that is alive.
    /// - Returns: the lock: refresh it in time, remove it in the end.
    /// - Throws: `RepositoryError` with code `.locked`.
    public func addLock(exclusive: Bool, host: String) async throws -> RepositoryLock {
        let lock = try await beginLock(exclusive: exclusive, host: host)
        try await waitForOthers(lock)
        return lock
    }

    /// The first half of `addLock`: looks and writes.
    ///
    /// Nothing may be written or deleted before `confirm` has returned. The index may be loaded, and what is to be written
    /// be made ready.
    public func beginLock(exclusive: Bool, host: String) async throws -> RepositoryLock {
        guard !host.isEmpty else {
            throw RepositoryError(.invalidArgument, "a lock needs a host name that tells people who holds it")
        }
        // Process 1 is alive in every namespace, should somebody on a host of this name look for it all the same.
        let wanted = RepositoryLock(time: .now(), exclusive: exclusive, hostname: host, username: "remora", pid: 1)
        try refuseConflict(try await locks(), with: wanted)
        return try await write(wanted)
    }

    /// The second half of `addLock`, when the index was loaded meanwhile: waits, looks again, and makes sure that the index
    /// still is what it was.
    ///
    /// A prune that looked just before our lock was written may have gone through since; then blobs that the index
    /// names may be gone.
    ///
    /// - Throws: `RepositoryError` with code `.locked`; the lock is removed then.
    public func confirm(_ lock: RepositoryLock) async throws {
        try await waitForOthers(lock)
        let loaded = index.withLock { $0.files }
        guard loaded.isSubset(of: try await store.files(.index).map(\.id)) else {
            try await Task { try await self.removeLock(lock) }.value
            throw RepositoryError(
                .locked,
                "the index of the repository in \(store.location) was written anew by somebody else while our lock was made: begin again"
            )
        }
    }

    private func waitForOthers(_ lock: RepositoryLock) async throws {
        do {
            try await Task.sleep(for: .milliseconds(200))
            try refuseConflict(try await locks(), with: lock)
        } catch {
            let failure = error
            // In a task of its own, because this one may be cancelled and the lock must not outlive its holder.
            try await Task { try await self.removeLock(lock) }.value
            throw failure
        }
    }

    /// Renews a lock: writes a new file, then removes the old one, so that the lock is never gone in between.
    ///
    /// - Throws: `RepositoryError` with code `.locked` when somebody removed the lock meanwhile: stop writing then.
    public func refreshLock(_ lock: RepositoryLock) async throws -> RepositoryLock {
        try await demand(lock)
        var renewed = lock
        renewed.time = .now()
        renewed = try await write(renewed)
        if renewed.time.secondsSince(lock.time) > Double(RepositoryLock.mustStopAfter.components.seconds) {
            // Others may have judged it stale just now. If it is still there after the new one is, none did.
            do {
                try await Task.sleep(for: .milliseconds(200))
                try await demand(lock)
            } catch {
                let failure = error
                let unwanted = renewed
                try await Task { try await self.removeLock(unwanted) }.value
                throw failure
            }
        }
        try await removeLock(lock)
        return renewed
    }

    private func demand(_ lock: RepositoryLock) async throws {
        guard try await store.files(.lock).contains(where: { $0.id == lock.id }) else {
            throw RepositoryError(
                .locked,
                "lock \(lock.id.short) of \(lock.hostname) in \(store.location) was removed by somebody: stop writing, take a new one and load the index again"
            )
        }
    }

    /// Removes a lock; succeeds when it is gone already.
    public func removeLock(_ lock: RepositoryLock) async throws {
        do {
            try await store.delete(FileKind.lock.path(lock.id))
        } catch let error as ObjectStorageError {
            throw RepositoryError(
                .storage,
                "can't remove lock \(lock.id.short) in \(store.location): remove it with \"restic unlock\" if it stays",
                cause: error
            )
        }
    }

    /// All locks, oldest first.
    ///
    /// A lock that can't be read is tried again a few times, because its file may just be written.
    public func locks() async throws -> [RepositoryLock] {
        var found: [RepositoryLock] = []
        // Writers that crash leave files of no bytes on some stores; stock tools ignore them too.
        for file in try await store.files(.lock) where file.size > 0 {
            if let lock = try await readLock(file.id) { found.append(lock) }
        }
        return found.sorted { ($0.time, $0.id) < ($1.time, $1.id) }
    }

    /// Removes locks that `isStale` says are left over, and gives them back.
    ///
    /// For the coordinator, which knows which sessions are over. Nobody else may judge.
    public func removeStaleLocks(_ isStale: (RepositoryLock) throws -> Bool) async throws -> [RepositoryLock] {
        var removed: [RepositoryLock] = []
        for lock in try await locks() where try isStale(lock) {
            try await removeLock(lock)
            removed.append(lock)
        }
        return removed
    }

    private func write(_ lock: RepositoryLock) async throws -> RepositoryLock {
        var written = lock
        written.id = try await sealed.write(.lock, lock.json)
        return written
    }

    private func readLock(_ id: ObjectID) async throws -> RepositoryLock? {
        var pauses: [Duration] = [.milliseconds(200), .seconds(1), .seconds(3)]
        while true {
            do {
                return try RepositoryLock(id: id, json: try await sealed.read(.lock, id))
            } catch let error as RepositoryError where error.code == .missing {
                return nil  // released between listing and reading
            } catch let error where error is JSONError || (error as? RepositoryError)?.code == .damaged {
                guard !pauses.isEmpty else {
                    throw RepositoryError(
                        .damaged,
                        "lock file \(FileKind.lock.path(id)) in \(store.location) can't be read: remove it if nobody works there",
                        cause: error
                    )
                }
                try await Task.sleep(for: pauses.removeFirst())
            }
        }
    }

    private func refuseConflict(_ locks: [RepositoryLock], with mine: RepositoryLock) throws {
        for lock in locks where lock.id != mine.id && (lock.exclusive || mine.exclusive) {
            let age = Int(Timestamp.now().secondsSince(lock.time))
            throw RepositoryError(
                .locked,
                "the repository in \(store.location) is locked \(lock.exclusive ? "exclusively " : "")by \(lock.username)@\(lock.hostname) since \(age) s (lock \(lock.id.short)): wait for it, or remove the lock if its holder is gone"
            )
        }
    }
}
