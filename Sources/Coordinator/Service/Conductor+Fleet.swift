import BackupModel
import Logging

/// One agent as this process of the coordinator knows it.
struct AgentState: Sendable {
    var record: AgentRecord
    var jobs: [JobReport] = []
    var openPolls = 0
    /// False until it is heard of after a start of the coordinator.
    var isHeard = false
    var savedAt: Timestamp?

    /// Whether it was heard of lately.
    func isConnected(_ now: Timestamp) -> Bool {
        isHeard && !record.isGone
            && (openPolls > 0 || now.milliseconds(since: record.lastSeen) < Conductor.silenceMs)
    }
}

extension Conductor {
    /// An agent without an open poll that was silent for so long is shown as not connected.
    static let silenceMs: Int64 = 60_000
    /// After a start, agents that are known are waited for at most so long before members are chosen.
    private static let settleMs: Int64 = 15_000
    /// An agent's status is stored when it matters, and at most this often otherwise: after a start it is only what is
    /// shown of agents that don't come back, and each commit is a write that the disk must confirm.
    private static let agentSaveMs: Int64 = 300_000
    /// An agent that was gone for so long is forgotten.
    private static let forgetMs: Int64 = 7 * 86_400_000

    /// How long check-ins wait: short enough that what is known of members is fresh, longer for a great fleet.
    var pollSeconds: Int { timings.pollSeconds ?? max(20, min(240, fleet.count / 40)) }

    /// Spread of reconnects: at most 200 agents a second.
    var reconnectSpreadMs: Int { max(5000, fleet.count * 5) }

    /// Interval of heartbeats: about 100 a second in total, but never so long that a lost one ends a lease.
    var heartbeatMs: Int { max(Int(timings.heartbeatMs), min(Int(timings.leaseMs / 3), whereabouts.liveJobs * 10)) }

    /// When a running job should report again.
    ///
    /// Every second while there are few, so that a person who watches sees it
    /// move; ten reports a second in all while there are more; never later than its heartbeat.
    var reportMs: Int { min(heartbeatMs, max(1000, whereabouts.liveJobs * 100)) }

    /// Takes a registration; the caller has checked the enrolment secret.
    func register(_ request: RegisterRequest) throws -> RegisterResponse {
        let now = clock()
        let agentID = request.pod.uid
        if let known = fleet[agentID], known.openPolls > 0, known.record.incarnation != request.incarnation {
            throw RequestError(
                status: 409,
                code: "incarnationConflict",
                message:
                    "another process is connected as pod \(request.pod.name) (\(agentID)); every agent needs a state "
                    + "directory of its own",
                isRetryable: true,
                retryAfterMs: 2000
            )
        }
        let old = fleet[agentID]?.record
        var record = AgentRecord(
            agentID: agentID,
            namespace: request.pod.namespace,
            pod: request.pod.name,
            node: request.pod.node,
            cluster: request.cluster,
            engine: request.engine,
            version: request.agentVersion,
            incarnation: request.incarnation,
            features: request.features,
            member: old?.member ?? MemberStatus(isReachable: false, problems: ["no check-in yet"]),
            memberSeen: nil,
            lastSeen: now,
            isGone: false,
            clockSkewMs: request.unixMs - now.unixMs
        )
        record.trustedAuthorities = Self.bounded(request.trustedAuthorities)
        try store.save(record)
        var state = AgentState(record: record)
        state.jobs = request.jobs
        state.isHeard = true
        state.savedAt = now
        state.openPolls = fleet[agentID]?.openPolls ?? 0
        place(state)
        if old?.incarnation != request.incarnation {
            logger.info(
                "agent \(record.namespace)/\(record.pod) of \(record.target) registered (version \(record.version))"
            )
        }
        forgetOldAgents(now)
        lookAround(target: record.target, now)
        return RegisterResponse(
            agentID: agentID,
            sessionToken: "",
            sessionTtlSeconds: 3600,
            epoch: identity.epoch,
            protocolVersion: AgentProtocol.version,
            pollSeconds: pollSeconds,
            heartbeatMs: heartbeatMs,
            leaseMs: Int(timings.leaseMs),
            maxDisconnectedMs: Int(timings.maximumDisconnectedMs),
            logIntervalMs: logIntervalMs(job: nil),
            reconnectSpreadMs: reconnectSpreadMs,
            serverUnixMs: now.unixMs
        )
    }

    /// The incarnation that an agent's token must carry; nil when the agent isn't known.
    func incarnation(of agentID: String) -> String? { fleet[agentID]?.record.incarnation }

    /// A check-in begins: its report is taken in.
    func checkinBegan(_ request: CheckinRequest, agentID: String) throws {
        guard var state = fleet[agentID] else { return }
        let now = clock()
        let wasReachable = state.record.member.isReachable
        let isFlip =
            wasReachable != request.member.isReachable || state.record.member.role != request.member.role
            || state.record.member.lock != request.member.lock || !state.isHeard
        state.record.member = request.member
        state.record.memberSeen = now
        state.record.lastSeen = now
        state.record.isGone = false
        state.record.trustedAuthorities = Self.bounded(request.trustedAuthorities)
        state.isHeard = true
        state.jobs = request.jobs
        state.openPolls += 1
        if isFlip || now >= (state.savedAt ?? .init(unixMs: 0)).adding(milliseconds: Self.agentSaveMs) {
            try store.save(state.record)
            state.savedAt = now
        }
        fleet[agentID] = state
        lookAround(target: state.record.target, now)
    }

