import BackupModel
import FakeAPIServer
import Kubernetes
import Logging
import TestSupport
import Testing

@testable import Coordinator

/// A store that can be opened again, as after a restart or a change of leader.
struct StoreUnderTest: Sendable {
    var store: any Store
    var reopen: @Sendable () throws -> any Store
}

/// The implementations that the contract is proven for.
enum StoreKind: String, CaseIterable, Sendable {
    case sqlite, kubernetes

    /// Runs `body` with an empty store, on a thread that may block.
    func run(_ body: @escaping @Sendable (StoreUnderTest) throws -> Void) async throws {
        switch self {
        case .sqlite:
            try await withTestDirectory("store") { directory in
                let path = directory.appending("state.sqlite")
                let make: @Sendable () throws -> any Store = { try SQLiteStore(path: path) }
                try await Blocking.detach { try body(StoreUnderTest(store: try make(), reopen: make)) }
            }
        case .kubernetes:
            try await KubernetesHarness.run { harness in
                let make: @Sendable () throws -> any Store = {
                    let store = harness.makeStore()
                    _ = try store.nextEpoch(atLeast: 0)
                    return store
                }
                try await Blocking.detach { try body(StoreUnderTest(store: try make(), reopen: make)) }
            }
        }
    }
}

@Suite struct StoreConformanceTests {
    private static func session(_ name: String, at seconds: Int64, target: String = "orders") -> SessionState {
        SessionState(
            key: ResourceKey(namespace: "shop", name: name),
            uid: name,
            kind: .backup,
            plan: SessionHarness.plan(target: target),
            created: Timestamp(unixSeconds: seconds)
        )
    }

    @Test("epochs grow, also past a clock that goes back, and survive", arguments: StoreKind.allCases)
    func epochs(_ kind: StoreKind) async throws {
        try await kind.run { under in
            let first = try under.store.nextEpoch(atLeast: 100)
            #expect(first == 100)
            #expect(try under.store.nextEpoch(atLeast: 50) == 101)
            #expect(try under.reopen().nextEpoch(atLeast: 0) > 101)
        }
    }

    @Test("keys are made once", arguments: StoreKind.allCases)
    func keys(_ kind: StoreKind) async throws {
        try await kind.run { under in
            let first = try under.store.secretKey("k") { [1, 2, 3] }
            let again = try under.reopen().secretKey("k") { [9] }
            let other = try under.reopen().secretKey("other") { [9] }
            #expect(first == [1, 2, 3])
            #expect(again == [1, 2, 3])
            #expect(other == [9])
        }
    }

    @Test("a session's name is taken once, and its state and events come back whole", arguments: StoreKind.allCases)
    func sessions(_ kind: StoreKind) async throws {
        try await kind.run { under in
            var state = Self.session("a", at: 1)
            let event = SessionEventView(time: state.created, type: "Created", message: "x")
            #expect(try under.store.insert(state, events: [event]))
            #expect(try !under.store.insert(Self.session("a", at: 2), events: []))
            state.stage = .ended
            state.outcome = .init(phase: .succeeded, reason: "r", message: "m")
            try under.store.save(
                state,
                events: [SessionEventView(time: state.created, type: "Done", message: "y")],
                locks: []
            )
            let again = try under.reopen()
            #expect(try again.session(state.key) == state)
            #expect(try again.events(of: state.key).map(\.type) == ["Created", "Done"])
            try again.remove(state.key)
            #expect(try again.session(state.key) == nil)
            #expect(try again.events(of: state.key).isEmpty)
            #expect(try under.reopen().session(state.key) == nil)
        }
    }

