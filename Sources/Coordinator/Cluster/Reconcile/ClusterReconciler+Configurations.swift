import BackupModel
import Kubernetes
import Logging
import Synchronization

// Configurations and repositories: what is shown of them, and what their deletion means.
extension ClusterReconciler {
    /// Storage is asked again so often, and right after a session that used it.
    private static let probeMs: Int64 = 600_000
    private static let probeAgainMs: Int64 = 60_000
    private static let stopInterval = Duration.seconds(1)

    // MARK: Configurations

    func reconcileConfiguration(_ key: ResourceKey) async throws -> WorkQueue<Key>.Outcome {
        guard let object = caches.object(BackupConfigurationSpec.kind, key), !object.isBeingDeleted else {
            return await reconcileDeletedConfiguration(key)
        }
        let problem = problem(BackupConfigurationSpec.kind, key)
        let objects = await conductor.objects
        let configuration = objects.configurations[key]
        let name = configuration?.spec.target.ref.name ?? object[path: "spec", "target", "ref", "name"]?.string ?? ""
        let target = ResourceKey(namespace: key.namespace, name: name)
        let facts = try await conductor.facts(of: key, target: target)
        let repository = configuration.map { $0.spec.repository.key(in: key.namespace) }
        let observation = ConfigurationObservation(
            configuration: configuration,
            generation: object.generation,
            problem: problem,
            hasTarget: objects.bindings[target] != nil,
            facts: facts,
            pods: caches.pods(of: target),
            repository: repository.flatMap { caches.object(RepositorySpec.kind, $0) }
                .flatMap { ObservedConditions.of($0)[type: "Ready"] },
            now: CoordinatorCore.now()
        )
        // Read and not in force yet: the catalogue comes first.
        if configuration == nil, problem == nil { return .again(after: Self.catalogDelay * 2) }
        let status = BackupConfigurationStatus.of(observation, before: ObservedConditions.of(object))
        try await show(status, on: object, .backupConfigurations)
        return facts.isFresh ? .again(after: .seconds(15)) : .done
    }

    private func reconcileDeletedConfiguration(_ key: ResourceKey) async -> WorkQueue<Key>.Outcome {
        // One that was made of a blueprint and is still asked for is made again.
        queue.add(.blueprints, after: .seconds(1))
        let store = store
        let isOver = await conductor.perform { conductor in
            conductor.forgetSchedule(key)
            store.forgetSchedule(key)
            return conductor.stopForDeletion(of: "BackupConfiguration \(key)") { session in
                session.key.namespace == key.namespace && session.plan.configuration == key.name
            }
        }
        return isOver ? .done : .again(after: Self.stopInterval)
    }

    // MARK: Repositories

    func reconcileRepository(_ key: ResourceKey) async throws -> WorkQueue<Key>.Outcome {
        guard let object = caches.object(RepositorySpec.kind, key) else {
            state.withLock { $0.probes[key] = nil }
            _ = await conductor.perform { conductor in
                conductor.stopForDeletion(of: "Repository \(key)") { $0.plan.repository == key }
            }
            return .done
        }
        if object.isBeingDeleted { return try await reconcileDeletedRepository(object, key) }
        if !object.finalizers.contains(ClusterNames.cancelFinalizer) {
            try await client.addFinalizer(ClusterNames.cancelFinalizer, of: .repositories, key, uid: object.uid)
        }
        let problem = problem(RepositorySpec.kind, key)
        let objects = await conductor.objects
        let users = objects.configurations.values.filter { $0.spec.repository.key(in: $0.key.namespace) == key }
            .map(\.key).sorted()
        if problem == nil, let repository = objects.repositories[key], isProbeDue(key, object.generation) {
            let probe = await probe(repository, object.generation, users, objects)
            state.withLock { $0.probes[key] = probe }
        }
        let probe = state.withLock { $0.probes[key] }
        let before = ObservedConditions.of(object)
        let status = RepositoryStatus.of(
            problem: problem,
            probe: probe,
            users: users.map { .init(namespace: $0.namespace, name: $0.name) },
            generation: object.generation,
            isBeingDeleted: false,
            running: 0,
            before: before,
            now: CoordinatorCore.now()
        )
        try await show(status, on: object, .repositories)
        if status.conditions[type: "Ready"]?.status != before[type: "Ready"]?.status {
            for user in users { queue.add(.object(BackupConfigurationSpec.kind, user)) }
            if let reason = probe?.storageProblem {
                events.tell(reason, about: object, kind: .warning, reason: "RepositoryUnreachable", action: "Probe")
            }
        }
        let isGood = probe?.secretProblem == nil && probe?.storageProblem == nil
        return .again(after: .milliseconds(isGood ? Self.probeMs : Self.probeAgainMs))
    }

