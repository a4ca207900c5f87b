import BackupModel
import FakeAPIServer
import Kubernetes
import TestSupport
import Testing

@testable import Coordinator

@Suite struct KubernetesStoreTests {
    private static func session(_ name: String, groups: Int = 0) -> SessionState {
        var state = SessionState(
            key: ResourceKey(namespace: "shop", name: name),
            uid: name,
            kind: .backup,
            plan: SessionHarness.plan(target: "orders"),
            created: Timestamp(unixSeconds: 1)
        )
        state.groups = (0..<groups).map { GroupState(name: "rs\($0)") }
        return state
    }

    private static func lead(_ harness: KubernetesHarness, _ fenced: KubernetesHarness.Ended = .init()) throws
        -> KubernetesStore
    {
        let store = harness.makeStore(fenced: { fenced.note($0) })
        _ = try store.nextEpoch(atLeast: 1)
        return store
    }

    @Test("a leader whose successor has begun can't write a session any more, and is told to end")
    func fencing() async throws {
        try await KubernetesHarness.run { harness in
            try await Blocking.detach {
                let fenced = KubernetesHarness.Ended()
                let old = try Self.lead(harness, fenced)
                var state = Self.session("a")
                #expect(try old.insert(state, events: []))
                let new = try Self.lead(harness)
                #expect(try new.session(state.key) == state)
                state.waitingFor = "what the old leader thinks"
                #expect(throws: StoreError.self) { try old.save(state, events: [], locks: []) }
                #expect(fenced.all.count == 1)
                #expect(fenced.all.first?.contains("session shop/a was written by a coordinator of epoch 2") == true)
                // Once fenced, always fenced: also what the new leader never wrote stays as it is.
                #expect(throws: StoreError.self) { _ = try old.insert(Self.session("b"), events: []) }
                #expect(fenced.all.count == 1)
                #expect(try Self.lead(harness).session(state.key)?.waitingFor == nil)
            }
        }
    }

    @Test("what an old leader wrote after its successor had read is read again before it is claimed")
    func lastWrite() async throws {
        try await KubernetesHarness.run { harness in
            let old = try await Blocking.detach { try Self.lead(harness) }
            var state = Self.session("a")
            let first = state
            #expect(try await Blocking.detach { try old.insert(first, events: []) })
            // The new leader has read everything when the old one writes once more: its claim meets a conflict.
            let fault = harness.fake.misbehave(.hang, verb: "update", path: "/backupsessions/a/status")
            async let successor = Blocking.detach { try Self.lead(harness) }
            try await eventually("the successor claims the session") { fault.uses == 1 }
            state.waitingFor = "written in the last moment"
            let last = state
            try await Blocking.detach { try old.save(last, events: [], locks: []) }
            fault.lift()
            #expect(try await successor.session(state.key)?.waitingFor == "written in the last moment")
        }
    }

    @Test("a person's edit while a session is written costs another try, and nothing of either is lost")
    func personsEdit() async throws {
        try await KubernetesHarness.run { harness in
            let store = try await Blocking.detach { try Self.lead(harness) }
            var state = Self.session("a")
            let inserted = state
            #expect(try await Blocking.detach { try store.insert(inserted, events: []) })
            let path = "/apis/remora.dev/v1alpha1/namespaces/shop/backupsessions/a"
            #expect(await harness.fake.send("PATCH", path, ["spec": ["cancel": true]]).status == 200)
            state.waitingFor = "news"
            let changed = state
            try await Blocking.detach { try store.save(changed, events: [], locks: []) }
            let object = try #require(harness.session("a"))
            #expect(object[path: "spec", "cancel"] == true)
            #expect(try SessionRecord(text: object[path: "status", "record"]?.string ?? "").session == changed)
        }
    }

