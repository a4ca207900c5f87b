public import Kubernetes

/// What a coordinator needs to know to start in a cluster.
public struct ClusterConfiguration: Sendable {
    /// How to reach the API server, and as whom.
    public var client: ClientConfiguration
    /// The coordinator's own namespace: of its Lease, its keys and its ledger.
    public var namespace: String
    /// The coordinator's own pod; outside of a cluster any name that no other replica has.
    public var podName: String
    /// Whether a pod of that name exists, which is to carry the leader's label.
    public var isPod: Bool
    /// Where agents and people connect.
    public var listen: ListenAddress
    /// The admission webhook, whose certificate the agents' server serves too; nil: none.
    public var webhook: WebhookConfiguration?
    /// PEM files of certificate chain and key, without a webhook; needed then unless only this machine can connect.
    public var tls: (certificate: String, key: String)?
    /// Directory for the logs of jobs until they are archived; made if it is missing.
    public var stateDirectory: String
    /// Version to show.
    public var version: String
    /// Leases of jobs and intervals; the defaults are for production.
    public var timings = SessionTimings()
    /// Times of the election of the leader.
    public var election = ElectionTiming()
    /// Times of watches.
    public var watches = WatchTiming()
    /// Times of lists of what isn't watched.
    public var lists = ListTiming()
    /// Ends the process at once, with a sentence that says why: called when another replica leads.
    public var endProcess: @Sendable (String) -> Void

    /// Makes a configuration.
    public init(
        client: ClientConfiguration,
        namespace: String,
        podName: String,
        isPod: Bool,
        listen: ListenAddress,
        stateDirectory: String,
        version: String,
        endProcess: @escaping @Sendable (String) -> Void
    ) {
        self.client = client
        self.namespace = namespace
        self.podName = podName
        self.isPod = isPod
        self.listen = listen
        self.stateDirectory = stateDirectory
        self.version = version
        self.endProcess = endProcess
    }
}
