import BackupModel
import Testing

@testable import Coordinator

@Suite struct BackupForecastTests {
    private func forecast(
        _ agents: [AgentSnapshot],
        consistency: Consistency? = nil,
        last: SessionState? = nil,
        _ change: (inout Surroundings) -> Void = { _ in }
    ) -> BackupPlanView {
        let session = SessionHarness(agents: agents, consistency: consistency)
        var surroundings = Surroundings(agents: agents, isSettled: true)
        change(&surroundings)
        return BackupForecast(
            plan: session.state.plan,
            key: ResourceKey(namespace: "shop", name: "orders-hourly"),
            surroundings: surroundings,
            last: last
        ).view()
    }

    @Test("names each group's member as a session would choose it, the config server and the shards")
    func cluster() {
        let view = forecast(ClusterHarness.agents)
        #expect(view.obstacles == [])
        #expect(view.topology == "sharded cluster")
        #expect(view.groups.map(\.name) == ["cfg", "rs-a", "rs-b"])
        #expect(view.groups.map(\.role) == [.configServer, .shard, .shard])
        var session = ClusterHarness()
        session.begin()
        session.beat("cfg", .ready, 10)
        for group in view.groups {
            let attempt = session.attempt(group.name)
            #expect(group.pod == attempt?.pod && group.consistency == attempt?.consistency)
            #expect(group.reason == attempt?.choice)
        }
    }

    @Test("what a session would wait for or fail with stands in the way")
    func obstacles() {
        #expect(forecast([]).obstacles.first?.contains("no agent of target shop/orders") == true)
        let halves = ClusterHarness.agents.filter { MemberChoice.group($0) != "rs-b" }
        #expect(forecast(halves).obstacles.first?.contains("no agent of shard b") == true)
        let fuzzy = forecast(ClusterHarness.agents, consistency: Consistency.none)
        #expect(fuzzy.obstacles.first?.contains("no common point with consistency none") == true)
        let busy = forecast(ClusterHarness.agents) { $0.busyWith = ResourceKey(namespace: "demo", name: "other") }
        #expect(busy.obstacles == ["session demo/other uses the target and must end first"])
        let stopped = forecast(ClusterHarness.agents) { $0.stoppedBalancer = "cfg-1 stopped the balancer" }
        #expect(stopped.obstacles == ["cfg-1 stopped the balancer"])
        let primary = SessionHarness.agent("mongo-0", .primary)
        let locked = forecast([primary], consistency: .lock)
        #expect(locked.obstacles.first?.contains("no secondary that can be locked") == true)
        #expect(locked.groups.first?.pod == nil)
    }

    @Test("tells from the last run how long it takes, and when that is too long for the oplog or the lock's budget")
    func lastRun() throws {
        var session = SessionHarness()
        session.assign()
        session.heartbeat()
        var result = SessionHarness.result()
        result.durationMs = 90_000
        result.lock = LockReport(host: result.host, isHeld: false, heldMs: 4_000_000)
        session.send(.complete(session.call, JobOutcome(backup: result), logBytes: 0))
        var agents = [SessionHarness.agent("mongo-0", .primary), SessionHarness.agent("mongo-1", .secondary)]
        for index in agents.indices { agents[index].member.oplogWindowSeconds = 100_000 }
        let calm = forecast(agents, last: session.state)
        #expect(calm.groups.first?.last?.durationMs == 90_000)
        #expect(calm.groups.first?.last?.lockHeldMs == 4_000_000)
        #expect(calm.warnings.map(\.message).filter { $0.contains("oplog reaches back") } == [])
        #expect(
            calm.warnings.contains {
                $0.message.contains("budget is 3600 s") && $0.advice.contains("lockBudgetSeconds")
            }
        )
        for index in agents.indices { agents[index].member.oplogWindowSeconds = 120 }
        let tight = forecast(agents, last: session.state)
        #expect(tight.warnings.contains { $0.message.contains("reaches back 120 s only") && $0.group == "rs0" })
    }

    @Test("each thing that is unsafe says what to change")
    func warnings() {
        let primary = SessionHarness.agent("mongo-0", .primary)
        #expect(forecast([primary]).warnings.contains { $0.message.contains("the primary is read") })
        var secondary = SessionHarness.agent("mongo-1", .secondary)
        secondary.member.lagSeconds = 75
        secondary.member.problems = ["it is nearly full"]
        var silent = SessionHarness.agent("mongo-2", .secondary)
        silent.isConnected = false
        let view = forecast([secondary, silent])
        for part in [
            "is 75 s behind", "it is nearly full", "mongo-2 is not connected", "is the only agent of the group",
        ] {
            #expect(view.warnings.contains { $0.message.contains(part) }, "\(part) in \(view.warnings)")
        }
        #expect(view.warnings.allSatisfy { !$0.advice.isEmpty && $0.group == "rs0" })
    }
}
