/// Which pod the agent rides in; outside Kubernetes the names are given by configuration.
public struct PodIdentity: Codable, Sendable, Hashable {
    /// Namespace.
    public var namespace: String
    /// Pod name.
    public var name: String
    /// Pod UID: the agent's identity.
    ///
    /// Outside Kubernetes a random id kept in the state directory.
    public var uid: String
    /// Node name.
    public var node: String?

    /// Makes one from its parts.
    public init(namespace: String, name: String, uid: String, node: String? = nil) {
        self.namespace = namespace
        self.name = name
        self.uid = uid
        self.node = node
    }
}

/// An agent says: here I am.
public struct RegisterRequest: Codable, Sendable, Hashable {
    /// Random per process start: tells a restart from a duplicate.
    public var incarnation: String
    /// The agent's version.
    public var agentVersion: String
    /// Lowest and highest protocol version the agent speaks.
    public var protocolRange: ProtocolRange
    /// Things it can do, like `backup.mongodb`.
    public var features: [String]
    /// Whose pod.
    public var pod: PodIdentity
    /// The target it belongs to: label `remora.dev/cluster`, and the AppBinding's name.
    public var cluster: String
    /// Engine, like `mongodb`.
    public var engine: String
    /// Jobs it knows of from its journal.
    public var jobs: [JobReport]
    /// Fingerprints of the authorities of which it takes the coordinator's certificate; nil: the system's, or a version
    /// that doesn't say.
    public var trustedAuthorities: [String]?
    /// Its clock, for people: skew is shown, never used.
    public var unixMs: Int64

    /// An inclusive range of protocol versions.
    public struct ProtocolRange: Codable, Sendable, Hashable {
        /// Lowest.
        public var min: Int
        /// Highest.
        public var max: Int
        /// Makes a range.
        public init(min: Int, max: Int) {
            self.min = min
            self.max = max
        }
    }

    /// Makes a request.
    public init(
        incarnation: String,
        agentVersion: String,
        protocolRange: ProtocolRange = ProtocolRange(min: AgentProtocol.version, max: AgentProtocol.version),
        features: [String],
        pod: PodIdentity,
        cluster: String,
        engine: String,
        jobs: [JobReport],
        unixMs: Int64
    ) {
        self.incarnation = incarnation
        self.agentVersion = agentVersion
        self.protocolRange = protocolRange
        self.features = features
        self.pod = pod
        self.cluster = cluster
        self.engine = engine
        self.jobs = jobs
        self.unixMs = unixMs
    }
}

/// The coordinator says: you are who you say; these are your intervals.
public struct RegisterResponse: Codable, Sendable, Hashable {
    /// The agent's id: its pod's UID.
    public var agentID: String
    /// Bearer for every further call.
    public var sessionToken: String
    /// Register again before this has passed (at 80 %).
    public var sessionTtlSeconds: Int
    /// Epoch of the coordinator: greater after every start or change of leader.
    public var epoch: Int64
    /// Protocol version chosen.
    public var protocolVersion: Int
    /// How long a check-in may wait.
    public var pollSeconds: Int
    /// Interval of heartbeats of a running job.
    public var heartbeatMs: Int
    /// A job's lease, counted by the agent's monotonic clock from when its last successful heartbeat was sent.
    public var leaseMs: Int
    /// After this long without contact a job gives up.
    public var maxDisconnectedMs: Int
    /// Interval of log patches.
    public var logIntervalMs: Int
    /// Spread of reconnects after the coordinator was away.
    public var reconnectSpreadMs: Int
    /// The coordinator's clock, for people.
    public var serverUnixMs: Int64

    /// Makes a response.
    public init(
        agentID: String,
        sessionToken: String,
        sessionTtlSeconds: Int,
        epoch: Int64,
        protocolVersion: Int,
        pollSeconds: Int,
        heartbeatMs: Int,
        leaseMs: Int,
        maxDisconnectedMs: Int,
        logIntervalMs: Int,
        reconnectSpreadMs: Int,
        serverUnixMs: Int64
    ) {
        self.agentID = agentID
        self.sessionToken = sessionToken
        self.sessionTtlSeconds = sessionTtlSeconds
        self.epoch = epoch
        self.protocolVersion = protocolVersion
        self.pollSeconds = pollSeconds
        self.heartbeatMs = heartbeatMs
        self.leaseMs = leaseMs
        self.maxDisconnectedMs = maxDisconnectedMs
        self.logIntervalMs = logIntervalMs
        self.reconnectSpreadMs = reconnectSpreadMs
        self.serverUnixMs = serverUnixMs
    }
}
