/// What the installation says about agents; the same for all pods.
public struct InjectorSettings: Sendable, Hashable {
    /// The agent's image, by digest; one that the coordinator's own pods have pulled.
    public var image: String
    /// URL at which agents reach the coordinator.
    public var coordinatorURL: String
    /// Version of the coordinator, which signs what it injects.
    public var version: String
    /// For whom the agent's token is made; the coordinator accepts no other.
    public var audience = "remora.dev"
    /// ConfigMap in every namespace with agents, whose entry `ca.crt` holds the coordinator's authority; nil: the
    /// system's authorities.
    public var authorityConfigMap: String? = "remora-ca"
    /// Whether the cluster knows init containers that go on running (Kubernetes 1.29 and newer).
    public var supportsNativeSidecars = true
    /// Whether the cluster gives each namespace its own users (OpenShift): then none is set.
    public var assignsUsers = false
    /// Whether agents may run as root.
    public var allowsRoot = false
    /// Whether a pod whose annotations are wrong is refused; otherwise it starts without an agent.
    public var isStrict = false
    /// Namespaces in which nothing is ever injected.
    public var excludedNamespaces: Set<String> = ["kube-system", "kube-public", "kube-node-lease", "remora-system"]

    /// Makes settings out of what has no default.
    public init(image: String, coordinatorURL: String, version: String) {
        self.image = image
        self.coordinatorURL = coordinatorURL
        self.version = version
    }
}

/// What is known of a namespace, from a cache that watches it.
public struct NamespaceFacts: Sendable, Hashable {
    /// Levels of the Pod Security Standards, mildest first.
    public enum PodSecurityLevel: String, Sendable, Hashable, CaseIterable {
        case privileged
        case baseline
        case restricted
    }

    /// What a `LimitRange` allows one container, or a pod as a whole, as quantities.
    public struct ContainerBounds: Sendable, Hashable {
        /// Least processor time.
        public var minimumCPU: String?
        /// Most processor time.
        public var maximumCPU: String?
        /// Least memory.
        public var minimumMemory: String?
        /// Most memory.
        public var maximumMemory: String?
        /// How many times its request a processor limit may be.
        public var maximumCPURatio: String?
        /// How many times its request a memory limit may be.
        public var maximumMemoryRatio: String?
        /// The processor limit of a container that has none.
        public var defaultCPU: String?

        /// Makes bounds; nil: none.
        public init(
            minimumCPU: String? = nil,
            maximumCPU: String? = nil,
            minimumMemory: String? = nil,
            maximumMemory: String? = nil
        ) {
            self.minimumCPU = minimumCPU
            self.maximumCPU = maximumCPU
            self.minimumMemory = minimumMemory
            self.maximumMemory = maximumMemory
        }
    }

    /// Label of a namespace that wants no agents: `disabled`.
    public static let optOutLabel = "remora.dev/injection"
    /// Label of a namespace with the level that is enforced there.
    public static let enforceLabel = "pod-security.kubernetes.io/enforce"

    /// Name.
    public var name: String
    /// The level that is enforced.
    public var podSecurity: PodSecurityLevel
    /// Whether the namespace wants no agents.
    public var isOptedOut: Bool
    /// What its `LimitRange` allows one container.
    public var bounds = ContainerBounds()
    /// What its `LimitRange` allows a pod as a whole.
    public var podBounds = ContainerBounds()
    /// Whether a quota counts `limits.cpu`: then a container without such a limit is refused.
    public var needsCPULimit = false

    /// Facts about a namespace of which nothing else is known.
    public init(name: String, podSecurity: PodSecurityLevel = .privileged, isOptedOut: Bool = false) {
        self.name = name
        self.podSecurity = podSecurity
        self.isOptedOut = isOptedOut
    }

    /// Facts out of the namespace's labels; a level that doesn't exist counts as the strictest, as it does for Kubernetes.
    public init(name: String, labels: [String: String]) {
        self.init(
            name: name,
            podSecurity: labels[Self.enforceLabel].map { PodSecurityLevel(rawValue: $0) ?? .restricted } ?? .privileged,
            isOptedOut: labels[Self.optOutLabel] == "disabled"
        )
    }
}
