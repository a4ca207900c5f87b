import Foundation
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Coordinator

/// A clock that a test sets.
final class SetClock: Sendable {
    private let seconds: Mutex<Int64>
    init(_ seconds: Int64) { self.seconds = Mutex(seconds) }
    var now: Int64 {
        get { seconds.withLock(\.self) }
        set { seconds.withLock { $0 = newValue } }
    }
}

@Suite("Keeping certificates")
struct CertificateKeeperTests {
    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    private let day: Int64 = 86_400

    private func keeper(_ store: any AuthorityStore, _ clock: SetClock) -> CertificateKeeper {
        CertificateKeeper(.authority(store), names: ["localhost"], clock: { clock.now }, logger: Self.quiet)
    }

    @Test("a file holds the authority for its owner's eyes; who knows an old version doesn't overwrite a newer one")
    func store() async throws {
        try await withTestDirectory("authority") { directory in
            let store = DirectoryAuthorityStore(directory: directory.appending("authority"))
            #expect(try await store.load() == nil)
            let first = AuthorityState(current: try Authority.make(now: 0))
            #expect(try await store.save(first, replacing: nil))
            #expect(try await !store.save(first, replacing: nil))
            let stored = try #require(try await store.load())
            #expect(stored.state == first)
            let second = AuthorityState(current: try Authority.make(now: 0))
            #expect(try await store.save(second, replacing: stored.version))
            #expect(try await !store.save(first, replacing: stored.version))
            #expect(try await store.load()?.state == second)
            let mode = try FileManager.default.attributesOfItem(atPath: directory.appending("authority/authority.json"))
            #expect(mode[.posixPermissions] as? Int == 0o600)
        }
    }

    @Test("replicas that start together agree on one authority, and each has a key of its own")
    func replicas() async throws {
        try await withTestDirectory("authority") { directory in
            let store = DirectoryAuthorityStore(directory: directory.appending("authority"))
            let clock = SetClock(1_800_000_000)
            let keepers = (0..<6).map { _ in keeper(store, clock) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for keeper in keepers { group.addTask { try await keeper.refresh() } }
                try await group.waitForAll()
            }
            #expect(Set(keepers.map(\.bundle)).count == 1)
            #expect(keepers[0].fingerprints.count == 1)
        }
    }

    @Test("a certificate is renewed after two thirds of its week, and when the clock was set back")
    func renewed() async throws {
        try await withTestDirectory("authority") { directory in
            let clock = SetClock(1_800_000_000)
            let keeper = keeper(DirectoryAuthorityStore(directory: directory.path), clock)
            try await keeper.refresh()
            #expect(keeper.servedUntil == clock.now + 7 * day)
            clock.now += 4 * day
            try await keeper.refresh()
            #expect(keeper.serving.generation == 1)
            clock.now += day
            try await keeper.refresh()
            #expect(keeper.serving.generation == 2)
            #expect(keeper.servedUntil == clock.now + 7 * day)
            clock.now -= 5 * day
            try await keeper.refresh()
            #expect(keeper.serving.generation == 3)
        }
    }

    @Test("a rotation goes by what is observed: published first, confirmed, then signed with")
    func rotation() async throws {
        try await withTestDirectory("authority") { directory in
            let clock = SetClock(1_800_000_000)
            let store = DirectoryAuthorityStore(directory: directory.path)
            let keeper = keeper(store, clock)
            try await keeper.refresh()
            let old = try #require(keeper.fingerprints.first)
            clock.now += 250 * day
            try await keeper.refresh()
            #expect(keeper.fingerprints.count == 2)
            #expect(keeper.fingerprints.last == old)
            #expect(try await store.load()?.state?.current.fingerprint == old)
            keeper.observed(published: Set(keeper.fingerprints), trustedByAgents: [])
            try await keeper.refresh()
            #expect(try await store.load()?.state?.current.fingerprint == old)
            clock.now += 601
            let generation = keeper.serving.generation
            try await keeper.refresh()
            #expect(try await store.load()?.state?.current.fingerprint != old)
            #expect(keeper.serving.generation == generation + 1)
        }
    }

    @Test("a damaged store is mended; one that can't be read leaves what was served before")
    func damaged() async throws {
        try await withTestDirectory("authority") { directory in
            let clock = SetClock(1_800_000_000)
            let keeper = keeper(DirectoryAuthorityStore(directory: directory.path), clock)
            try await keeper.refresh()
            let before = keeper.bundle
            try directory.write("{}", to: "authority.json")
            try await keeper.refresh()
            #expect(keeper.bundle != before)
            try FileManager.default.removeItem(atPath: directory.appending("authority.json"))
            _ = try directory.makeDirectory("authority.json")
            let served = keeper.serving.generation
            await #expect(throws: CertificateError.self) { try await keeper.refresh() }
            #expect(keeper.serving.generation == served)
            #expect(keeper.serving.configuration() != nil)
        }
    }

    @Test("files that somebody else renews are read again; a pair that doesn't belong together is not taken")
    func files() async throws {
        try await withTestDirectory("files") { directory in
            let now = Int64(Date().timeIntervalSince1970)
            let authority = try Authority.make(now: now)
            let (one, two) = (try authority.issue(["one"], now: now), try authority.issue(["two"], now: now))
            try directory.write(authority.certificate, to: "ca.crt")
            try directory.write(one.chain, to: "tls.crt")
            try directory.write(one.key, to: "tls.key")
            let files = CertificateFiles(
                certificate: directory.appending("tls.crt"),
                key: directory.appending("tls.key")
            )
            let keeper = CertificateKeeper(.files(files), names: [], clock: { now }, logger: Self.quiet)
            try await keeper.refresh()
            try await keeper.refresh()
            #expect(keeper.serving.generation == 1)
            #expect(keeper.bundle == authority.certificate)
            try directory.write(two.chain, to: "tls.crt")
            await #expect { try await keeper.refresh() } throws: { error in
                "\(error)" == "can't use \(files.certificate) and \(files.key): the key belongs to another certificate"
            }
            #expect(keeper.serving.generation == 1)
            try directory.write(two.key, to: "tls.key")
            try await keeper.refresh()
            #expect(keeper.serving.generation == 2)
        }
    }
}
