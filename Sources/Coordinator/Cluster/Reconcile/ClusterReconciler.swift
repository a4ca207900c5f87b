import BackupModel
import Kubernetes
import Logging
import Synchronization

/// What a leader does beside deciding: it brings objects into force, shows what it observed on them, and lets go of
/// what is deleted.
///
/// Level-triggered: each key is looked at as it is now, and it is right to look at it at any time; nothing is done
/// because of an event alone. Everything is looked at again every ten minutes.
final class ClusterReconciler: Sendable {
    /// What is looked at.
    enum Key: Sendable, Hashable {
        /// All objects together: what comes into force.
        case catalog
        case object(String, ResourceKey)
        case session(SessionView.Kind, ResourceKey)
        /// Blueprints, and what is made of them.
        case blueprints
        /// Tasks and functions.
        case tasks
        /// Pods: missed injections, trust in their namespaces.
        case pod(ResourceKey)
        /// A repository that a session has used: storage is asked anew.
        case probe(ResourceKey)
        /// The ConfigMap by which a namespace's agents know us.
        case trust(String)
        /// The webhook's configuration, by which the API server knows us.
        case webhook
    }

    let client: KubernetesClient
    let caches: ClusterCaches
    let conductor: Conductor
    let keeper: RepositoryKeeper
    let store: KubernetesStore
    let secrets: any SecretSource
    let events: ClusterEvents
    let trust: any TrustSource
    /// The coordinator's own.
    let namespace: String
    let logger: Logger
    let queue: WorkQueue<Key>
    let state = Mutex(State())

    /// What is remembered between looks: nothing that a new leader couldn't find out.
    struct State: Sendable {
        var catalog = ObjectCatalog()
        /// What is wrong with objects, as last looked at.
        var problems: [ObjectSet.Place: [FieldProblem]] = [:]
        /// Agents by target that were connected when last looked at.
        var connected: [ResourceKey: [String: String]] = [:]
        /// Pods of which people were told, by uid.
        var told: Set<String> = []
        /// Repositories: what storage said, and when.
        var probes: [ResourceKey: RepositoryProbe] = [:]
        /// What was put into namespaces for agents to trust.
        var trusted: [String: String] = [:]
        /// What was put into the webhook's configuration.
        var published: String?
        /// What all of them are to have.
        var bundle: String?
        /// When it was last looked whether a configuration's workload still asks for it.
        var asked: [ResourceKey: ContinuousClock.Instant] = [:]
        /// Pods that were there when this leader began: nothing is news of them.
        var oldPods: Set<String> = []
    }

    /// How many keys are looked at at once.
    private static let workers = 8
    private static let resync = Duration.seconds(600)
    /// What is in force depends on the time, too: namespaces end.
    private static let catalogInterval = Duration.seconds(15)
    /// Whether something is to be listed is looked at so often; ``ListTiming`` says how often it is.
    private static let listInterval = Duration.seconds(1)
    private static let flipInterval = Duration.seconds(2)
    /// Changes that come together are brought into force together.
    static let catalogDelay = Duration.milliseconds(100)

    init(
        client: KubernetesClient,
        caches: ClusterCaches,
        core: CoordinatorCore,
        store: KubernetesStore,
        secrets: any SecretSource,
        events: ClusterEvents,
        trust: any TrustSource,
        namespace: String,
        queue: WorkQueue<Key>,
        logger: Logger
    ) {
        self.client = client
        self.caches = caches
        conductor = core.conductor
        keeper = core.keeper
        self.store = store
        self.secrets = secrets
        self.events = events
        self.trust = trust
        self.namespace = namespace
        self.queue = queue
        self.logger = logger
    }

    /// The keys that a change concerns.
    static func keys(_ change: ClusterCaches.Change) -> [Key] {
        switch change {
        case .object(let kind, let key): [.object(kind, key), .catalog]
        case .session(let kind, let key): [.session(kind, key), .catalog]
        case .pod(let key): [.pod(key)]
        }
    }

    /// Adds the keys that a change concerns.
    static func note(_ change: ClusterCaches.Change, _ queue: WorkQueue<Key>) {
        for key in keys(change) {
            if key == .catalog { queue.add(key, after: catalogDelay) } else { queue.add(key) }
        }
    }

    /// Brings everything into force once, before anything is decided.
    func begin() async {
        state.withLock { $0.oldPods = Set(caches.allPods.map(\.uid)) }
        // Before anything comes into force: a configuration may need a task.
        await listDue()
        await bringIntoForce()
        addEverything()
    }

    /// Looks at keys until the task is cancelled.
    func run() async {
        await withTaskGroup { group in
            group.addTask { await self.queue.process(workers: Self.workers) { await self.reconcile($0) } }
            group.addTask {
                await self.every(Self.resync) {
                    self.addEverything()
                    self.renewTrust()
                }
            }
            group.addTask { await self.every(Self.catalogInterval) { self.queue.add(.catalog) } }
            group.addTask { await self.every(Self.listInterval) { await self.listDue() } }
            group.addTask { await self.every(Self.flipInterval) { await self.watchAgents() } }
            group.addTask { await self.every(Self.flipInterval) { await self.watchTrust() } }
            await group.waitForAll()
        }
    }

    private func every(_ interval: Duration, _ body: @Sendable () async -> Void) async {
        while await pause(interval) { await body() }
    }

