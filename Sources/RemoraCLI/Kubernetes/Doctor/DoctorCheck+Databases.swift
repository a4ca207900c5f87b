import BackupModel

/// What the coordinator says of agents and targets.
extension DoctorCheck {
    /// Seconds behind the primary from which a secondary is told of: reading it would be reading the past.
    private static let noticeableLag = 60

    @Sendable static func agents(_ facts: ClusterFacts, _ findings: inout Findings) {
        let logs = "kubectl logs -n \(facts.systemNamespace) -l \(Install.coordinatorSelector) --tail=50"
        switch facts.status {
        case .found: break
        case .notAsked: return
        case .missing: return findings.fail("no coordinator answers", fix: logs)
        case .denied(let reason): return findings.warn("the coordinator could not be asked: \(reason)")
        case .failed(let reason): return findings.fail(reason, fix: logs)
        }
        let targets = facts.status.value?.targets ?? []
        var known: Set<String> = []
        var good = 0
        for target in targets {
            for agent in target.agents {
                known.insert("\(target.namespace)/\(agent.pod)")
                let before = findings.all.count
                judge(agent, of: target, facts, &findings)
                if findings.all.count == before { good += 1 }
            }
        }
        for pod in facts.pods.value ?? [] where pod.agent?.isRunning == true && !known.contains(pod.place) {
            findings.fail(
                "its agent runs, and the coordinator has never heard of it, or knows no AppBinding for it",
                pod.place,
                fix: "kubectl logs \(pod.name) -n \(pod.namespace) -c \(Install.agentContainer) --tail=50"
            )
        }
        if good > 0 { findings.ok("\(good) of \(Format.count(Int64(known.count), "agent")) are connected and content") }
    }

    private static func judge(
        _ agent: AgentView,
        of target: TargetView,
        _ facts: ClusterFacts,
        _ findings: inout Findings
    ) {
        let place = "\(target.namespace)/\(agent.pod)"
        let logs = "kubectl logs \(agent.pod) -n \(target.namespace) -c \(Install.agentContainer) --tail=50"
        guard agent.connected else {
            let age = agent.lastSeen.map { Format.age(seconds: facts.now.milliseconds(since: $0) / 1000) }
            return findings.fail(
                "its agent is not connected" + (age.map { ", last heard of \($0)" } ?? ""),
                place,
                fix: logs
            )
        }
        if agent.databaseReachable == false, agent.problems.isEmpty {
            findings.fail("its agent can't read its database", place, fix: logs)
        }
        for problem in agent.problems {
            if agent.databaseReachable == false {
                findings.fail(problem, place, fix: logs)
            } else {
                findings.warn(problem, place)
            }
        }
        if let lag = agent.lag, lag > noticeableLag {
            findings.warn("its member is \(Format.duration(seconds: Int64(lag))) behind the primary", place)
        }
    }

    @Sendable static func targets(_ facts: ClusterFacts, _ findings: inout Findings) {
        guard let status = facts.status.value else { return }
        for problem in status.problems { findings.fail(problem) }
        if status.targets.isEmpty {
            return findings.warn(
                facts.target.map { "the coordinator knows no target \($0)" } ?? "the coordinator knows no AppBinding",
                fix: "kubectl apply -f an AppBinding and a BackupConfiguration (docs/reference/objects.md)"
            )
        }
        for target in status.targets {
            let place = "\(target.namespace)/\(target.name)"
            for problem in target.problems {
                let configuration = target.configurations.first
                switch problem {
                case "there is no good backup yet":
                    findings.warn(
                        problem,
                        place,
                        fix: configuration.map { "remora backup \($0) -n \(target.namespace) --follow" }
                    )
                case "the last backup failed":
                    findings.fail(problem, place, fix: "remora sessions -n \(target.namespace) --kind backup")
                default: findings.fail(problem, place)
                }
            }
            if target.problems.isEmpty { findings.ok("it is protected", place) }
        }
    }
}
