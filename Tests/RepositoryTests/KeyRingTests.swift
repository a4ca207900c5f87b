import ObjectStorage
import TestSupport
import Testing

@testable import Repository

@Suite("Keys that were derived before")
struct KeyRingTests {
    private func password(_ text: String = testPassword) throws -> RepositoryPassword {
        try RepositoryPassword(trimming: text)
    }

    @Test("a repository opens again without reading its key file, and so without deriving its key")
    func again() async throws {
        let store = WatchedStore()
        let made = try await makeRepository(store)
        let ring = KeyRing()
        #expect(try await Repository.open(at: store, password: password(), keys: ring).id == made.id)
        func readKeys() -> Int { store.gets.count { $0.hasPrefix("keys/") } }
        #expect(readKeys() == 1)
        #expect(try await Repository.open(at: store, password: password(), keys: ring).id == made.id)
        #expect(readKeys() == 1)
    }

    @Test("who makes a repository opens it again without deriving its key")
    func made() async throws {
        let store = WatchedStore()
        let ring = KeyRing()
        let made = try await Repository.initialize(
            at: store,
            password: password(),
            kdf: KDFParameters(n: 2, r: 8, p: 1),
            keys: ring
        )
        #expect(try await Repository.open(at: store, password: password(), keys: ring).id == made.id)
        #expect(!store.gets.contains { $0.hasPrefix("keys/") })
    }

    @Test("a wrong password, a key file that was removed and another repository are noticed as without")
    func noticed() async throws {
        let store = MemoryStore()
        _ = try await makeRepository(store)
        let ring = KeyRing()
        _ = try await Repository.open(at: store, password: password(), keys: ring)
        let wrong = await #expect(throws: RepositoryError.self) {
            try await Repository.open(at: store, password: password("another"), keys: ring)
        }
        #expect(wrong?.code == .wrongPassword)
        let other = MemoryStore()
        let second = try await makeRepository(other)
        #expect(try await Repository.open(at: other, password: password(), keys: ring).id == second.id)
        for object in try await store.list(prefix: "keys/") { try await store.delete(object.key) }
        let removed = await #expect(throws: RepositoryError.self) {
            try await Repository.open(at: store, password: password(), keys: ring)
        }
        #expect(removed?.code == .notARepository)
    }
}
