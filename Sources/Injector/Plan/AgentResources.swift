import Kubernetes

/// Requests and limits of the agent's container.
struct AgentResources: Sendable, Hashable {
    /// As they stand in the container; nil: none are set.
    let tree: JSONTree?
    /// What was changed of what the annotations asked for.
    let warnings: [String]

    /// Chooses them so that the pod keeps its class of service and its namespace's bounds.
    ///
    /// - Throws: `InjectionError` with code `.resources`.
    init(
        for pod: Pod,
        _ asked: InjectionRequest.Resources,
        _ namespace: NamespaceFacts
    ) throws(InjectionError) {
        if let whole = pod.tree[path: "spec", "resources"]?.object, !whole.isEmpty {
            guard asked.isEmpty else {
                throw InjectionError(
                    .resources,
                    "the pod sets resources for all its containers together (spec.resources); leave out "
                        + Annotation.cpuRequest.name + " and its like"
                )
            }
            // More containers with requests could exceed what the pod as a whole has.
            (tree, warnings) = (nil, [])
            return
        }
        var cpu = Pair(request: asked.cpuRequest ?? .milli(50), limit: asked.cpuLimit)
        var memory = Pair(request: asked.memoryRequest ?? .mebi(96), limit: asked.memoryLimit ?? .mebi(512))
        let bounds = ResourceBounds(namespace, pod)
        if Self.isGuaranteed(pod) {
            cpu = try Pair(asked.cpuRequest, asked.cpuLimit, both: .milli(250), "cpu")
            memory = try Pair(asked.memoryRequest, asked.memoryLimit, both: .mebi(512), "memory")
        } else {
            // Where the namespace has a limit for it, ours is said: its default could be less than our request.
            if bounds.wantsCPULimit, cpu.limit == nil {
                cpu.limit = max(bounds.defaultCPU ?? .milli(1000), cpu.request)
            }
            // A request given alone may be more than the usual limit, and a limit alone less than the usual request.
            if asked.memoryLimit == nil, let limit = memory.limit { memory.limit = max(limit, memory.request) }
            if asked.memoryRequest == nil, let limit = memory.limit { memory.request = min(limit, memory.request) }
            if asked.cpuRequest == nil, let limit = cpu.limit { cpu.request = min(limit, cpu.request) }
        }
        var warnings: [String] = []
        let before = (cpu, memory)
        cpu.fit(bounds.cpu, keepsLimit: false)
        memory.fit(bounds.memory, keepsLimit: true)
        if before != (cpu, memory) {
            warnings.append("the agent's requests and limits were fitted to the namespace's LimitRange")
        }
        if let reason = bounds.reasonAgainst(cpu, memory) {
            throw InjectionError(
                .resources,
                "the LimitRange of namespace '\(namespace.name)' leaves no room for an agent beside the database: \(reason)"
            )
        }
        var limits: [String: JSONTree] = [:]
        limits["cpu"] = cpu.limit.map { .string($0.text) }
        limits["memory"] = memory.limit.map { .string($0.text) }
        tree = [
            "requests": ["cpu": .string(cpu.request.text), "memory": .string(memory.request.text)],
            "limits": .object(limits),
        ]
        self.warnings = warnings
    }

    /// Whether every container has limits for processor and memory that are its requests too.
    ///
    /// A missing request is the limit (core/v1 defaults), so the answer is the same before and after defaulting.
    static func isGuaranteed(_ pod: Pod) -> Bool {
        let all = pod.containers + pod.initContainers
        return !all.isEmpty
            && all.allSatisfy { container in
                ["cpu", "memory"].allSatisfy { kind in
                    guard let limit = quantity(container.tree[path: "resources", "limits", kind]), limit > .zero else {
                        return false
                    }
                    guard let request = container.tree[path: "resources", "requests", kind] else { return true }
                    return quantity(request) == limit
                }
            }
    }

    /// A quantity as it stands in JSON, where whole numbers need no quotes.
    static func quantity(_ value: JSONTree?) -> Quantity? {
        switch value {
        case .string(let text): Quantity(text)
        case .integer(let number): Quantity("\(number)")
        case .number(let number): Quantity("\(number)")
        default: nil
        }
    }
}
