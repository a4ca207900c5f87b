import BackupModel
import Kubernetes
import Logging
import Synchronization

/// What a leader follows of the cluster: seven watches, whatever the number of agents, and ``ListedKinds`` now and then.
///
/// With the namespaces, which every replica follows for the webhook, that is eight.
final class ClusterCaches: Sendable {
    /// What changed.
    enum Change: Sendable, Hashable {
        case object(String, ResourceKey)
        case session(SessionView.Kind, ResourceKey)
        case pod(ResourceKey)
    }

    let client: KubernetesClient
    let namespaces: NamespaceWatch
    /// What isn't watched.
    let listed: ListedKinds
    /// Whose pods are whose.
    let workloads: Workloads
    private let informers: [String: Informer]
    private let pods: Informer
    private let podFacts: PodFacts

    /// Kinds that are watched, by name.
    private static let kinds: [(String, APIResource)] = [
        (RepositorySpec.kind, .repositories), (AppBindingSpec.kind, .appBindings),
        (BackupConfigurationSpec.kind, .backupConfigurations), (BackupBatchSpec.kind, .backupBatches),
        (BackupSessionSpec.kind, .backupSessions), (RestoreSessionSpec.kind, .restoreSessions),
    ]

    init(
        client: KubernetesClient,
        namespaces: NamespaceWatch,
        timing: WatchTiming = WatchTiming(),
        lists: ListTiming = ListTiming(),
        logger: Logger,
        changed: @escaping @Sendable (Change) -> Void
    ) {
        self.client = client
        self.namespaces = namespaces
        listed = ListedKinds(client: client, timing: lists, logger: logger)
        workloads = Workloads(client: client)
        let trouble: @Sendable (KubernetesError) -> Void = { logger.warning("\($0)") }
        var informers: [String: Informer] = [:]
        for (kind, resource) in Self.kinds {
            informers[kind] = Informer(
                client,
                resource,
                timing: timing,
                trim: Self.trim,
                onTrouble: trouble,
                onChange: { change in
                    let key = ResourceKey(change.key)
                    switch kind {
                    case BackupSessionSpec.kind: changed(.session(.backup, key))
                    case RestoreSessionSpec.kind: changed(.session(.restore, key))
                    default: changed(.object(kind, key))
                    }
                }
            )
        }
        self.informers = informers
        let found = PodFacts()
        pods = Informer(
            client,
            .pods,
            options: ListOptions(isMetadataOnly: true),
            timing: timing,
            trim: PodFact.trim,
            onTrouble: trouble,
            onChange: { change in
                let key = ResourceKey(change.key)
                if found.take(change) { changed(.pod(key)) }
            }
        )
        podFacts = found
    }

    /// A session's record is kept by the store; here it is enough to know that there is one.
    private static func trim(_ object: inout KubernetesObject) {
        guard let record = object[path: "status", "record"]?.string, !record.isEmpty else { return }
        object["status"]?["record"] = "kept"
    }

    /// Follows everything until the task is cancelled.
    func run() async {
        await withTaskGroup { group in
            for informer in informers.values { group.addTask { await informer.run() } }
            group.addTask { await self.pods.run() }
            await group.waitForAll()
        }
    }

    /// Waits until everything was read once.
    func waitUntilSynced() async throws {
        for informer in informers.values { try await informer.waitUntilSynced() }
        try await pods.waitUntilSynced()
        try await namespaces.waitUntilSynced()
    }

    /// Lists what isn't watched, as far as it is due; the kinds that were listed.
    func listDue() async -> Set<ListedKinds.Kind> { await listed.listDue(named) }

    /// What is named by something, of the kinds that are only listed.
    private var named: [ListedKinds.Kind: Set<String>] {
        var blueprints = Set(allPods.compactMap { $0.annotations[BackupBlueprintSpec.annotation] })
        for object in objects(AppBindingSpec.kind) {
            if let name = object.annotations[BackupBlueprintSpec.annotation] { blueprints.insert(name) }
        }
        var targets: Set<String> = []
        var tasks: Set<String> = []
        for kind in [BackupConfigurationSpec.kind, RestoreSessionSpec.kind] {
            for object in objects(kind) where !object.isFinal {
                if let task = object[path: "spec", "task", "name"]?.string, !BuiltIn.isOne(task, of: BuiltIn.tasks) {
                    tasks.insert(task)
                }
                guard let name = object[path: "spec", "target", "ref", "name"]?.string else { continue }
                let key = ResourceKey(namespace: object.namespace, name: name)
                if self.object(AppBindingSpec.kind, key) == nil { targets.insert(key.description) }
            }
        }
        let steps = listed[.tasks].filter { tasks.contains($0.name) }
            .flatMap { $0[path: "spec", "steps"]?.array?.compactMap { $0["name"]?.string } ?? [] }
        let functions = Set(steps.filter { !BuiltIn.isOne($0, of: BuiltIn.functions) })
        return [.blueprints: blueprints, .catalogBindings: targets, .tasks: tasks, .functions: functions]
    }

