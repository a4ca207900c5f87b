import BackupModel
import CPlatform
import Hummingbird
import Kubernetes
import Logging

/// One term of a leader: everything that only one replica may do, from the moment the Lease is its own.
///
/// Order: caches are complete → the epoch is counted up and everything is claimed with it (``KubernetesStore``) → objects
/// come into force → sessions go on where they were → agents and people are answered.
struct LeaderTerm: Sendable {
    let configuration: ClusterConfiguration
    let client: KubernetesClient
    let namespaces: NamespaceWatch
    let responder: LeaderSwitch
    let trust: any TrustSource
    let logger: Logger
    /// Called when somebody with a greater epoch leads.
    let fenced: @Sendable (String) -> Void
    /// Given the conductor for as long as the term lasts.
    let conducts: @Sendable (Conductor?) -> Void

    /// Leads until the task is cancelled.
    func run() async throws {
        let queue = WorkQueue<ClusterReconciler.Key>()
        let caches = ClusterCaches(
            client: client,
            namespaces: namespaces,
            timing: configuration.watches,
            lists: configuration.lists,
            logger: logger,
            changed: { ClusterReconciler.note($0, queue) }
        )
        let events = ClusterEvents(
            recorder: EventRecorder(client, controller: "remora.dev/coordinator", instance: configuration.podName),
            logger: logger
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer {
                responder.follow()
                conducts(nil)
                queue.shutDown()
                group.cancelAll()
            }
            group.addTask { await caches.run() }
            try await caches.waitUntilSynced()
            let store = store(caches, events, queue)
            let core = try await makeCore(store)
            let reconciler = ClusterReconciler(
                client: client,
                caches: caches,
                core: core,
                store: store,
                secrets: ClusterSecrets(client: client),
                events: events,
                trust: trust,
                namespace: configuration.namespace,
                queue: queue,
                logger: logger
            )
            await core.conductor.perform { conductor in
                conductor.expectedAgents = { target in
                    Set(caches.pods(of: target).filter { $0.isInjected && !$0.isBeingDeleted }.map(\.uid))
                }
            }
            await reconciler.begin()
            try await core.conductor.start()
            conducts(core.conductor)
            responder.lead(core.router(agents: agents(caches), people: people()).buildResponder())
            let count = await core.conductor.objects.configurations.count
            logger.notice(
                "leading as \(configuration.podName), epoch \(core.conductor.identity.epoch): \(count) configurations, \(caches.allPods.count) pods with agents"
            )
            try await markPod(true)
            group.addTask { await unmarkOthersUntilDone() }
            group.addTask { await core.run() }
            group.addTask { await reconciler.run() }
            group.addTask { await events.run() }
            group.addTask { await giveMemoryBack() }
            // None of those that matter ends before it is cancelled.
            for try await _ in group {}
        }
    }

    /// Lists, and the first look at everything, leave much memory free that the C library keeps unless it is told not to.
    ///
    /// 10 000 pods with 1000 configurations, before lists were cut down page by page: 200 MiB instead of 357.
    private func giveMemoryBack() async {
        repeat { remora_release_memory() } while await pause(.seconds(60))
    }

    /// On a thread of its own: taking over blocks until everything is claimed.
    private func makeCore(_ store: KubernetesStore) async throws -> CoordinatorCore {
        let (configuration, client, logger) = (configuration, client, logger)
        return try await Blocking.detach {
            try CoordinatorCore(
                store: store,
                secrets: ClusterSecrets(client: client),
                logsDirectory: "\(configuration.stateDirectory)/logs",
                version: configuration.version,
                timings: configuration.timings,
                logger: logger
            )
        }
    }

    private func store(
        _ caches: ClusterCaches,
        _ events: ClusterEvents,
        _ queue: WorkQueue<ClusterReconciler.Key>
    ) -> KubernetesStore {
        let guards = KubernetesStore.Guards(
            fenced: fenced,
            owner: { key in
                guard let object = caches.object(BackupConfigurationSpec.kind, key), !object.isBeingDeleted else {
                    return nil
                }
                return OwnerReference(object)
            },
            happened: { session, uid, happened in
                Self.tell(session, uid, happened, caches, events, queue)
            },
            clock: CoordinatorCore.now
        )
        return KubernetesStore(client: client, namespace: configuration.namespace, guards: guards, logger: logger)
    }

