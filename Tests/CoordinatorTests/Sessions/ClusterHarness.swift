import BackupModel

@testable import Coordinator

/// A session over a sharded cluster on a made-up clock: a config server and shards `a` and `b`, each on a replica set of
/// its own with a primary and a secondary.
struct ClusterHarness {
    var base: SessionHarness

    static let shards = [
        ShardIdentity.Shard(name: "a", replicaSet: "rs-a"), ShardIdentity.Shard(name: "b", replicaSet: "rs-b"),
    ]

    init(
        kind: SessionView.Kind = .backup,
        agents: [AgentSnapshot] = Self.agents,
        consistency: Consistency? = nil,
        maximumAttempts: Int = 3
    ) {
        base = SessionHarness(
            kind: kind,
            agents: agents,
            consistency: consistency,
            maximumAttempts: maximumAttempts
        )
    }

    static func agent(_ group: String, _ role: MemberStatus.Role, cluster: String = "c1") -> AgentSnapshot {
        var agent = SessionHarness.agent("\(group)-\(role == .primary ? 0 : 1)", role, group: group)
        agent.member.sharding = ShardIdentity(
            clusterID: cluster,
            isConfigServer: group == "cfg",
            shard: group == "cfg" ? nil : String(group.dropFirst(3)),
            shards: group == "cfg" ? shards : []
        )
        return agent
    }

    static var agents: [AgentSnapshot] {
        ["cfg", "rs-a", "rs-b"].flatMap { [agent($0, .primary), agent($0, .secondary)] }
    }

    var state: SessionState { base.state }

    func group(_ name: String) -> GroupState {
        state.groups.first { $0.name == name } ?? GroupState(name: "\(name) is missing")
    }

    func attempt(_ name: String) -> Attempt? { group(name).attempts.last }

    func call(_ name: String) -> JobCall {
        let attempt = attempt(name)
        return JobCall(
            jobID: attempt?.jobID ?? "none",
            fence: attempt?.fence ?? 0,
            agentID: attempt?.agentID ?? "none"
        )
    }

    func directive(_ name: String) -> JobDirective? { state.directive(for: group(name)) }

    /// Groups whose job is under way.
    var live: [String] { state.groups.filter { $0.live != nil }.map(\.name) }

    /// As far as the config server's job.
    mutating func begin() {
        base.observe()
        base.send(.prepared(state.kind == .restore ? sources : nil))
        base.observe()
    }

    var sources: PreparedSources {
        PreparedSources(
            session: "shop/old",
            groups: Dictionary(
                uniqueKeysWithValues: ["cfg", "rs-a", "rs-b"].map { ($0, .init(group: $0, snapshotID: "abc")) }
            ),
            shardNames: ["a": "a", "b": "b"]
        )
    }

    @discardableResult mutating func beat(
        _ name: String,
        _ stage: JobMilestone.Stage? = nil,
        _ second: UInt32? = nil
    ) -> SessionAnswer {
        var pulse = JobPulse(progress: JobProgress(step: "dump"))
        pulse.milestone = stage.map { JobMilestone($0, point: second.map { ClusterTime(t: $0, i: 1) }) }
        let answer = base.send(.heartbeat(call(name), pulse))
        base.observe()
        return answer
    }

    /// As far as a cut of 30:1.
    mutating func reachCut() {
        begin()
        beat("cfg", .ready, 10)
        beat("rs-a", .finished, 20)
        beat("rs-b", .finished, 30)
        beat("cfg", .finished, 12)
    }

    static func result(_ name: String, cut: UInt32?, snapshot: String? = "5nap") -> BackupResult {
        var result = SessionHarness.result(group: name, snapshot: snapshot)
        result.cut = cut.map { ClusterTime(t: $0, i: 1) }
        result.guarantee = .clusterCut
        return result
    }

    @discardableResult mutating func prepareCommit(_ name: String, cut: UInt32?) -> SessionAnswer {
        base.send(.prepareCommit(call(name), Self.result(name, cut: cut, snapshot: nil), permit: "p-\(name)"))
    }

    @discardableResult mutating func publish(_ name: String, cut: UInt32) -> SessionAnswer {
        let answer = prepareCommit(name, cut: cut)
        base.send(.complete(call(name), JobOutcome(backup: Self.result(name, cut: cut)), logBytes: 0))
        return answer
    }

    mutating func fail(_ name: String, _ code: String = "databaseUnreachable", isRetryable: Bool = true) {
        let failure = JobFailure(code: code, message: "the member died", isRetryable: isRetryable)
        base.send(.complete(call(name), JobOutcome(failure: failure), logBytes: 0))
        base.observe()
    }

    /// Past the pause before another attempt.
    mutating func wait() {
        base.advance(seconds: 30)
        base.observe()
    }
}
