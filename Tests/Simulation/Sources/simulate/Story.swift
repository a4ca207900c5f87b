import BackupModel

@testable import Coordinator

// What happens in one seed: the target, the sessions, the faults.
extension World {
    var sessionCount: Int { 2 }

    /// Builds the world of this seed and lets it run.
    func play() {
        let isCluster = chance(750)
        let groups = isCluster ? ["cfg"] + (0..<Int(pick(1...3))).map { "shard\($0)" } : ["rs0"]
        for group in groups {
            for index in 0..<Int(pick(2...3)) {
                members.append(Member("\(group)-\(index)", group, index == 0 ? .primary : .secondary))
            }
        }
        shards = groups.filter { $0 != "cfg" && isCluster }.map { ShardIdentity.Shard(name: $0, replicaSet: $0) }
        balancerBegan = !chance(200)
        isBalancerOn = balancerBegan
        healAt = chance(50) ? 0 : pick(60_000...400_000)
        agents = members.map { AgentModel(self, $0, isConfigServer: $0.group == "cfg") }
        coordinator.start()
        for agent in agents { after(pick(0...20_000)) { agent.start() } }
        for index in 0..<sessionCount { after(index == 0 ? 0 : pick(5_000...200_000)) { [unowned self] in ask(index) } }
        strike()
        run(limit: 3_600_000)
    }

    private func ask(_ index: Int) {
        guard coordinator.isUp, !coordinator.isStoreBroken else { return after(1_000) { [unowned self] in ask(index) } }
        let isRestore = chance(250)
        let plan = SessionPlan(
            configuration: isRestore ? nil : "daily",
            target: "orders",
            engine: "mongodb",
            repository: ResourceKey(namespace: "shop", name: "main"),
            backend: StorageBackend(local: .init(mountPath: "/backups"), storageSecretName: "secret"),
            backup: isRestore ? nil : BackupSpec(),
            restore: isRestore
                ? .init(
                    from: "latest",
                    source: "orders",
                    conflict: .failIfNotEmpty,
                    selection: NamespaceSelection(),
                    usersAndRoles: true,
                    parallelism: 0
                ) : nil,
            maximumAttempts: isRestore ? 1 : 3,
            retryDelayMs: 3_000,
            timeOutMs: 900_000,
            trigger: .manual,
            requestedBy: "simulation"
        )
        let key = ResourceKey(namespace: "shop", name: "s\(index)")
        coordinator.create(
            SessionState(
                key: key,
                uid: "uid-\(index)",
                kind: isRestore ? .restore : .backup,
                plan: plan,
                created: coordinator.clock
            )
        )
        if chance(100) { after(pick(1_000...200_000)) { [unowned self] in coordinator.cancel(key) } }
    }

    /// Breaks something, again and again until the world heals.
    private func strike() {
        guard !isHealed else { return heal() }
        if let agent = agents.randomElement(using: &random) {
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<20: agent.crash()
            case 20..<40: cutOff(agent)
            case 40..<48: coordinator.crash()
            case 48..<56: breakStore()
            case 56..<64: coordinator.clockOffset += pick(-60_000...120_000)
            case 64..<76: takeDown(agent.member)
            case 76..<84: lockForeign(agent.member)
            case 84..<86: if maySpare(agent) { agent.crash(forever: true) }
            default: break
            }
        }
        after(pick(1_000...30_000)) { [unowned self] in strike() }
    }

    /// Whether the agent's node may be gone for good: its group must be able to go on.
    private func maySpare(_ agent: AgentModel) -> Bool {
        let group = agents.filter { $0.member.group == agent.member.group }
        return group.count > 2 && agent.member.role != .primary && !group.contains(where: \.isDead)
    }

    /// The worst moment for a process to die, now and then.
    ///
    /// - Returns: whether it died.
    func strikeNow(_ agent: AgentModel) -> Bool {
        guard !isHealed, chance(30) else { return false }
        agent.crash(forever: maySpare(agent) && chance(300))
        return true
    }

    private func cutOff(_ agent: AgentModel) {
        say("\(agent.id) is cut off")
        agent.isCutOff = true
        after(pick(2_000...180_000)) { agent.isCutOff = false }
    }

    private func breakStore() {
        coordinator.isStoreBroken = true
        after(pick(1_000...30_000)) { [unowned self] in coordinator.isStoreBroken = false }
    }

    private func takeDown(_ member: Member) {
        guard !member.isDown else { return }
        say("\(member.host) crashes")
        member.isDown = true
        // The server process holds the lock: it dies with it.
        if member.lock != .foreign { member.lock = .none }
        after(pick(2_000...60_000)) { [unowned self] in
            if !agents.contains(where: { $0.member === member && $0.isDead }) { member.isDown = false }
        }
    }

    private func lockForeign(_ member: Member) {
        guard member.lock == .none, !member.isDown else { return }
        say("somebody locks \(member.host)")
        member.lock = .foreign
        after(pick(5_000...90_000)) { [unowned self] in
            guard !agents.contains(where: { $0.member === member && $0.isDead }) else { return }
            if member.lock != .foreign { fail("10: the lock that somebody took on \(member.host) was touched") }
            member.lock = .none
        }
    }

    private func heal() {
        say("the world heals")
        for agent in agents { agent.isCutOff = false }
        coordinator.isStoreBroken = false
    }
}
