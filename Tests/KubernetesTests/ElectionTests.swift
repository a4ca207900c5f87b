import Kubernetes
import Synchronization
import TestSupport
import Testing

@Suite("leader election")
struct ElectionTests {
    private let path = "/apis/coordination.k8s.io/v1/namespaces/remora/leases/remora"

    private func election(_ server: ScriptedAPI, _ time: SteppedTime, _ identity: String) -> LeaderElection {
        LeaderElection(
            server.client(time: time.source),
            name: "remora",
            namespace: "remora",
            identity: identity,
            labels: ["app": "remora"]
        )
    }

    /// Leads until told to stop; the returned task throws what leading threw.
    private func lead(_ election: LeaderElection, onLost: @escaping @Sendable () -> Void = {}) -> Task<Void, any Error>
    {
        Task {
            try await election.lead(onLost: onLost) {
                while true { try await Task.sleep(for: .seconds(3600)) }
            }
        }
    }

    @Test("of two candidates one leads; the other follows at once when the lease is given back")
    func handOver() async throws {
        let store = ToyStore()
        let time = SteppedTime()
        try await withAPI { request, _, connection in
            store.answer(request, connection)
        } _: { server in
            let first = election(server, time, "one")
            let second = election(server, time, "two")
            let leading = lead(first)
            try await eventually("the first leads") { first.isLeading }
            let spec = try #require(store[path]?["spec"])
            #expect(spec["holderIdentity"] == "one" && spec["leaseDurationSeconds"] == 15)
            #expect(spec["renewTime"] == "2026-08-22T10:00:00.250000Z" && spec["leaseTransitions"] == 0)
            #expect(store[path]?[path: "metadata", "labels"] == ["app": "remora"])
            let waiting = lead(second)
            for _ in 0..<20 {
                try await time.step(.seconds(2), sleepers: 2)
                try await eventually("both have looked", every: .milliseconds(1)) { time.sleeperCount == 2 }
                #expect(first.isLeading && !second.isLeading)
            }
            #expect(second.leader == "one")
            leading.cancel()
            _ = await leading.result
            #expect(!first.isLeading)
            #expect(store[path]?[path: "spec", "holderIdentity"] == "")
            #expect(store[path]?[path: "spec", "leaseDurationSeconds"] == 1)
            try await time.step(.seconds(2), sleepers: 1)
            try await eventually("the second leads") { second.isLeading }
            #expect(store[path]?[path: "spec", "leaseTransitions"] == 1)
            waiting.cancel()
            _ = await waiting.result
        }
    }

    @Test("a leader that is gone is followed when the lease did not change for its whole duration on our own clock")
    func crash() async throws {
        let store = ToyStore()
        let time = SteppedTime()
        store[path] = [
            "metadata": ["name": "remora", "namespace": "remora"],
            "spec": [
                "holderIdentity": "gone", "leaseDurationSeconds": 15, "leaseTransitions": 4,
                // Years ahead and years behind by other clocks: neither is looked at.
                "renewTime": "2999-01-01T00:00:00.000000Z", "acquireTime": "1999-01-01T00:00:00.000000Z",
            ],
        ]
        try await withAPI { request, _, connection in
            store.answer(request, connection)
        } _: { server in
            let election = election(server, time, "new")
            let leading = lead(election)
            for _ in 0..<7 { try await time.step(.seconds(2), sleepers: 1) }
            try await eventually("it looked once more") { time.sleeperCount == 1 }
            #expect(!election.isLeading)
            try await time.step(.seconds(2), sleepers: 1)
            try await eventually("it leads") { election.isLeading }
            #expect(store[path]?[path: "spec", "leaseTransitions"] == 5)
            leading.cancel()
            _ = await leading.result
        }
    }

