import BackupModel

/// Everything that a configuration's status is made of.
struct ConfigurationObservation: Sendable {
    var configuration: BackupConfiguration?
    var generation: Int64
    /// What is wrong with the object; then it isn't in force.
    var problem: FieldProblem?
    var hasTarget: Bool
    var facts: ConfigurationFacts
    var pods: [PodFact]
    /// What its repository says of itself; nil: nothing yet.
    var repository: Condition?
    var now: Timestamp
}

extension BackupConfigurationStatus {
    /// What people see of a configuration: a function of what was observed, and of the conditions before.
    static func of(_ seen: ConfigurationObservation, before: [Condition]) -> BackupConfigurationStatus {
        var status = BackupConfigurationStatus(conditions: before)
        status.observedGeneration = seen.generation
        status.agents = agents(seen)
        status.lastScheduleTime = seen.facts.lastHandled
        status.lastSession = seen.facts.lastSession.map(SessionOutcome.of)
        status.lastSuccess = seen.facts.lastSuccess.map(SessionOutcome.of)
        func set(_ type: String, _ value: Bool?, _ reason: String, _ message: String) {
            status.conditions.set(
                type,
                value == nil ? .unknown : value == true ? .yes : .no,
                reason: reason,
                message: message.prefix(bytes: StatusLimit.message),
                now: seen.now,
                observedGeneration: seen.generation
            )
        }
        guard let configuration = seen.configuration, seen.problem == nil else {
            status.phase = .invalid
            let reason = reason(of: seen.problem)
            set("Ready", false, reason, seen.problem?.description ?? "it is not in force yet")
            if reason == "TargetNotFound" { set("TargetFound", false, reason, seen.problem?.description ?? "") }
            set("Scheduled", false, "Invalid", "nothing is started by an object that is not in force")
            return status
        }
        let name = configuration.spec.target.ref.name
        set("TargetFound", seen.hasTarget, seen.hasTarget ? "Found" : "TargetNotFound", "AppBinding \(name)")
        let agents = agentsCondition(seen)
        set("AgentsConnected", agents.value, agents.reason, agents.message)
        set(
            "RepositoryReady",
            seen.repository.flatMap { $0.status == .unknown ? nil : $0.status == .yes },
            seen.repository?.reason ?? "NotYet",
            seen.repository?.message ?? "nothing was tried yet"
        )
        let isPaused = configuration.spec.paused == true
        switch (configuration.spec.schedule, isPaused) {
        case (nil, _): set("Scheduled", false, "NoSchedule", "backups are made on request only")
        case (_, true): set("Scheduled", false, "Paused", "spec.paused is true: the schedule does nothing")
        case (let schedule?, false):
            status.nextScheduleTime = seen.facts.nextRun
            set("Scheduled", true, "Scheduled", "\(schedule), \(configuration.spec.timeZone ?? "UTC")")
        }
        let isReachable = seen.repository?.status != .no
        let hasAgents = agents.value != false || !seen.facts.connected.isEmpty
        let isReady = isReachable && hasAgents
        status.phase = !isReady ? .notReady : isPaused ? .paused : .ready
        let notices = configuration.spec.notices
        if !hasAgents {
            set("Ready", false, agents.reason, agents.message)
        } else if !isReachable {
            set("Ready", false, "RepositoryNotReady", "its Repository is not ready: \(seen.repository?.message ?? "")")
        } else {
            set("Ready", true, "Ready", notices.isEmpty ? "a backup can begin" : notices.joined(separator: "; "))
        }
        return status
    }

    private static func reason(of problem: FieldProblem?) -> String {
        guard let path = problem?.path else { return "Pending" }
        if path.hasPrefix("spec.schedule") || path.hasPrefix("spec.timeZone") { return "InvalidSchedule" }
        if path.hasPrefix("spec.target.ref") { return "TargetNotFound" }
        if path.hasPrefix("spec.repository") { return "RepositoryNotFound" }
        if path.hasPrefix("spec.task") { return "InvalidTask" }
        return "Invalid"
    }

    private static func agents(_ seen: ConfigurationObservation) -> AgentCounts {
        let wanted = seen.pods.filter { !$0.isBeingDeleted && ($0.asksForAgent || $0.isInjected) }
        let uninjected = wanted.filter { !$0.isInjected }
        return AgentCounts(
            expected: max(wanted.count, seen.facts.connected.count),
            connected: seen.facts.connected.count,
            injectedButOffline: wanted.count { $0.isInjected && !seen.facts.connected.contains($0.uid) },
            uninjected: uninjected.count
        )
    }

    private static func agentsCondition(
        _ seen: ConfigurationObservation
    ) -> (value: Bool?, reason: String, message: String) {
        let counts = agents(seen)
        let missed = seen.pods.filter { $0.asksForAgent && !$0.isInjected && !$0.isBeingDeleted }
        if let first = missed.first {
            let names = missed.map(\.key.name).sorted().joined(separator: ", ")
            let why =
                first.injectError.map { "\($0)" } ?? "they were made while the webhook did not answer; start them anew"
            return (false, "MissedInjection", "without an agent although they ask for one: \(names): \(why)")
        }
        if counts.expected == 0 {
            return (
                false, "NoAgent",
                "no pod of the target asks for an agent: annotate its pod template with \(ClusterNames.inject): \"true\""
            )
        }
        if counts.connected == 0 {
            if seen.facts.isFresh { return (nil, "Waiting", "agents may be on their way") }
            return (false, "NoAgent", "no agent of the target is connected; look at the logs of container remora-agent")
        }
        if counts.injectedButOffline > 0 {
            let silent = seen.pods.filter { $0.isInjected && !seen.facts.connected.contains($0.uid) }.map(\.key.name)
            return (
                seen.facts.isFresh ? nil : false, "AgentsOffline",
                "\(counts.connected) of \(counts.expected) connected; nothing is heard from \(silent.sorted().joined(separator: ", "))"
            )
        }
        return (true, "Connected", "\(counts.connected) of \(counts.expected) connected")
    }
}

extension SessionOutcome {
    /// A session in one line.
    static func of(_ session: SessionState) -> SessionOutcome {
        var outcome = SessionOutcome(
            name: session.key.name,
            phase: session.phase,
            startTime: session.created,
            completionTime: session.ended
        )
        if session.phase == .succeeded, let manifest = ManifestMaker.make(session, writtenBy: "") {
            let backup = BackupView(manifest)
            outcome.sizeBytes = backup.bytes
            outcome.cut = backup.cut
        }
        return outcome
    }
}
