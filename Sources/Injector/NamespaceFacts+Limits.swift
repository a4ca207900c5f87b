public import Kubernetes

extension NamespaceFacts {
    /// What a namespace demands of containers' resources.
    public struct Limits: Sendable, Hashable {
        /// Of each container.
        public var container = ContainerBounds()
        /// Of the pod as a whole.
        public var pod = ContainerBounds()
        /// Whether a quota counts `limits.cpu`.
        public var needsCPULimit = false

        /// Takes them from the namespace's objects; several of a kind hold together.
        ///
        /// - Parameters:
        ///   - limitRanges: its `LimitRange` objects.
        ///   - quotas: its `ResourceQuota` objects.
        public init(limitRanges: [JSONTree], quotas: [JSONTree]) {
            for item in limitRanges.flatMap({ $0[path: "spec", "limits"]?.array ?? [] }) {
                switch item["type"]?.string {
                case "Container": container.narrow(item)
                case "Pod": pod.narrow(item)
                default: break
                }
            }
            // Whatever its scopes: a limit that no quota asks for does no harm.
            needsCPULimit = quotas.contains { $0[path: "spec", "hard"]?["limits.cpu"] != nil }
        }
    }

    /// Takes over what a namespace demands.
    public mutating func take(_ limits: Limits) {
        bounds = limits.container
        podBounds = limits.pod
        needsCPULimit = limits.needsCPULimit
    }
}

extension NamespaceFacts.ContainerBounds {
    /// Makes the bounds those of one more entry of a `LimitRange`, too.
    fileprivate mutating func narrow(_ item: JSONTree) {
        func text(_ kind: String, _ name: String) -> String? {
            switch item[path: kind, name] {
            case .string(let text): Quantity(text) == nil ? nil : text
            case let value: AgentResources.quantity(value)?.text
            }
        }
        minimumCPU = Self.greater(minimumCPU, text("min", "cpu"))
        minimumMemory = Self.greater(minimumMemory, text("min", "memory"))
        maximumCPU = Self.smaller(maximumCPU, text("max", "cpu"))
        maximumMemory = Self.smaller(maximumMemory, text("max", "memory"))
        maximumCPURatio = Self.smaller(maximumCPURatio, text("maxLimitRequestRatio", "cpu"))
        maximumMemoryRatio = Self.smaller(maximumMemoryRatio, text("maxLimitRequestRatio", "memory"))
        defaultCPU = Self.smaller(defaultCPU, text("default", "cpu"))
    }

    private static func greater(_ one: String?, _ other: String?) -> String? { choose(one, other) { $0 > $1 } }
    private static func smaller(_ one: String?, _ other: String?) -> String? { choose(one, other) { $0 < $1 } }

    private static func choose(_ one: String?, _ other: String?, _ isBetter: (Quantity, Quantity) -> Bool) -> String? {
        guard let one, let first = Quantity(one) else { return other }
        guard let other, let second = Quantity(other) else { return one }
        return isBetter(second, first) ? other : one
    }
}
