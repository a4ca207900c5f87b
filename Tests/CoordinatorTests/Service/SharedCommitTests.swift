import BackupModel
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Coordinator

@Suite struct SharedCommitTests {
    private static let now = Timestamp(unixSeconds: 1_000_000)

    private func withConductor(
        failing: Bool = false,
        _ body: (Conductor, FussyStore) async throws -> Void
    ) async throws {
        let directory = try TestDirectory("commits")
        defer { directory.remove() }
        let store = FussyStore(try SQLiteStore(path: directory.appending("state.sqlite")), failsTogether: failing)
        let conductor = try Conductor(
            store: store,
            version: "test",
            timings: SessionTimings(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            clock: { Self.now },
            work: AsyncStream.makeStream(of: Conductor.Work.self).continuation
        )
        try await body(conductor, store)
    }

    private static func request(_ name: String) -> RegisterRequest {
        RegisterRequest(
            incarnation: "1",
            agentVersion: "1",
            features: [],
            pod: PodIdentity(namespace: "shop", name: name, uid: name),
            cluster: "orders",
            engine: "mongodb",
            jobs: [],
            unixMs: now.unixMs
        )
    }

    /// Registers, begins a check-in, and rings: what memory, store and bell must agree on.
    private static func call(_ name: String, _ answers: Answers, storeFails: Bool = false) -> WaitingCall {
        WaitingCall(
            perform: { conductor in
                _ = try conductor.register(request(name))
                let checkin = CheckinRequest(
                    epoch: 0,
                    ackRevision: "",
                    waitSeconds: 1,
                    member: MemberStatus(isReachable: true),
                    jobs: []
                )
                try conductor.checkinBegan(checkin, agentID: name)
                conductor.ring(name)
                if storeFails { throw StoreError(description: "the disk is full") }
                let rings = conductor.bell.version(name)
                return { answers.add("\(name) \(rings)") }
            },
            fail: { _ in answers.add("\(name) failed") }
        )
    }

    /// What callers were told.
    private final class Answers: Sendable {
        private let texts = Mutex<[String]>([])
        func add(_ text: String) { texts.withLock { $0.append(text) } }
        var all: [String] { texts.withLock { $0 } }
    }

    @Test("calls that come together are one commit, and nobody is told before it")
    func shared() async throws {
        try await withConductor { (conductor, store) async throws in
            let answers = Answers()
            await conductor.commit([Self.call("a", answers), Self.call("b", answers)])
            #expect(answers.all == ["a 0", "b 0"])
            #expect(conductor.bell.version("a") == 1)
            #expect(try store.agents().map(\.agentID) == ["a", "b"])
            #expect(store.commits == 1)
            #expect(await conductor.fleet["a"]?.openPolls == 1)
        }
    }

    @Test("when the shared commit fails, memory is as before and each call is made by itself, once")
    func dissolved() async throws {
        try await withConductor(failing: true) { (conductor, store) async throws in
            let answers = Answers()
            await conductor.commit([Self.call("a", answers), Self.call("b", answers)])
            #expect(answers.all == ["a 1", "b 1"])
            #expect(try store.agents().map(\.agentID) == ["a", "b"])
            #expect(await conductor.fleet["a"]?.openPolls == 1)
        }
    }

    @Test("a call that can't be stored fails alone")
    func oneFails() async throws {
        try await withConductor { (conductor, store) async throws in
            let answers = Answers()
            await conductor.commit([
                Self.call("a", answers), Self.call("b", answers, storeFails: true), Self.call("c", answers),
            ])
            #expect(answers.all == ["a 1", "b failed", "c 1"])
            #expect(await conductor.fleet["c"]?.openPolls == 1)
        }
    }

    @Test("a hundred agents that register at once are all known, in memory and in the store")
    func many() async throws {
        try await withConductor { (conductor, store) async throws in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<100 {
                    group.addTask { _ = try await conductor.together { try $0.register(Self.request("pod-\(index)")) } }
                }
                try await group.waitForAll()
            }
            #expect(try store.agents().count == 100)
            #expect(await conductor.agents(of: ResourceKey(namespace: "shop", name: "orders"), Self.now).count == 100)
        }
    }

    @Test("an agent that registers for another target leaves the first")
    func moved() async throws {
        try await withConductor { (conductor, _) async throws in
            _ = try await conductor.together { try $0.register(Self.request("a")) }
            var other = Self.request("a")
            other.cluster = "users"
            let moved = other
            _ = try await conductor.together { try $0.register(moved) }
            #expect(await conductor.agents(of: ResourceKey(namespace: "shop", name: "orders"), Self.now).isEmpty)
            #expect(await conductor.agents(of: ResourceKey(namespace: "shop", name: "users"), Self.now).count == 1)
        }
    }
}

/// A store whose shared commits can be made to fail at their end, as on a full disk.
private final class FussyStore: Store {
    private let store: SQLiteStore
    private let failsTogether: Bool
    private let count = Mutex(0)

    init(_ store: SQLiteStore, failsTogether: Bool) {
        self.store = store
        self.failsTogether = failsTogether
    }

    /// Shared commits so far.
    var commits: Int { count.withLock { $0 } }

    func together(_ body: () throws -> Void) throws {
        count.withLock { $0 += 1 }
        try store.together {
            try body()
            if failsTogether { throw StoreError(description: "the disk is full") }
        }
    }

    func nextEpoch(atLeast minimum: Int64) throws -> Int64 { try store.nextEpoch(atLeast: minimum) }
    func secretKey(_ name: String, make: () -> [UInt8]) throws -> [UInt8] { try store.secretKey(name, make: make) }
    func insert(_ session: SessionState, events: [SessionEventView]) throws -> Bool {
        try store.insert(session, events: events)
    }
    func save(_ session: SessionState, events: [SessionEventView], locks: [LockRecord]) throws {
        try store.save(session, events: events, locks: locks)
    }
    func session(_ key: ResourceKey) throws -> SessionState? { try store.session(key) }
    func sessions(_ filter: SessionFilter) throws -> [SessionState] { try store.sessions(filter) }
    func events(of session: ResourceKey) throws -> [SessionEventView] { try store.events(of: session) }
    func remove(_ session: ResourceKey) throws { try store.remove(session) }
    func save(_ lock: LockRecord) throws { try store.save(lock) }
    func locks(onlyOpen: Bool, limit: Int) throws -> [LockRecord] { try store.locks(onlyOpen: onlyOpen, limit: limit) }
    func save(_ agent: AgentRecord) throws { try store.save(agent) }
    func agents() throws -> [AgentRecord] { try store.agents() }
    func remove(agent agentID: String) throws { try store.remove(agent: agentID) }
    func lastHandled(_ configuration: ResourceKey) throws -> Timestamp? { try store.lastHandled(configuration) }
    func setLastHandled(_ configuration: ResourceKey, _ time: Timestamp) throws {
        try store.setLastHandled(configuration, time)
    }
}
