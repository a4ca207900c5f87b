import BackupModel
import TestSupport
import Testing

@testable import Coordinator

@Suite struct SQLiteStoreTests {
    private func withStore(_ body: (SQLiteStore, String) throws -> Void) throws {
        let directory = try TestDirectory("store")
        defer { directory.remove() }
        let path = directory.appending("state.sqlite")
        try body(try SQLiteStore(path: path), path)
    }

    private func session(_ name: String, at seconds: Int64, target: String = "orders") -> SessionState {
        SessionState(
            key: ResourceKey(namespace: "shop", name: name),
            uid: name,
            kind: .backup,
            plan: SessionHarness.plan(target: target),
            created: Timestamp(unixSeconds: seconds)
        )
    }

    @Test("epochs grow, also past a clock that goes back, and survive")
    func epochs() throws {
        try withStore { (store, path) throws in
            #expect(try store.nextEpoch(atLeast: 100) == 100)
            #expect(try store.nextEpoch(atLeast: 50) == 101)
            #expect(try SQLiteStore(path: path).nextEpoch(atLeast: 0) == 102)
        }
    }

    @Test("keys are made once")
    func keys() throws {
        try withStore { (store, path) throws in
            let key = try store.secretKey("k") { [1, 2, 3] }
            #expect(key == [1, 2, 3])
            #expect(try SQLiteStore(path: path).secretKey("k") { [9] } == [1, 2, 3])
        }
    }

    @Test("a session's name is taken once, and its state and events come back whole")
    func sessions() throws {
        try withStore { (store, path) throws in
            var state = session("a", at: 1)
            let event = SessionEventView(time: state.created, type: "Created", message: "x")
            #expect(try store.insert(state, events: [event]))
            #expect(try !store.insert(session("a", at: 2), events: []))
            state.stage = .ended
            state.outcome = .init(phase: .succeeded, reason: "r", message: "m")
            try store.save(
                state,
                events: [SessionEventView(time: state.created, type: "Done", message: "y")],
                locks: []
            )
            let again = try SQLiteStore(path: path)
            #expect(try again.session(state.key) == state)
            #expect(try again.events(of: state.key).map(\.type) == ["Created", "Done"])
            try again.remove(state.key)
            #expect(try again.session(state.key) == nil)
            #expect(try again.events(of: state.key).isEmpty)
        }
    }

    @Test("sessions are found by what they are, newest first")
    func filters() throws {
        try withStore { (store, _) throws in
            for (name, time, target) in [("a", Int64(1), "orders"), ("b", 2, "users"), ("c", 3, "orders")] {
                _ = try store.insert(session(name, at: time, target: target), events: [])
            }
            var over = session("d", at: 4)
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

    @Test("schedules, agents and locks come back")
    func others() throws {
        try withStore { (store, path) throws in
            let key = ResourceKey(namespace: "shop", name: "hourly")
            #expect(try store.lastHandled(key) == nil)
            try store.setLastHandled(key, Timestamp(unixSeconds: 5))
            try store.setLastHandled(key, Timestamp(unixSeconds: 6))
            let lock = LockLedgerTests.record(now: Timestamp(unixSeconds: 1))
            try store.save(lock)
            var ended = LockLedgerTests.record(now: Timestamp(unixSeconds: 2))
            ended.jobID = "other"
            ended.endedAt = Timestamp(unixSeconds: 3)
            try store.save(ended)
            let again = try SQLiteStore(path: path)
            #expect(try again.lastHandled(key) == Timestamp(unixSeconds: 6))
            #expect(try again.locks(onlyOpen: true, limit: 10) == [lock])
            #expect(try again.locks(onlyOpen: false, limit: 10) == [ended, lock])
        }
    }

    @Test("changes made together are all durable or none, and are seen while they are made")
    func together() throws {
        try withStore { (store, path) throws in
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
                areNew.append(try store.insert(session("a", at: 1), events: []))
                areNew.append(try store.insert(session("a", at: 2), events: []))
            }
            #expect(areNew == [true, false])
            let again = try SQLiteStore(path: path)
            #expect(try again.lastHandled(key) == Timestamp(unixSeconds: 6))
            #expect(try again.sessions(SessionFilter()).count == 1)
        }
    }

    @Test("a place that can't hold the state is told in a sentence")
    func unusable() {
        let error = #expect(throws: StoreError.self) { try SQLiteStore(path: "/nowhere/at/all/state.sqlite") }
        #expect(error?.description.contains("can't open the state in /nowhere/at/all/state.sqlite") == true)
    }
}
