import Kubernetes

/// Request and limit of one kind.
struct Pair: Equatable, Sendable {
    var request: Quantity
    var limit: Quantity?

    init(request: Quantity, limit: Quantity?) {
        self.request = request
        self.limit = limit
    }

    /// Both the same, for a pod that would lose its class of service otherwise.
    init(_ request: Quantity?, _ limit: Quantity?, both usual: Quantity, _ kind: String) throws(InjectionError) {
        if let request, let limit, request != limit {
            throw InjectionError(
                .resources,
                "\(kind) request '\(request.text)' and limit '\(limit.text)' differ, by which the pod would lose its class "
                    + "Guaranteed; make them equal or give one"
            )
        }
        let value = limit ?? request ?? usual
        self.init(request: value, limit: value)
    }

    /// Brings both within bounds, as far as that goes.
    ///
    /// - Parameters:
    ///   - bounds: the bounds.
    ///   - keepsLimit: where limit and request lie too far apart, whether the request is raised (memory, without which
    ///     nothing works) or the limit lowered (processor time: what is requested is kept from others).
    mutating func fit(_ bounds: ResourceBounds.Kind, keepsLimit: Bool) {
        let unit = bounds.unit
        if let least = bounds.minimum {
            request = max(request, least)
            limit = limit.map { max($0, least) }
        }
        if let most = bounds.maximum {
            request = min(request, most)
            limit = limit.map { min($0, most) }
        }
        if let ratio = bounds.ratio, let asked = limit, !keepsLimit, let most = request.times(ratio, in: unit),
            most < asked
        {
            limit = max(most, bounds.minimum ?? .zero)
        }
        if let ratio = bounds.ratio, let limit, let least = limit.divided(by: ratio, in: unit) {
            request = max(request, least)
        }
        if let limit { request = min(request, limit) }
    }
}

/// What a namespace's `LimitRange` objects leave for the agent beside the pod's own containers.
struct ResourceBounds: Sendable {
    /// Of processor time, or of memory.
    struct Kind: Sendable {
        var minimum: Quantity?
        var maximum: Quantity?
        var ratio: Quantity?
        /// Of the pod as a whole, with what its own containers have.
        var podRatio: Quantity?
        var others = Pair(request: .zero, limit: .zero)
        /// In what it is measured.
        let unit: Quantity.Unit

        fileprivate init(
            _ name: String,
            minimum: String?,
            maximum: String?,
            ratio: String?,
            podMaximum: String?,
            podRatio: String?,
            _ unit: Quantity.Unit,
            _ pod: Pod
        ) {
            self.unit = unit
            self.minimum = minimum.flatMap { Quantity($0) }
            self.maximum = maximum.flatMap { Quantity($0) }
            self.ratio = ratio.flatMap { Quantity($0) }
            self.podRatio = podRatio.flatMap { Quantity($0) }
            // What runs beside the agent: all but the init containers that end before the others start.
            for container in pod.containers + pod.initContainers.filter(\.isSidecar) {
                let limit = AgentResources.quantity(container.tree[path: "resources", "limits", name])
                let request = AgentResources.quantity(container.tree[path: "resources", "requests", name]) ?? limit
                others.limit = (others.limit ?? .zero).plus(limit ?? .zero, in: unit)
                others.request = others.request.plus(request ?? .zero, in: unit)
            }
            if let most = podMaximum.flatMap({ Quantity($0) }) {
                let left = most.minus(max(others.limit ?? .zero, others.request), in: unit)
                self.maximum = self.maximum.map { min($0, left) } ?? left
            }
        }

        /// What an API server with these bounds would say against ours.
        fileprivate func reasonAgainst(_ ours: Pair, _ name: String, least: Quantity) -> String? {
            let limit = ours.limit ?? ours.request
            if limit < least {
                return "\(name) of at most \(limit.text) is left, and it needs \(least.text)"
            }
            if let maximum, limit > maximum || ours.limit == nil {
                return "\(name) may be \(maximum.text) at most"
            }
            if let minimum, ours.request < minimum || limit < minimum {
                return "\(name) has to be \(minimum.text) at least"
            }
            if let ratio, let most = ours.request.times(ratio, in: unit), limit > most {
                return "its \(name) limit may be \(ratio.text) times the request at most"
            }
            guard let podRatio, let theirs = others.request.times(podRatio, in: unit), let before = others.limit,
                before <= theirs
            else { return nil }
            if let both = others.request.plus(ours.request, in: unit).times(podRatio, in: unit),
                before.plus(limit, in: unit) > both
            {
                return "the pod's \(name) limits may be \(podRatio.text) times the requests at most"
            }
            return nil
        }
    }

    let cpu: Kind
    let memory: Kind
    /// The processor limit that a container without one is given.
    let defaultCPU: Quantity?
    /// Whether a container without a processor limit is given one, or refused.
    let wantsCPULimit: Bool

    /// With less memory the agent can't start, and with less processor time it would never be done.
    private static let leastMemory = Quantity.mebi(64)
    private static let leastCPU = Quantity.milli(10)

    init(_ namespace: NamespaceFacts, _ pod: Pod) {
        let (one, whole) = (namespace.bounds, namespace.podBounds)
        cpu = Kind(
            "cpu",
            minimum: one.minimumCPU,
            maximum: one.maximumCPU,
            ratio: one.maximumCPURatio,
            podMaximum: whole.maximumCPU,
            podRatio: whole.maximumCPURatio,
            .milli,
            pod
        )
        memory = Kind(
            "memory",
            minimum: one.minimumMemory,
            maximum: one.maximumMemory,
            ratio: one.maximumMemoryRatio,
            podMaximum: whole.maximumMemory,
            podRatio: whole.maximumMemoryRatio,
            .byte,
            pod
        )
        defaultCPU = one.defaultCPU.flatMap { Quantity($0) }
        wantsCPULimit =
            namespace.needsCPULimit || defaultCPU != nil || cpu.maximum != nil || cpu.ratio != nil
            || cpu.podRatio != nil
    }

    /// Why the agent can't have these, or nil when it can.
    func reasonAgainst(_ cpu: Pair, _ memory: Pair) -> String? {
        self.cpu.reasonAgainst(cpu, "processor time", least: Self.leastCPU)
            ?? self.memory.reasonAgainst(memory, "memory", least: Self.leastMemory)
    }
}

extension Container {
    /// Whether it is an init container that goes on running.
    fileprivate var isSidecar: Bool { tree["restartPolicy"]?.string == "Always" }
}
