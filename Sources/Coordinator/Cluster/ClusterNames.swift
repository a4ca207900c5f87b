import Kubernetes

/// The names by which the coordinator's things are known in a cluster: one table.
enum ClusterNames {
    /// Who owns the fields that the coordinator applies.
    static let fieldManager = "remora-coordinator"
    /// Who owns what it observes.
    static let statusManager = "remora-coordinator-status"

    /// Who owns when a schedule fired last: decided, not observed.
    static let scheduleManager = "remora-coordinator-schedule"

    /// Keeps an object until what runs for it was cancelled and its locks are in safe hands.
    static let cancelFinalizer = "remora.dev/cancel-on-delete"
    /// `"true"`: let an object go at once, whatever it leaves behind.
    static let skipCleanup = "remora.dev/skip-cleanup"
    /// A person asks for something in the agent's place.
    static let inject = "remora.dev/inject"
    /// `"true"`: the pod was given an agent.
    static let injected = "remora.dev/injected"
    /// Why a pod that asks for an agent got none.
    static let injectError = "remora.dev/inject-error"
    /// The target that a pod or session belongs to.
    static let cluster = "remora.dev/cluster"
    /// The configuration of a session.
    static let configuration = "remora.dev/configuration"
    /// `"true"`: the pod that decides; the agents' service selects it.
    static let leader = "remora.dev/leader"
    /// Epoch of who wrote.
    static let epoch = "remora.dev/epoch"
    static let managedBy = "app.kubernetes.io/managed-by"

    /// Audience of agents' and people's tokens.
    static let audience = "remora.dev"
    /// The Lease by which the leader is elected.
    static let lease = "remora-coordinator"
    /// The ConfigMap that counts leaders.
    static let state = "remora-state"
    /// The ConfigMap of locks whose sessions' objects are gone.
    static let ledger = "remora-ledger"
    /// The Secret of the coordinator's own keys.
    static let keys = "remora-coordinator-keys"
    /// The Secret of the webhook's authority.
    static let authority = "remora-webhook-ca"
    /// The ConfigMap by which agents know the coordinator.
    static let trust = "remora-ca"
    /// The webhook's configuration.
    static let webhook = "zz-remora-injector"
}

extension APIResource {
    private static func ours(_ plural: String, _ kind: String, isNamespaced: Bool = true) -> APIResource {
        APIResource(group: "remora.dev", version: "v1alpha1", plural: plural, kind: kind, isNamespaced: isNamespaced)
    }

    static let repositories = ours("repositories", "Repository")
    static let appBindings = ours("appbindings", "AppBinding")
    static let backupConfigurations = ours("backupconfigurations", "BackupConfiguration")
    static let backupSessions = ours("backupsessions", "BackupSession")
    static let restoreSessions = ours("restoresessions", "RestoreSession")
    static let backupBatches = ours("backupbatches", "BackupBatch")
    static let backupBlueprints = ours("backupblueprints", "BackupBlueprint", isNamespaced: false)
    static let tasks = ours("tasks", "Task", isNamespaced: false)
    static let functions = ours("functions", "Function", isNamespaced: false)
    static let appCatalogBindings = APIResource(
        group: "appcatalog.appscode.com",
        version: "v1alpha1",
        plural: "appbindings",
        kind: "AppBinding"
    )
}