    // MARK: Looking

    /// All objects of a kind.
    func objects(_ kind: String) -> [KubernetesObject] { informers[kind]?.objects ?? [] }

    /// One object.
    func object(_ kind: String, _ key: ResourceKey) -> KubernetesObject? { informers[kind]?[key.objectKey] }

    /// The object of a session.
    func session(_ kind: SessionView.Kind, _ key: ResourceKey) -> KubernetesObject? {
        object(kind == .backup ? BackupSessionSpec.kind : RestoreSessionSpec.kind, key)
    }

    /// One pod that concerns us.
    func pod(_ key: ResourceKey) -> PodFact? { podFacts[key] }

    /// All pods that concern us.
    var allPods: [PodFact] { podFacts.all }

    /// The pods of a target.
    func pods(of target: ResourceKey) -> [PodFact] { podFacts.pods(of: target) }

    /// A pod as the API server has it now: the cache may not know a new one yet.
    func freshPod(_ key: ResourceKey) async throws -> PodFact? {
        if let fact = pod(key), fact.isInjected { return fact }
        do {
            return PodFact(try await client.get(.pods, name: key.name, namespace: key.namespace, isMetadataOnly: true))
        } catch {
            guard error.isNotFound else { throw error }
            return nil
        }
    }

    /// All objects from which the catalogue is made: of sessions those that may have to begin, or to be cancelled.
    var sources: [String: [KubernetesObject]] {
        var lists: [String: [KubernetesObject]] = [:]
        for kind in [RepositorySpec.kind, AppBindingSpec.kind, BackupConfigurationSpec.kind, BackupBatchSpec.kind] {
            lists[kind] = objects(kind).filter { !$0.isBeingDeleted }
        }
        lists[TaskSpec.kind] = listed[.tasks].filter { !$0.isBeingDeleted }
        lists[FunctionSpec.kind] = listed[.functions].filter { !$0.isBeingDeleted }
        for kind in [BackupSessionSpec.kind, RestoreSessionSpec.kind] {
            lists[kind] = objects(kind).filter { object in
                if object.isBeingDeleted || object.isFinal { return false }
                return !object.hasRecord || object[path: "spec", "cancel"]?.bool == true
            }
        }
        return lists
    }
}

extension KubernetesObject {
    /// Whether a session's object says that it is over.
    var isFinal: Bool {
        self[path: "status", "phase"]?.string.flatMap(SessionPhase.init(rawValue:))?.isFinal ?? false
    }
    /// Whether a coordinator has taken it up as a session.
    var hasRecord: Bool { self[path: "status", "record"]?.string?.isEmpty == false }
}

/// Pods that concern us, by target as well.
private final class PodFacts: Sendable {
    private struct State {
        var pods: [ResourceKey: PodFact] = [:]
        var byTarget: [ResourceKey: Set<ResourceKey>] = [:]
    }
    private let state = Mutex(State())

    subscript(key: ResourceKey) -> PodFact? { state.withLock { $0.pods[key] } }
    var all: [PodFact] { state.withLock { Array($0.pods.values) } }

    func pods(of target: ResourceKey) -> [PodFact] {
        state.withLock { state in (state.byTarget[target] ?? []).sorted().compactMap { state.pods[$0] } }
    }

    /// Takes a change in; false when it doesn't concern us.
    func take(_ change: ObjectChange) -> Bool {
        let key = ResourceKey(change.key)
        var fact: PodFact?
        if case .deleted = change { fact = nil } else { fact = PodFact(change.object) }
        return state.withLock { state in
            let old = state.pods[key]
            if let target = old?.target { state.byTarget[target]?.remove(key) }
            if let target = fact?.target { state.byTarget[target, default: []].insert(key) }
            state.pods[key] = fact
            return old != fact
        }
    }
}