    private func listDue() async {
        let listed = await caches.listDue()
        if listed.contains(.blueprints) { queue.add(.blueprints) }
        if listed.contains(.tasks) || listed.contains(.functions) { queue.add(.tasks) }
        if listed.contains(.catalogBindings) { queue.add(.catalog) }
    }

    private func addEverything() {
        queue.add(.catalog)
        queue.add(.blueprints)
        queue.add(.tasks)
        queue.add(.webhook)
        for kind in [RepositorySpec.kind, AppBindingSpec.kind, BackupConfigurationSpec.kind, BackupBatchSpec.kind] {
            for object in caches.objects(kind) { queue.add(.object(kind, ResourceKey(object.key))) }
        }
        for object in caches.objects(BackupSessionSpec.kind) { queue.add(.session(.backup, ResourceKey(object.key))) }
        for object in caches.objects(RestoreSessionSpec.kind) { queue.add(.session(.restore, ResourceKey(object.key))) }
        for pod in caches.allPods { queue.add(.pod(pod.key)) }
    }

    /// Looks at one key.
    func reconcile(_ key: Key) async -> WorkQueue<Key>.Outcome {
        do {
            switch key {
            case .catalog:
                await bringIntoForce()
                return .done
            case .session(let kind, let key): return try await reconcileSession(kind, key)
            case .object(RepositorySpec.kind, let key): return try await reconcileRepository(key)
            case .object(BackupConfigurationSpec.kind, let key): return try await reconcileConfiguration(key)
            case .object(BackupBatchSpec.kind, let key): return try await reconcileBatch(key)
            case .object(let kind, let key):
                try await showProblems(kind, key)
                return .done
            case .blueprints:
                try await reconcileBlueprints()
                return .done
            case .tasks:
                await bringIntoForce()
                try await showTasks()
                return .done
            case .pod(let key):
                try await reconcilePod(key)
                return .done
            case .probe(let key):
                forgetProbe(key)
                return .done
            case .webhook:
                try await reconcileWebhook()
                return .done
            case .trust(let namespace):
                try await reconcileTrust(namespace)
                return .done
            }
        } catch {
            if !(error is CancellationError) { logger.warning("\(key): \(error); it is tried again") }
            return .retry
        }
    }

    // MARK: What comes into force

    /// Reads all objects and puts what is good in force.
    func bringIntoForce() async {
        let sources = caches.sources
        let labels = caches.namespaces.labels
        let catalogBindings = caches.listed[.catalogBindings]
        let (result, changed) = state.withLock { state in
            let result = state.catalog.read(sources, catalogBindings: catalogBindings, namespaces: labels)
            let places = Set(result.problems.keys).union(state.problems.keys)
            let changed = places.filter { result.problems[$0] != state.problems[$0] }
            state.problems = result.problems
            return (result, changed)
        }
        for place in changed {
            switch place.kind {
            case BackupSessionSpec.kind: queue.add(.session(.backup, place.key))
            case RestoreSessionSpec.kind: queue.add(.session(.restore, place.key))
            default: queue.add(.object(place.kind, place.key))
            }
        }
        let sentences = result.problems.sorted { ($0.key.key, $0.key.kind) < ($1.key.key, $1.key.kind) }
            .flatMap { place, problems in problems.map { "\(place.kind) \(place.key): \($0)" } }
        let ending = caches.namespaces.ending
        let before = await conductor.objects
        await conductor.perform { conductor in
            conductor.endingNamespaces = ending
            conductor.setObjects(result.objects == before ? nil : result.objects, problems: sentences)
        }
        for key in result.objects.configurations.keys
        where result.objects.configurations[key] != before.configurations[key] {
            queue.add(.object(BackupConfigurationSpec.kind, key))
        }
    }

    /// What is wrong with an object, in one sentence; nil when it is good.
    func problem(_ kind: String, _ key: ResourceKey) -> FieldProblem? {
        state.withLock { $0.problems[ObjectSet.Place(kind: kind, key: key)]?.first }
    }

    // MARK: Agents that come and go

    private func watchAgents() async {
        let now = await conductor.connectedAgents()
        let before = state.withLock { state in
            defer { state.connected = now }
            return state.connected
        }
        guard now != before else { return }
        for target in Set(now.keys).union(before.keys) where now[target] != before[target] {
            for key in await configurations(of: target) { queue.add(.object(BackupConfigurationSpec.kind, key)) }
            for (uid, pod) in now[target] ?? [:] where before[target]?[uid] == nil {
                tellAboutAgent(ResourceKey(namespace: target.namespace, name: pod), uid, "AgentConnected", .normal)
            }
            for (uid, pod) in before[target] ?? [:] where now[target]?[uid] == nil {
                tellAboutAgent(ResourceKey(namespace: target.namespace, name: pod), uid, "AgentLost", .warning)
            }
        }
    }

    private func tellAboutAgent(_ pod: ResourceKey, _ uid: String, _ reason: String, _ kind: EventRecorder.Kind) {
        guard let fact = caches.pod(pod), fact.uid == uid else { return }
        let note =
            kind == .normal
            ? "the agent of pod \(pod.name) is connected" : "nothing is heard from the agent of pod \(pod.name)"
        events.tell(note, about: fact.owner, kind: kind, reason: reason, action: "Connect")
    }

    func configurations(of target: ResourceKey) async -> [ResourceKey] {
        await conductor.objects.configurations(of: target).map(\.key)
    }
}