    @Test("a commit of which only a part was written is made again as if its answer had been lost")
    func partialFailure() async throws {
        try await KubernetesHarness.run { harness in
            let store = try await Blocking.detach { try Self.lead(harness) }
            let before = (Self.session("a"), Self.session("b"))
            try await Blocking.detach {
                _ = try store.insert(before.0, events: [])
                _ = try store.insert(before.1, events: [])
            }
            harness.fake.misbehave(.status(422, retryAfter: nil), verb: "update", path: "/backupsessions/b/status")
            var (first, second) = before
            (first.waitingFor, second.waitingFor) = ("x", "x")
            let (one, two) = (first, second)
            let event = SessionEventView(time: Timestamp(unixSeconds: 2), type: "Queued", message: "x")
            try await Blocking.detach {
                #expect(throws: StoreError.self) {
                    try store.together {
                        try store.save(one, events: [event], locks: [])
                        try store.save(two, events: [event], locks: [])
                    }
                }
                // Memory is as before for both, whatever the API server has.
                #expect(try store.session(one.key)?.waitingFor == nil)
                #expect(try store.session(two.key)?.waitingFor == nil)
                try store.save(one, events: [event], locks: [])
                try store.save(two, events: [event], locks: [])
                let again = try Self.lead(harness)
                #expect(try again.session(one.key) == one)
                #expect(try again.events(of: one.key).map(\.type) == ["Queued"])
                #expect(try again.session(two.key) == two)
            }
        }
    }

    @Test("an object that a person made becomes the session, and keeps what the person wrote on it")
    func adoption() async throws {
        try await KubernetesHarness.run { harness in
            try await harness.createSession("a")
            let path = "/apis/remora.dev/v1alpha1/namespaces/shop/backupsessions/a"
            _ = await harness.fake.send(
                "PATCH",
                path,
                ["metadata": ["labels": ["mine": "yes"], "finalizers": ["x.y/z"]]]
            )
            try await Blocking.detach {
                let store = try Self.lead(harness)
                #expect(try store.insert(Self.session("a"), events: []))
                #expect(try !store.insert(Self.session("a"), events: []))
            }
            let object = KubernetesObject(try #require(harness.session("a")))
            #expect(object.labels["mine"] == "yes")
            #expect(object.finalizers == ["x.y/z", "remora.dev/cancel-on-delete"])
            #expect(object.hasRecord)
        }
    }

    @Test("what happened is told once it is durable, and not when it isn't")
    func told() async throws {
        try await KubernetesHarness.run { harness in
            let told = KubernetesHarness.Ended()
            let store = harness.makeStore(happened: { session, uid, events in
                told.note("\(session.key.name) \(uid.isEmpty ? "?" : "!") \(events.map(\.type))")
            })
            let event = SessionEventView(time: Timestamp(unixSeconds: 1), type: "Started", message: "m")
            try await Blocking.detach {
                _ = try store.nextEpoch(atLeast: 1)
                _ = try store.insert(Self.session("a"), events: [])
                #expect(told.all.isEmpty)
                harness.fake.misbehave(.status(422, retryAfter: nil), verb: "update", path: "/status")
                #expect(throws: StoreError.self) { try store.save(Self.session("a"), events: [event], locks: []) }
                #expect(told.all.isEmpty)
                try store.save(Self.session("a"), events: [event], locks: [])
                #expect(told.all == [#"a ! ["Started"]"#])
            }
        }
    }

    @Test("a lock of a session whose object was removed by force is in the ledger as soon as it is written")
    func removedByForce() async throws {
        try await KubernetesHarness.run { harness in
            let lock = LockLedgerTests.record(now: Timestamp(unixSeconds: 1))
            let state = Self.session(lock.session.name)
            let store = try await Blocking.detach {
                let store = try Self.lead(harness)
                _ = try store.insert(state, events: [])
                return store
            }
            let path = "/apis/remora.dev/v1alpha1/namespaces/shop/backupsessions/\(state.key.name)"
            _ = await harness.fake.send("PATCH", path, ["metadata": ["finalizers": .null]])
            _ = await harness.fake.send("DELETE", path)
            try await Blocking.detach {
                try store.save(state, events: [], locks: [lock])
                #expect(try Self.lead(harness).locks(onlyOpen: true, limit: 10) == [lock])
            }
            let ledger = harness.fake.object("configmaps", namespace: KubernetesHarness.system, name: "remora-ledger")
            #expect(ledger?["data"]?.object?.count == 1)
        }
    }
}

@Suite struct SessionRecordTests {
    private static func record(groups: Int, events: Int) -> SessionRecord {
        var state = SessionHarness().state
        state.groups = (0..<groups).map { GroupState(name: "rs\($0)") }
        let all = (0..<events).map {
            SessionEventView(
                time: Timestamp(unixSeconds: Int64($0)),
                type: "E\($0)",
                message: "\(UInt64.random(in: 0 ... .max))"
            )
        }
        return SessionRecord(session: state, events: all, locks: [LockLedgerTests.record()])
    }

    @Test("a record comes back from its text, short or long", arguments: [1, 2000])
    func roundTrip(_ groups: Int) throws {
        let record = Self.record(groups: groups, events: 3)
        let text = try record.text()
        #expect(text.hasPrefix("zstd:") == (groups > 1))
        #expect(try SessionRecord(text: text) == record)
    }

    @Test("what doesn't fit loses events in the middle, never state or open locks")
    func fitted() throws {
        let record = Self.record(groups: 1, events: 3000)
        let text = try record.text(maximumLength: 20_000)
        #expect(text.utf8.count <= 20_000)
        let again = try SessionRecord(text: text)
        #expect(again.session == record.session)
        #expect(again.locks == record.locks)
        #expect(again.events.first?.type == "E0")
        #expect(again.events.last?.type == "E2999")
    }

    @Test("a record that can't fit says so in a sentence")
    func tooLong() {
        let error = #expect(throws: StoreError.self) { try Self.record(groups: 1, events: 0).text(maximumLength: 100) }
        #expect(error?.description.contains("does not fit into its object (100)") == true)
    }

    @Test("a damaged text is refused", arguments: ["", "{}", "zstd:!!", "zstd:AAAA", #"{"version":2}"#])
    func damaged(_ text: String) {
        #expect(throws: (any Error).self) { try SessionRecord(text: text) }
    }
}
