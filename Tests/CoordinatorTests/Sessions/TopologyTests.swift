import BackupModel
import Testing

@testable import Coordinator

@Suite struct TopologyTests {
    private let target = ResourceKey(namespace: "shop", name: "orders")

    private func decide(_ agents: [AgentSnapshot]) -> Topology.Decision { Topology.decide(agents, target: target) }

    private func agents(without groups: String...) -> [AgentSnapshot] {
        ClusterHarness.agents.filter { !groups.contains(MemberChoice.group($0)) }
    }

    @Test("a config server and its shards are a cluster of as many groups")
    func cluster() {
        guard case .found(let topology) = decide(ClusterHarness.agents) else {
            Issue.record("no topology")
            return
        }
        #expect(topology.groups.map(\.name) == ["cfg", "rs-a", "rs-b"])
        #expect(topology.groups.map(\.role) == [.configServer, .shard, .shard])
        #expect(topology.groups.map(\.shard) == [nil, "a", "b"])
        #expect(topology.cluster == Topology.Cluster(id: "c1", shards: ClusterHarness.shards))
    }

    @Test("a group by itself is what it was")
    func alone() {
        #expect(decide([SessionHarness.primary]) == .found(Topology(groups: [GroupState(name: "rs0")])))
        let arbiter = SessionHarness.agent("a", .arbiter)
        #expect(decide([arbiter]) == .unsupported("target shop/orders has arbiters only"))
    }

    @Test("what is missing is named, with what to start")
    func incomplete() {
        guard case .incomplete(let shard) = decide(agents(without: "rs-b")),
            case .incomplete(let configServer) = decide(agents(without: "cfg"))
        else {
            Issue.record("half a cluster was taken")
            return
        }
        #expect(
            shard
                == "no agent of shard b (replica set rs-b) of sharded cluster shop/orders is connected and reaches its "
                + "member; start remora-agent beside its members"
        )
        #expect(configServer.contains("no connected agent of its config server, only of rs-a, rs-b"))
        var mute = agents()
        for index in mute.indices { mute[index].member.sharding?.shards = [] }
        guard case .incomplete(let none) = decide(mute) else {
            Issue.record("a cluster without shards was taken")
            return
        }
        #expect(none.contains("names no shards"))
    }

    @Test("the primary's list of shards counts, whatever a secondary still believes")
    func freshList() {
        var agents = ClusterHarness.agents
        agents[1].member.sharding?.shards = [ShardIdentity.Shard(name: "z", replicaSet: "rs-z")]
        guard case .found = decide(agents) else {
            Issue.record("a secondary was believed")
            return
        }
    }

    @Test("a shard that was removed is left out, and said")
    func removed() {
        var agents = ClusterHarness.agents
        for index in agents.indices where !(agents[index].member.sharding?.shards.isEmpty ?? true) {
            agents[index].member.sharding?.shards = [ClusterHarness.shards[0]]
        }
        guard case .found(let topology) = decide(agents) else {
            Issue.record("no topology")
            return
        }
        #expect(topology.groups.map(\.name) == ["cfg", "rs-a"])
        #expect(topology.remarks.first?.contains("rs-b was a shard") == true)
    }

    @Test("strangers, two clusters and a config server that is a shard are refused in words")
    func refused() {
        func reason(_ agents: [AgentSnapshot]) -> String {
            guard case .unsupported(let text) = decide(agents) else { return "not refused" }
            return text
        }
        let stranger = ClusterHarness.agents + [SessionHarness.primary]
        #expect(reason(stranger).contains("but rs0 belongs to none"))
        let two = ClusterHarness.agents + [ClusterHarness.agent("rs-c", .primary, cluster: "c2")]
        #expect(reason(two).contains("members of 2 sharded clusters (c1, c2)"))
        var both = agents()
        for index in both.indices where both[index].member.sharding?.isConfigServer == true {
            both[index].member.sharding?.shards.append(ShardIdentity.Shard(name: "config", replicaSet: "cfg"))
        }
        #expect(reason(both).contains("is a shard too (config)"))
        let sets = [SessionHarness.primary, SessionHarness.agent("b", .primary, group: "rs1")]
        #expect(reason(sets).contains("2 groups (rs0, rs1) that are not shards of one cluster"))
    }

    @Test("a session waits for a shard without agents, then fails and names it")
    func waits() {
        var session = SessionHarness(agents: agents(without: "rs-b"))
        session.observe()
        #expect(session.state.phase == .queued)
        #expect(session.state.waitingFor?.contains("shard b (replica set rs-b)") == true)
        session.advance(seconds: 180)
        session.observe()
        #expect(session.state.outcome?.reason == "NoAgent")
        #expect(session.state.outcome?.message.contains("start remora-agent beside its members") == true)
    }

    @Test("groups without a common point are refused: consistency none, one group into a cluster")
    func senseless() {
        var fuzzy = SessionHarness(agents: ClusterHarness.agents, consistency: Consistency.none)
        fuzzy.observe()
        #expect(fuzzy.state.outcome?.reason == "UnsupportedConsistency")
        let alone = SessionHarness.agent("alone", .standalone)
        var locked = SessionHarness(agents: [alone], consistency: .lock)
        locked.assign()
        #expect(locked.state.outcome?.reason == "UnsupportedConsistency", "\(String(describing: locked.state.outcome))")
        var part = SessionHarness(kind: .restore, agents: ClusterHarness.agents)
        part.state.plan.restore?.group = "rs-a"
        part.observe()
        #expect(part.state.outcome?.message.contains("one group alone (rs-a)") == true)
    }
}