    @Test("sessions are found by what they are, newest first", arguments: StoreKind.allCases)
    func filters(_ kind: StoreKind) async throws {
        try await kind.run { under in
            let store = under.store
            for (name, time, target) in [("a", Int64(1), "orders"), ("b", 2, "users"), ("c", 3, "orders")] {
                _ = try store.insert(Self.session(name, at: time, target: target), events: [])
            }
            var over = Self.session("d", at: 4)
            over.stage = .ended
            over.outcome = .init(phase: .failed, reason: "r", message: "m")
            _ = try store.insert(over, events: [])
            func names(_ filter: SessionFilter) throws -> [String] { try store.sessions(filter).map(\.key.name) }
            #expect(try names(SessionFilter()) == ["d", "c", "b", "a"])
            #expect(try names(SessionFilter(limit: 2)) == ["d", "c"])
            #expect(try names(SessionFilter(isActive: true)) == ["c", "b", "a"])
            #expect(
                try names(SessionFilter(target: ResourceKey(namespace: "shop", name: "orders"))) == ["d", "c", "a"]
            )
            #expect(try names(SessionFilter(phase: .failed)) == ["d"])
            #expect(try names(SessionFilter(kind: .restore)).isEmpty)
            #expect(try names(SessionFilter(namespace: "other")).isEmpty)
        }
    }

    @Test("schedules and locks come back", arguments: StoreKind.allCases)
    func others(_ kind: StoreKind) async throws {
        try await kind.run { under in
            let key = ResourceKey(namespace: "shop", name: "hourly")
            #expect(try under.store.lastHandled(key) == nil)
            try under.store.setLastHandled(key, Timestamp(unixSeconds: 5))
            try under.store.setLastHandled(key, Timestamp(unixSeconds: 6))
            let lock = LockLedgerTests.record(now: Timestamp(unixSeconds: 1))
            _ = try under.store.insert(Self.session(lock.session.name, at: 1), events: [])
            try under.store.save(lock)
            var ended = LockLedgerTests.record(now: Timestamp(unixSeconds: 2))
            ended.jobID = "other"
            ended.endedAt = Timestamp(unixSeconds: 3)
            try under.store.save(ended)
            let again = try under.reopen()
            #expect(try again.lastHandled(key) == Timestamp(unixSeconds: 6))
            #expect(try again.locks(onlyOpen: true, limit: 10) == [lock])
            #expect(try again.locks(onlyOpen: false, limit: 10) == [ended, lock])
        }
    }

    @Test("a lock stays open when its session is removed, and ends when it ended", arguments: StoreKind.allCases)
    func orphans(_ kind: StoreKind) async throws {
        try await kind.run { under in
            var lock = LockLedgerTests.record(now: Timestamp(unixSeconds: 1))
            var state = Self.session(lock.session.name, at: 1)
            _ = try under.store.insert(state, events: [])
            state.stage = .ended
            state.outcome = .init(phase: .cancelled, reason: "r", message: "m")
            try under.store.save(state, events: [], locks: [lock])
            try under.store.remove(state.key)
            #expect(try under.store.locks(onlyOpen: true, limit: 10) == [lock])
            #expect(try under.reopen().locks(onlyOpen: true, limit: 10) == [lock])
            lock.endedAt = Timestamp(unixSeconds: 9)
            let again = try under.reopen()
            try again.save(lock)
            #expect(try again.locks(onlyOpen: true, limit: 10).isEmpty)
            #expect(try under.reopen().locks(onlyOpen: true, limit: 10).isEmpty)
        }
    }

    @Test(
        "changes made together are all durable or none, and are seen while they are made",
        arguments: StoreKind.allCases
    )
    func together(_ kind: StoreKind) async throws {
        try await kind.run { under in
            let store = under.store
            let key = ResourceKey(namespace: "shop", name: "hourly")
            var seen: Timestamp?
            var failure: (any Error)?
            do {
                try store.together {
                    try store.setLastHandled(key, Timestamp(unixSeconds: 5))
                    seen = try store.lastHandled(key)
                    throw StoreError(description: "changed my mind")
                }
            } catch {
                failure = error
            }
            #expect(failure is StoreError)
            #expect(seen == Timestamp(unixSeconds: 5))
            #expect(try store.lastHandled(key) == nil)
            var areNew: [Bool] = []
            try store.together {
                try store.setLastHandled(key, Timestamp(unixSeconds: 6))
                areNew.append(try store.insert(Self.session("a", at: 1), events: []))
                areNew.append(try store.insert(Self.session("a", at: 2), events: []))
            }
            #expect(areNew == [true, false])
            let again = try under.reopen()
            #expect(try again.lastHandled(key) == Timestamp(unixSeconds: 6))
            #expect(try again.sessions(SessionFilter()).count == 1)
        }
    }
}
