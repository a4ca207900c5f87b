import Injector

/// What the manifests install, by the names they give it (`manifests/`), and the names on pods.
enum Install {
    /// Where coordinator, services and accounts are, unless `--system-namespace` says otherwise.
    static let systemNamespace = "remora-system"
    /// Service of the leading coordinator: agents and people.
    static let leaderService = "remora-agents"
    /// Service of all coordinators, which the API server calls.
    static let webhookService = "remora-webhook"
    /// The MutatingWebhookConfiguration.
    static let webhookConfiguration = "zz-remora-injector"
    /// ConfigMap with the authority of the coordinator's certificate.
    static let authorityConfigMap = "remora-ca"
    /// Its key.
    static let authorityKey = "ca.crt"
    /// The Lease whose holder leads.
    static let leaderLease = "remora-coordinator"
    /// Account of the coordinator.
    static let coordinatorAccount = "remora-coordinator"
    /// Account whose tokens may only look.
    static let viewerAccount = "remora-viewer"
    /// Account whose tokens may begin and stop sessions.
    static let operatorAccount = "remora-operator"
    /// For whom tokens are made: no other server accepts them.
    static let audience = "remora.dev"
    /// Selects the coordinator's pods.
    static let coordinatorSelector = "app.kubernetes.io/name=remora,app.kubernetes.io/component=coordinator"
    /// Label of the pod that leads.
    static let leaderLabel = "remora.dev/leader"
    /// Label of pods that got an agent.
    static let injectedLabel = AgentMark.injected
    /// Label of the target that a pod belongs to.
    static let clusterLabel = AgentMark.cluster
    /// Label of a namespace; `disabled` keeps the webhook from being asked.
    static let namespaceLabel = NamespaceFacts.optOutLabel
    /// The agent's container.
    static let agentContainer = AgentMark.container
    /// API group and version of our objects.
    static let group = "remora.dev"
    static let version = "v1alpha1"
    /// Plural names of the objects.
    static let definitions = [
        "appbindings", "backupbatches", "backupblueprints", "backupconfigurations", "backupsessions", "functions",
        "repositories", "restoresessions", "tasks",
    ]
    /// What makes it all, for hints.
    static let applyCommand = "kubectl apply --server-side -k manifests"

    /// Prefix of every annotation of ours.
    static let prefix = Annotation.prefix
    /// As whom we write: Flux takes what a manager called `kubectl…` wrote as its own to undo.
    static let fieldManager = "remora-cli"
}
