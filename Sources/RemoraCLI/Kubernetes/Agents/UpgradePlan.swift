import BackupModel

/// Which agents get another image, in which order.
struct UpgradePlan: Sendable, Hashable {
    /// One pod.
    struct Step: Sendable, Hashable {
        var pod: PodFacts
        /// What the coordinator knows of its agent.
        var agent: AgentView?
        var from: String
        /// The first one: what goes wrong goes wrong there.
        var isCanary = false
    }

    let image: String
    let steps: [Step]
    /// Pods whose agents have the image.
    let current: [String]

    /// Makes a plan: first an agent whose failure would cost least, primaries last, and those last of all of which the
    /// coordinator doesn't hear: nobody could tell whether they came back.
    static func make(_ pods: [PodFacts], _ status: StatusView, image: String) -> UpgradePlan {
        var agents: [String: AgentView] = [:]
        for target in status.targets {
            for agent in target.agents { agents["\(target.namespace)/\(agent.pod)"] = agent }
        }
        var steps: [Step] = []
        var current: [String] = []
        for pod in pods.sorted(by: { $0.place < $1.place }) where !pod.isEnding {
            guard let agent = pod.agent else { continue }
            if agent.image == image {
                current.append(pod.place)
            } else {
                steps.append(Step(pod: pod, agent: agents[pod.place], from: agent.image))
            }
        }
        steps = steps.enumerated().sorted { (rank($0.element), $0.offset) < (rank($1.element), $1.offset) }.map(
            \.element
        )
        if !steps.isEmpty { steps[0].isCanary = true }
        return UpgradePlan(image: image, steps: steps, current: current)
    }

    private static func rank(_ step: Step) -> Int {
        guard let agent = step.agent, agent.connected else { return 3 }
        if agent.role == .primary { return 2 }
        return agent.job == nil ? 0 : 1
    }
}
