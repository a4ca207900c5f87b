import BackupModel
public import Engines

/// What an agent has to be told.
public struct AgentConfiguration: Sendable {
    /// URL of the coordinator: `https://…`, or `http://` on loopback.
    public var coordinatorURL: String
    /// PEM file with the authority that signed the coordinator's certificate; nil: those of the system.
    public var caFile: String?
    /// File with the enrolment secret; read again for every registration, so that it can be changed.
    public var enrolmentTokenFile: String
    /// Directory that outlives the process: journal, identity, lock notes, logs.
    public var stateDirectory: String
    /// Namespace of the pod.
    public var namespace: String
    /// Name of the pod.
    public var pod: String
    /// UID of the pod; nil: a random one kept in the state directory.
    public var podUID: String?
    /// Node.
    public var node: String?
    /// The target that the member belongs to.
    public var cluster: String
    /// The agent's version.
    public var version: String
    /// What the buffers of a job may take.
    public var memory = MemoryBudget()

    /// Makes a configuration out of what has no default.
    public init(
        coordinatorURL: String,
        enrolmentTokenFile: String,
        stateDirectory: String,
        namespace: String,
        pod: String,
        cluster: String,
        version: String
    ) {
        self.coordinatorURL = coordinatorURL
        self.enrolmentTokenFile = enrolmentTokenFile
        self.stateDirectory = stateDirectory
        self.namespace = namespace
        self.pod = pod
        self.cluster = cluster
        self.version = version
    }

    /// Checks everything that can be checked without touching anything.
    ///
    /// - Throws: `AgentError` with code `.invalidConfiguration`: what is wrong and what would be right.
    public func validate() throws {
        try Self.validate(coordinatorURL: coordinatorURL)
        let required = [
            ("namespace", namespace), ("pod", pod), ("cluster", cluster), ("state directory", stateDirectory),
            ("enrolment token file", enrolmentTokenFile),
        ]
        for (name, value) in required where value.isEmpty {
            throw AgentError(.invalidConfiguration, "the \(name) is empty")
        }
    }

    /// Refuses what would send tokens and backup passwords over a network in the clear.
    static func validate(coordinatorURL text: String) throws {
        if text.hasPrefix("https://"), text.utf8.count > "https://".utf8.count { return }
        guard text.hasPrefix("http://") else {
            throw AgentError(
                .invalidConfiguration,
                "the coordinator's URL \"\(text)\" is none: write https://HOST:PORT, or http://127.0.0.1:PORT on the "
                    + "same host"
            )
        }
        let authority = text.dropFirst("http://".count).prefix { $0 != "/" }
        let host =
            authority.hasPrefix("[")
            ? authority.dropFirst().prefix { $0 != "]" } : authority.prefix { $0 != ":" }
        let isLoopback = host == "localhost" || host == "::1" || host.hasPrefix("127.")
        guard isLoopback, !authority.contains("@") else {
            throw AgentError(
                .invalidConfiguration,
                "refusing \(text): plain http would show tokens and repository passwords to the network; use https://, "
                    + "or http:// on loopback"
            )
        }
    }
}

/// Who an agent is, for as long as its process lives.
struct AgentIdentity: Sendable {
    var pod: PodIdentity
    var cluster: String
    var engine: String
    /// Random per process.
    var incarnation: String
    var version: String
    var features: [String]

    init(_ configuration: AgentConfiguration, engine: String, podUID: String) {
        pod = PodIdentity(
            namespace: configuration.namespace,
            name: configuration.pod,
            uid: podUID,
            node: configuration.node
        )
        cluster = configuration.cluster
        self.engine = engine
        version = configuration.version
        incarnation = Self.randomHex()
        features = ["backup.\(engine)", "restore.\(engine)", "release.\(engine)"]
    }

    /// 128 random bits.
    static func randomHex() -> String {
        var generator = SystemRandomNumberGenerator()
        let digits = Array("0123456789abcdef")
        return String((0..<32).map { _ in digits[Int.random(in: 0..<16, using: &generator)] })
    }
}