    /// Tells people what happened in a session, and has its configuration looked at.
    private static func tell(
        _ session: SessionState,
        _ uid: String,
        _ happened: [SessionEventView],
        _ caches: ClusterCaches,
        _ events: ClusterEvents,
        _ queue: WorkQueue<ClusterReconciler.Key>
    ) {
        var object = KubernetesObject(
            KubernetesStore.resource(session.kind),
            name: session.key.name,
            namespace: session.key.namespace
        )
        object.metadata["uid"] = .string(uid)
        let configuration = session.plan.configuration.map {
            ResourceKey(namespace: session.key.namespace, name: $0)
        }
        for event in happened {
            guard let (reason, kind) = ClusterEvents.of(session, event) else { continue }
            let action = session.kind == .backup ? "Backup" : "Restore"
            events.tell(event.message, about: object, kind: kind, reason: reason, action: action)
            guard let configuration, let owner = caches.object(BackupConfigurationSpec.kind, configuration) else {
                continue
            }
            let note = "\(session.key.name): \(event.message)"
            events.tell(note, about: owner, kind: kind, reason: reason, action: action)
        }
        if let configuration { queue.add(.object(BackupConfigurationSpec.kind, configuration), after: .seconds(1)) }
        if session.isOver { queue.add(.probe(session.plan.repository), after: .seconds(1)) }
    }

    private func agents(_ caches: ClusterCaches) -> TokenReviewAuthenticator {
        TokenReviewAuthenticator(reviewer: reviewer(), pod: { try await caches.freshPod($0) }, logger: logger)
    }

    private func people() -> AccessReviewAuthorizer {
        let client = client
        return AccessReviewAuthorizer(reviewer: reviewer()) { person, access in
            let user = UserInfo(
                username: person.name ?? "",
                uid: person.uid ?? "",
                groups: person.groups,
                extra: person.extra
            )
            let resource = APIResource(group: "remora.dev", version: "v1alpha1", plural: access.resource, kind: "")
            let question = AccessQuestion(
                verb: access.verb.rawValue,
                resource,
                subresource: access.subresource,
                namespace: access.namespace,
                name: access.name
            )
            let answer = try await client.reviewAccess(of: user, to: question)
            return (answer.isAllowed, answer.reason)
        }
    }

    private func reviewer() -> TokenReviewer {
        let client = client
        return TokenReviewer(audience: ClusterNames.audience, clock: CoordinatorCore.now) { token in
            try await client.reviewToken(token, audiences: [ClusterNames.audience])
        }
    }

    /// Puts the leader's label on our own pod, or takes it off: the agents' service looks for it.
    func markPod(_ isLeader: Bool) async throws {
        guard configuration.isPod else { return }
        guard isLeader else { return try await unmark(configuration.podName, uid: nil) }
        var pod = KubernetesObject(.pods, name: configuration.podName, namespace: configuration.namespace)
        pod.labels = [ClusterNames.leader: "true"]
        try await client.apply(pod, of: .pods, fieldManager: Self.labelManager)
    }

    private static let labelManager = "\(ClusterNames.fieldManager)-leader"

    private func unmarkOthersUntilDone() async {
        repeat {
            do {
                return try await unmarkOthers()
            } catch {
                if Task.isCancelled { return }
                logger.warning("the leader's label can't be taken off the pods that led before: \(error)")
            }
        } while await pause(.seconds(5))
    }

    /// Takes the leader's label off other pods: one that was killed, or that nobody reaches, can't do it itself.
    private func unmarkOthers() async throws {
        guard configuration.isPod else { return }
        let options = ListOptions(labelSelector: "\(ClusterNames.leader)=true", isMetadataOnly: true)
        let marked = try await client.list(.pods, namespace: configuration.namespace, options: options).items
        for pod in marked where pod.name != configuration.podName {
            do {
                try await unmark(pod.name, uid: pod.uid)
                logger.notice("the leader's label was taken off pod \(pod.name), which led before")
            } catch {
                guard error.isNotFound || error.isConflict else { throw error }
                // Gone, or another pod by now.
            }
        }
    }

    /// Whoever put the label on; a pod that is gone is not made again, as an applied one would be.
    private func unmark(_ pod: String, uid: String?) async throws(KubernetesError) {
        var metadata: JSONTree = ["labels": [ClusterNames.leader: .null]]
        if let uid { metadata["uid"] = .string(uid) }
        try await client.patch(
            .merge(["metadata": metadata]),
            of: .pods,
            name: pod,
            namespace: configuration.namespace,
            fieldManager: Self.labelManager
        )
    }
}