    @Test("a lease that runs out within a period is tried for then, and not at the period's end")
    func promptly() async throws {
        let store = ToyStore()
        let time = SteppedTime()
        store[path] = [
            "metadata": ["name": "remora", "namespace": "remora"],
            "spec": ["holderIdentity": "gone", "leaseDurationSeconds": 3, "renewTime": "2026-08-22T10:00:00.000000Z"],
        ]
        try await withAPI { request, _, connection in
            store.answer(request, connection)
        } _: { server in
            let election = election(server, time, "new")
            let leading = lead(election)
            try await time.step(.seconds(2), sleepers: 1)
            try await eventually("it looked once more") { time.sleeperCount == 1 }
            #expect(!election.isLeading)
            // A second is left, of a period of two.
            try await time.step(.milliseconds(1300), sleepers: 1)
            try await eventually("it leads") { election.isLeading }
            leading.cancel()
            _ = await leading.result
        }
    }

    @Test("a leader that can't renew stops at its deadline, before another may begin, and says so at once")
    func lost() async throws {
        let store = ToyStore()
        let time = SteppedTime()
        let isLost = Mutex(false)
        try await withAPI { request, _, connection in
            store.answer(request, connection)
        } _: { server in
            let election = election(server, time, "one")
            let leading = lead(election) { isLost.withLock { $0 = true } }
            try await eventually("it leads") { election.isLeading }
            store.set(down: true)
            for _ in 0..<4 { try await time.step(.seconds(2), sleepers: 1) }
            try await eventually("it tried again") { time.sleeperCount == 1 }
            #expect(election.isLeading && !isLost.withLock { $0 })
            time.advance(.seconds(2))
            #expect(!election.isLeading)
            let error = await #expect(throws: KubernetesError.self) { try await leading.value }
            #expect(error?.code == .leadershipLost && error?.message.contains("couldn't be renewed") == true)
            #expect(isLost.withLock { $0 })
        }
    }

    @Test("a leader that finds another's name in the lease stops")
    func usurped() async throws {
        let store = ToyStore()
        let time = SteppedTime()
        try await withAPI { request, _, connection in
            store.answer(request, connection)
        } _: { server in
            let election = election(server, time, "one")
            let leading = lead(election)
            try await eventually("it leads") { election.isLeading }
            store[path]?["spec"]?["holderIdentity"] = "two"
            try await time.step(.seconds(2), sleepers: 1)
            let error = await #expect(throws: KubernetesError.self) { try await leading.value }
            #expect(error?.code == .leadershipLost && error?.message.contains("another has it: two") == true)
            #expect(store[path]?[path: "spec", "holderIdentity"] == "two")
        }
    }

    @Test("what the leader does ends the leading, and its result is given back")
    func result() async throws {
        let store = ToyStore()
        try await withAPI { request, _, connection in
            store.answer(request, connection)
        } _: { server in
            let election = election(server, SteppedTime(), "one")
            let result = try await election.lead { 42 }
            #expect(result == 42)
            #expect(store[path]?[path: "spec", "holderIdentity"] == "")
        }
    }

    @Test("each life of a leader gets a greater epoch, whoever counts at the same time")
    func epoch() async throws {
        let store = ToyStore()
        try await withAPI { request, _, connection in
            store.answer(request, connection)
        } _: { server in
            let client = server.client()
            #expect(try await client.nextEpoch(name: "state", namespace: "remora") == 1)
            #expect(try await client.nextEpoch(name: "state", namespace: "remora") == 2)
            #expect(try await client.nextEpoch(name: "state", namespace: "remora", floor: 9) == 10)
            let numbers = try await withThrowingTaskGroup(of: Int64.self) { group in
                for _ in 0..<3 { group.addTask { try await client.nextEpoch(name: "state", namespace: "remora") } }
                return try await group.reduce(into: Set<Int64>()) { $0.insert($1) }
            }
            #expect(numbers == [11, 12, 13])
            store["/api/v1/namespaces/remora/configmaps/state"]?["data"]?["epoch"] = "many"
            let error = await #expect(throws: KubernetesError.self) {
                _ = try await client.nextEpoch(name: "state", namespace: "remora")
            }
            #expect(error?.code == .configuration && error?.message.contains("'many'") == true)
        }
    }
}