    /// Authorities that all of these agents trust, as they said; empty when one isn't connected or doesn't say.
    func authoritiesTrusted(byAll agents: Set<String>) -> Set<String> {
        let now = clock()
        var common: Set<String>?
        for agent in agents {
            guard let state = fleet[agent], state.isConnected(now), let trusted = state.record.trustedAuthorities else {
                return []
            }
            common = common.map { $0.intersection(trusted) } ?? Set(trusted)
        }
        return common ?? []
    }

    /// What others send is kept as far as it can mean something.
    private static func bounded(_ authorities: [String]?) -> [String]? {
        authorities.map { Array($0.filter { $0.utf8.count == 64 }.prefix(16)) }
    }

    /// A check-in was answered or broke off.
    func checkinEnded(agentID: String) {
        fleet[agentID]?.openPolls -= 1
        fleet[agentID]?.record.lastSeen = clock()
    }

    /// An agent leaves in good order.
    func deregister(agentID: String) throws {
        guard var state = fleet[agentID] else { return }
        state.record.isGone = true
        state.record.lastSeen = clock()
        try store.save(state.record)
        fleet[agentID] = state
        logger.info("agent \(state.record.namespace)/\(state.record.pod) said good-bye")
    }

    /// An agent was heard of otherwise than by a check-in.
    func touch(agentID: String) {
        fleet[agentID]?.record.lastSeen = clock()
        fleet[agentID]?.isHeard = true
    }

    /// Lets sessions of a target see at once what an agent has just told.
    private func lookAround(target: ResourceKey, _ now: Timestamp) {
        guard !isDraining else { return }
        for key in whereabouts.sessions(of: target).sorted() { observe(key, now) }
        watchLocks(now, of: target)
    }

    /// Keeps what is known of an agent, whose target may be another one than before.
    func place(_ state: AgentState) {
        let agentID = state.record.agentID
        if let old = fleet[agentID]?.record.target, old != state.record.target {
            fleetOfTarget[old]?.remove(agentID)
        }
        fleet[agentID] = state
        fleetOfTarget[state.record.target, default: []].insert(agentID)
    }

    /// What is known of a target's agents.
    func fleet(of target: ResourceKey) -> [AgentState] {
        fleetOfTarget[target, default: []].compactMap { fleet[$0] }
    }

    /// The agents of a target, as the machine sees them.
    func agents(of target: ResourceKey, _ now: Timestamp) -> [AgentSnapshot] {
        let engine = objects.bindings[target]?.spec.engine
        return fleet(of: target)
            .map { state in
                AgentSnapshot(
                    agentID: state.record.agentID,
                    pod: state.record.pod,
                    incarnation: state.record.incarnation,
                    isConnected: state.isConnected(now) && state.record.memberSeen != nil,
                    isGone: state.record.isGone,
                    member: Self.stranger(state.record, engine) ?? state.record.member,
                    memberSeen: state.isHeard ? state.record.memberSeen : nil,
                    jobs: state.jobs
                )
            }
            .sorted { $0.agentID < $1.agentID }
    }

    /// What stands for the member of an agent that knows another kind of database than its target is: it must get no job.
    private static func stranger(_ agent: AgentRecord, _ engine: String?) -> MemberStatus? {
        guard let engine, agent.engine != engine else { return nil }
        return MemberStatus(
            isReachable: false,
            problems: [
                "the agent is one for \(agent.engine) (--engine), and AppBinding \(agent.target) is of type \(engine)"
            ]
        )
    }

    /// Whether all agents that may come back after a start have done so, or have had the time.
    func isSettled(_ target: ResourceKey, _ now: Timestamp) -> Bool {
        if now >= identity.startedAt.adding(milliseconds: Self.settleMs) { return true }
        if let expected = expectedAgents?(target), !expected.isEmpty {
            return expected.allSatisfy { fleet[$0].map { $0.isHeard && $0.record.memberSeen != nil } ?? false }
        }
        let known = fleet(of: target).filter { !$0.record.isGone }
        return !known.isEmpty && known.allSatisfy { $0.isHeard && $0.record.memberSeen != nil }
    }

    private func forgetOldAgents(_ now: Timestamp) {
        for (agentID, state) in fleet
        where state.openPolls == 0 && now.milliseconds(since: state.record.lastSeen) > Self.forgetMs {
            do {
                try store.remove(agent: agentID)
                fleet[agentID] = nil
                fleetOfTarget[state.record.target]?.remove(agentID)
            } catch {
                logger.warning("\(error)")
            }
        }
    }

    // MARK: Desired documents

    /// What an agent should be doing.
    func desiredDocument(agentID: String) -> DesiredDocument {
        let jobs = DesiredWork.jobs(
            for: agentID,
            in: whereabouts.sessions(of: agentID).compactMap { active[$0] },
            releases: locks.releases(for: agentID),
            now: clock(),
            timings: timings
        )
        return DesiredDocument(
            epoch: identity.epoch,
            revision: DesiredWork.revision(jobs),
            jobs: jobs,
            reconnectAfterMs: isDraining ? Int.random(in: 0...reconnectSpreadMs) : nil
        )
    }
}
