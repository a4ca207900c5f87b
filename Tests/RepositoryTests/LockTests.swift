import ObjectStorage
import TestSupport
import Testing

@testable import Repository

@Suite("Locks")
struct LockTests {
    @Test("shared locks go together, an exclusive one goes with none")
    func conflicts() async throws {
        let repository = try await makeRepository(MemoryStore())
        let first = try await repository.addLock(exclusive: false, host: "remora/1")
        let second = try await repository.addLock(exclusive: false, host: "remora/2")
        do {
            _ = try await repository.addLock(exclusive: true, host: "remora/3")
            Issue.record("an exclusive lock was given beside shared ones")
        } catch let error as RepositoryError {
            #expect(error.code == .locked)
            #expect(error.message.contains("remora@remora/1"))
        }
        #expect(try await Set(repository.locks().map(\.hostname)) == ["remora/1", "remora/2"])
        try await repository.removeLock(first)
        try await repository.removeLock(second)
        try await repository.removeLock(second)
        let exclusive = try await repository.addLock(exclusive: true, host: "remora/3")
        await #expect(throws: RepositoryError.self) { try await repository.addLock(exclusive: false, host: "remora/1") }
        #expect(try await repository.locks() == [exclusive])
    }

    @Test("of many that want an exclusive lock at once, one at most has it, and nobody leaves anything")
    func race() async throws {
        let store = MemoryStore()
        let repository = try await makeRepository(store)
        let taken = await withTaskGroup(of: RepositoryLock?.self) { group in
            // Being refused is what most are to be.
            for number in 0..<6 {
                group.addTask { try? await repository.addLock(exclusive: true, host: "host\(number)") }
            }
            return await group.reduce(into: [RepositoryLock]()) { if let lock = $1 { $0.append(lock) } }
        }
        #expect(taken.count <= 1)
        #expect(try await repository.locks() == taken)
    }

    @Test("refreshing writes a new file before the old one goes, and notices that the lock was taken away")
    func refresh() async throws {
        let repository = try await makeRepository(MemoryStore())
        let lock = try await repository.addLock(exclusive: false, host: "remora/1")
        let renewed = try await repository.refreshLock(lock)
        #expect(renewed.id != lock.id)
        #expect(renewed.time > lock.time)
        #expect(try await repository.locks() == [renewed])
        await #expect(throws: RepositoryError.self) { try await repository.refreshLock(lock) }
        #expect(try await repository.locks() == [renewed])
    }

    @Test("a lock is confirmed when nobody came, and its index was not touched")
    func confirmation() async throws {
        let store = MemoryStore()
        let repository = try await makeRepository(store)
        try await backUp(["f": [1, 2, 3]], to: repository)
        let opened = try await openRepository(store)
        let lock = try await opened.beginLock(exclusive: false, host: "remora/1")
        try await opened.loadIndex()
        // Others write at the same time, and add to the index.
        try await backUp(["f": [4, 5, 6]], to: repository)
        try await opened.confirm(lock)
        #expect(try await opened.locks() == [lock])
    }

    @Test("a lock is not confirmed beside one that excludes it and came at the same moment")
    func confirmationRefused() async throws {
        let store = MemoryStore()
        let repository = try await makeRepository(store)
        let other = try await repository.addLock(exclusive: true, host: "remora/prune")
        let file = try #require(try await store.list(prefix: "locks/").first?.key)
        let bytes = try await store.get(file)
        try await repository.removeLock(other)
        let lock = try await repository.beginLock(exclusive: false, host: "remora/1")
        try await store.put(file, bytes)
        let failure = await #expect(throws: RepositoryError.self) { try await repository.confirm(lock) }
        #expect(failure?.code == .locked)
        #expect(failure?.message.contains("remora@remora/prune") == true)
        #expect(try await repository.locks() == [other])
    }

    @Test("a lock is not confirmed when the index that was loaded under it went meanwhile")
    func confirmationOfIndex() async throws {
        let store = MemoryStore()
        let repository = try await makeRepository(store)
        try await backUp(["f": [1, 2, 3]], to: repository)
        let lock = try await repository.beginLock(exclusive: false, host: "remora/1")
        try await repository.loadIndex()
        for file in try await store.list(prefix: "index/") { try await store.delete(file.key) }
        let failure = await #expect(throws: RepositoryError.self) { try await repository.confirm(lock) }
        #expect(failure?.code == .locked)
        #expect(failure?.message.contains("index") == true)
        #expect(try await repository.locks().isEmpty)
    }

    @Test("a cancelled task leaves no lock")
    func cancellation() async throws {
        let repository = try await makeRepository(MemoryStore())
        let task = Task { try await repository.addLock(exclusive: false, host: "remora/1") }
        try await eventually("the lock is written") { try await !repository.locks().isEmpty }
        task.cancel()
        // It may have been given just before the cancellation; then it is the caller's to remove.
        if case .success(let lock) = await task.result { try await repository.removeLock(lock) }
        #expect(try await repository.locks().isEmpty)
    }

    @Test("stale locks go when, and only when, the one who knows says so; files of no bytes are ignored")
    func stale() async throws {
        let store = MemoryStore()
        let repository = try await makeRepository(store)
        let old = try await repository.addLock(exclusive: false, host: "remora/over")
        let live = try await repository.addLock(exclusive: false, host: "remora/runs")
        try await store.put("locks/" + String(repeating: "ab", count: 32), [])
        #expect(try await repository.removeStaleLocks { $0.hostname == "remora/over" } == [old])
        #expect(try await repository.locks() == [live])
    }

    @Test("stock prune refuses while we hold a lock, stock backup does not; and we see its locks")
    func stock() async throws {
        try await withTestDirectory("repository") { directory in
            let path = directory.appending("repo")
            let repository = try await makeRepository(DirectoryStore(path: path))
            let restic = Restic(repository: path, password: testPassword)
            let lock = try await repository.addLock(exclusive: false, host: "remora/session")
            let output = try await restic.output("prune")
            #expect(!output.status.succeeded)
            #expect(output.errorText.contains("remora/session"))
            try await restic.run("backup", "--stdin", input: [1, 2, 3])
            // The stock tool doesn't know our host, so it leaves a lock alone that is fresh.
            try await restic.run("unlock")
            #expect(try await repository.locks() == [lock])
            try await repository.removeLock(lock)
            try await restic.run("prune")
            #expect(try await repository.locks().isEmpty)
        }
    }
}