    private func isProbeDue(_ key: ResourceKey, _ generation: Int64) -> Bool {
        guard let probe = state.withLock({ $0.probes[key] }), probe.generation == generation else { return true }
        let isGood = probe.secretProblem == nil && probe.storageProblem == nil
        let age = CoordinatorCore.now().milliseconds(since: probe.time)
        return age >= (isGood ? Self.probeMs : Self.probeAgainMs) - 1000
    }

    /// Has storage asked again with the next look, since a session used it.
    func forgetProbe(_ repository: ResourceKey) {
        state.withLock { $0.probes[repository] = nil }
        queue.add(.object(RepositorySpec.kind, repository))
    }

    private func probe(
        _ repository: RepositoryObject,
        _ generation: Int64,
        _ users: [ResourceKey],
        _ objects: ObjectSet
    ) async -> RepositoryProbe {
        var probe = RepositoryProbe(time: CoordinatorCore.now(), generation: generation)
        probe.secretProblem = await secrets.problem(of: repository)
        guard probe.secretProblem == nil else { return probe }
        var backups: [BackupView] = []
        var seen: Set<ResourceKey> = []
        for user in users {
            guard let configuration = objects.configurations[user] else { continue }
            let target = ResourceKey(namespace: user.namespace, name: configuration.spec.target.ref.name)
            guard seen.insert(target).inserted else { continue }
            do {
                let plan = try PlanMaker.backup(
                    user,
                    objects: objects,
                    consistency: nil,
                    trigger: .manual,
                    requestedBy: nil
                )
                let found = try await keeper.manifests(
                    plan,
                    namespace: target.namespace,
                    target: target.name,
                    isHurried: true
                )
                backups += found.0.map { BackupView($0) }
            } catch {
                probe.storageProblem = "\(error)"
                return probe
            }
        }
        if !seen.isEmpty { probe.backups = backups }
        return probe
    }

    /// Somebody deletes a repository: what uses it is stopped, its backups stay.
    private func reconcileDeletedRepository(
        _ object: KubernetesObject,
        _ key: ResourceKey
    ) async throws -> WorkQueue<Key>.Outcome {
        guard object.finalizers.contains(ClusterNames.cancelFinalizer) else { return .done }
        let (isOver, running) = await conductor.perform { conductor in
            let isOver = conductor.stopForDeletion(of: "Repository \(key)") { $0.plan.repository == key }
            return (isOver, conductor.active.values.count { $0.plan.repository == key })
        }
        let isEnding = caches.namespaces.ending.contains(key.namespace)
        if isOver || isEnding || object.annotations[ClusterNames.skipCleanup] == "true" {
            try await dropFinalizer(.repositories, object)
            return .done
        }
        let status = RepositoryStatus.of(
            problem: nil,
            probe: nil,
            users: [],
            generation: object.generation,
            isBeingDeleted: true,
            running: running,
            before: ObservedConditions.of(object),
            now: CoordinatorCore.now()
        )
        try await show(status, on: object, .repositories)
        return .again(after: Self.stopInterval)
    }

    // MARK: Kinds that have nothing but conditions

    /// Shows on an AppBinding whether it is in force.
    func showProblems(_ kind: String, _ key: ResourceKey) async throws {
        guard kind == AppBindingSpec.kind, let object = caches.object(kind, key), !object.isBeingDeleted else { return }
        let problem = problem(kind, key)
        var status = AppBindingStatus(conditions: ObservedConditions.of(object))
        status.observedGeneration = object.generation
        let count = await configurations(of: key).count
        status.conditions.set(
            "Ready",
            problem == nil ? .yes : .no,
            reason: problem == nil ? "Ready" : "Invalid",
            message: (problem?.description ?? "\(count) configurations back it up").prefix(bytes: StatusLimit.message),
            now: CoordinatorCore.now(),
            observedGeneration: object.generation
        )
        try await show(status, on: object, .appBindings)
    }
}
