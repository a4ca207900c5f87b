import BackupModel
import Kubernetes

/// Gives agents another image in their running pods, one after the other, and stops at the first that doesn't come back.
struct AgentUpgrade: Sendable {
    let cluster: Cluster
    let coordinator: CoordinatorClient
    /// How long an agent may take to come back, its image's way to the node included.
    let patience: Duration
    /// Between looks.
    var interval = Duration.seconds(1)
    let say: @Sendable (StyledText) -> Void

    /// How it went with one pod.
    struct Outcome: Codable, Sendable, Hashable {
        var pod: String
        var from: String
        var to: String
        /// What the new agent says it is.
        var version: String?
    }

    /// Upgrades the agents of a plan.
    ///
    /// - Returns: those that came back.
    /// - Throws: `CommandFailure` for the first that did not; those after it are as they were.
    func run(_ plan: UpgradePlan, _ done: (Outcome) -> Void) async throws {
        for step in plan.steps {
            try await waitForItsJob(step)
            let version = try await upgrade(step, to: plan.image)
            done(Outcome(pod: step.pod.place, from: step.from, to: plan.image, version: version))
        }
    }

    /// A job that is cut off has to be done again, and holds its lock until then.
    private func waitForItsJob(_ step: UpgradePlan.Step) async throws {
        var isSaid = false
        while let job = try await view(of: step.pod)?.job {
            if !isSaid { say("\(step.pod.place): waits for its job \(job)") }
            isSaid = true
            try await Task.sleep(for: interval)
        }
    }

    private func upgrade(_ step: UpgradePlan.Step, to image: String) async throws -> String? {
        guard let current = try await read(step.pod), let agent = current.agent, !current.isEnding else {
            say("\(step.pod.place): it is gone; a new pod gets the new image by itself")
            return nil
        }
        guard agent.image != image else { return try await view(of: step.pod)?.version }
        let before = agent.startedAt
        say("\(step.pod.place): \(agent.image) -> \(image)\(step.isCanary ? ", the first one" : "")")
        try await patch(step.pod, agent, image)
        return try await waitForReturn(of: step.pod, image: image, startedBefore: before)
    }

    private func patch(_ pod: PodFacts, _ agent: PodFacts.Agent, _ image: String) async throws {
        let place = "/spec/\(agent.isNative ? "initContainers" : "containers")/\(agent.index)"
        do throws(KubernetesError) {
            // The container at this place must be the agent's still: somebody else's image is never touched.
            try await cluster.client.patch(
                .json([
                    .test("\(place)/name", .string(Install.agentContainer)),
                    .replace("\(place)/image", .string(image)),
                ]),
                of: .pods,
                name: pod.name,
                namespace: pod.namespace,
                fieldManager: Install.fieldManager
            )
        } catch {
            if error.isForbidden {
                throw CommandFailure(
                    .kubernetes,
                    "you may not change pods in namespace \(pod.namespace): \(error.message)",
                    hint: "it needs the right to patch pods: kubectl auth can-i patch pods -n \(pod.namespace)"
                )
            }
            throw CommandFailure(error)
        }
    }

    private func waitForReturn(
        of pod: PodFacts,
        image: String,
        startedBefore before: String?
    ) async throws -> String? {
        let deadline = ContinuousClock.now + patience
        var last = "it has not started yet"
        while true {
            guard let now = try await read(pod), let agent = now.agent else {
                return nil
            }
            let isNew = agent.startedAt != nil && agent.startedAt != before
            let view = try await view(of: pod)
            if isNew, agent.isRunning, let view, view.connected, started(agent, before: view.lastSeen) {
                return view.version
            }
            last =
                agent.isRunning && isNew ? "it runs, and the coordinator does not hear from it" : agent.waiting ?? last
            guard ContinuousClock.now < deadline else { break }
            try await Task.sleep(for: interval)
        }
        throw CommandFailure(
            .failed,
            "the agent of \(pod.place) did not come back within \(Format.duration(seconds: patience.components.seconds)) with \(image): \(last)",
            hint: "the agents after it are as they were; its log: kubectl logs \(pod.name) -n \(pod.namespace) -c "
                + "\(Install.agentContainer); back again: remora agents upgrade --image with the old one"
        )
    }

    /// Whether the coordinator heard from an agent after it started.
    private func started(_ agent: PodFacts.Agent, before seen: Moment?) -> Bool {
        guard let seen, let start = agent.startedAt.flatMap(Moment.init(_:)) else { return true }
        return seen.unixMs >= start.unixMs
    }

    private func read(_ pod: PodFacts) async throws -> PodFacts? {
        let fetched = await cluster.fetch { () async throws(KubernetesError) in
            try await cluster.client.get(.pods, name: pod.name, namespace: pod.namespace).tree
        }
        switch fetched {
        case .found(let tree): return PodFacts(tree)
        case .missing, .notAsked: return nil
        case .denied(let reason), .failed(let reason): throw CommandFailure(.kubernetes, reason)
        }
    }

    private func view(of pod: PodFacts) async throws -> AgentView? {
        try await coordinator.status().targets.first { target in
            target.namespace == pod.namespace && target.agents.contains { $0.pod == pod.name }
        }?.agents.first { $0.pod == pod.name }
    }
}
