import BackupModel
import Kubernetes
import Logging
import Synchronization

// Blueprints and what is made of them; tasks and functions, of which nothing is made.
extension ClusterReconciler {
    /// Something that asks for a blueprint.
    private struct Asking {
        var blueprint: String
        var target: BlueprintTarget
        /// Workloads or AppBinding: what is made goes when all of them have gone.
        var owners: [KubernetesObject] = []
    }

    /// Looks whether a workload that has no pods of ours still asks for its blueprint so often.
    private static let askAgain = Duration.seconds(30)

    /// Makes of blueprints what is asked for, keeps it in step, and removes what nobody asks for any more.
    func reconcileBlueprints() async throws {
        var blueprints: [String: BackupBlueprint] = [:]
        for object in caches.listed[.blueprints] where !object.isBeingDeleted {
            var problem: FieldProblem?
            switch ObjectCatalog.resource(object, BackupBlueprintSpec.self) {
            case .success(let blueprint):
                problem = blueprint.problems().first
                if problem == nil { blueprints[object.name] = blueprint }
            case .failure(let unreadable): problem = unreadable.field
            }
            try await showBlueprint(object, problem)
        }
        var asking: [ResourceKey: Asking] = [:]
        try await addPods(&asking)
        addBindings(&asking)
        for (key, asked) in asking.sorted(by: { $0.key < $1.key }) where !asked.owners.isEmpty {
            guard let blueprint = blueprints[asked.blueprint] else {
                guard caches.listed.isKnown(.blueprints) else { continue }
                tellOnce(
                    "BackupBlueprint \(asked.blueprint), which \(key.name) asks for, is not there or not in force",
                    about: asked.owners[0],
                    reason: "BlueprintMissing"
                )
                continue
            }
            do {
                try await expand(blueprint, for: asked)
            } catch {
                logger.warning("BackupBlueprint \(asked.blueprint) for \(key): \(error)")
            }
        }
        try await removeUnasked(Set(asking.keys))
    }

    /// Targets whose pods ask; of pods that say different things the newest counts, as in a roll-out.
    private func addPods(_ asking: inout [ResourceKey: Asking]) async throws {
        let pods = caches.allPods.filter { !$0.isBeingDeleted && $0.annotations[BackupBlueprintSpec.annotation] != nil }
        for pod in pods.sorted(by: { ($0.created?.unixMs ?? 0, $0.key) < ($1.created?.unixMs ?? 0, $1.key) }) {
            guard let key = pod.target, let name = pod.annotations[BackupBlueprintSpec.annotation] else { continue }
            var target = BlueprintTarget(namespace: key.namespace, name: key.name)
            target.annotations = pod.annotations
            let binding = caches.object(AppBindingSpec.kind, key)
            // One that was made of a blueprint is kept in step with it.
            target.hasBinding = binding.map { $0.labels[BackupBlueprintSpec.label] == nil } ?? false
            var asked = Asking(blueprint: name, target: target, owners: asking[key]?.owners ?? [])
            if let workload = try await caches.workloads.workload(of: pod),
                !asked.owners.contains(where: { $0.uid == workload.uid })
            {
                asked.owners.append(workload)
            }
            asking[key] = asked
        }
    }

    /// Targets whose AppBinding asks: a person's word about one target counts for more than that of a pod's template.
    private func addBindings(_ asking: inout [ResourceKey: Asking]) {
        for object in caches.objects(AppBindingSpec.kind) where !object.isBeingDeleted {
            guard let name = object.annotations[BackupBlueprintSpec.annotation] else { continue }
            let key = ResourceKey(object.key)
            var target = BlueprintTarget(namespace: key.namespace, name: key.name)
            target.annotations = object.annotations
            target.hasBinding = true
            asking[key] = Asking(blueprint: name, target: target, owners: [object])
        }
    }

    private func expand(_ blueprint: BackupBlueprint, for asked: Asking) async throws {
        let (objects, problems) = blueprint.expand(for: asked.target)
        if let problem = problems.first {
            let note =
                "BackupBlueprint \(blueprint.metadata.name) makes no configuration of \(asked.target.name): \(problem)"
            tellOnce(note, about: asked.owners[0], reason: "BlueprintRefused")
            throw StoreError(description: note)
        }
        let key = objects.configuration.key
        if let present = caches.object(BackupConfigurationSpec.kind, key),
            present.labels[BackupBlueprintSpec.label] == nil
        {
            // A person's own configuration of that name counts for more.
            return
        }
        // Several may own it, and only one could be its controller.
        let owners = asked.owners.map { OwnerReference($0, isController: false) }
        // A repository outlives its workload: backups are what is needed when that is gone.
        if let repository = objects.repository { try await apply(repository, owners: []) }
        if let binding = objects.binding { try await apply(binding, owners: owners) }
        try await apply(objects.configuration, owners: owners)
    }

    private func tellOnce(_ note: String, about object: KubernetesObject, reason: String) {
        guard state.withLock({ $0.told.insert("\(object.uid) \(note)").inserted }) else { return }
        logger.warning("\(object.kind) \(object.key): \(note)")
        events.tell(note, about: object, kind: .warning, reason: reason, action: "Expand")
    }

    // MARK: What nobody asks for any more

    /// Deletes configurations made of a blueprint whose workloads are there and don't ask for it any more.
    private func removeUnasked(_ asking: Set<ResourceKey>) async throws {
        let made = caches.objects(BackupConfigurationSpec.kind).filter {
            $0.labels[BackupBlueprintSpec.label] != nil && !$0.isBeingDeleted
        }
        let unasked = made.filter { !asking.contains(ResourceKey($0.key)) }
        let keys = Set(unasked.map { ResourceKey($0.key) })
        state.withLock { state in state.asked = state.asked.filter { keys.contains($0.key) } }
        for object in unasked where try await isUnasked(object) {
            logger.notice("BackupConfiguration \(object.key) is removed: nothing asks for its blueprint any more")
            try await delete(object, .backupConfigurations)
        }
    }

    /// Whether one of its owners is there and asks for nothing; one that was scaled down to nothing keeps what it has.
    private func isUnasked(_ object: KubernetesObject) async throws -> Bool {
        let key = ResourceKey(object.key)
        if caches.pods(of: key).contains(where: { !$0.isBeingDeleted }) { return true }
        let owners = object.ownerReferences
        if let binding = caches.object(AppBindingSpec.kind, key), owners.contains(where: { $0.uid == binding.uid }) {
            return true
        }
        // Pods that ask for nothing at all are not kept in memory: there may be very many of them.
        let now = ContinuousClock.now
        let isDue = state.withLock { state in
            if let last = state.asked[key], now - last < Self.askAgain { return false }
            state.asked[key] = now
            return true
        }
        guard isDue else { return false }
        let options = ListOptions(isMetadataOnly: true, isFromCache: true)
        for pod in try await client.list(.pods, namespace: key.namespace, options: options).items
        where !pod.isBeingDeleted && PodFact(pod) == nil {
            guard let controller = pod.controller else { continue }
            let isCandidate = owners.contains { owner in
                owner.uid == controller.uid || controller.isReplicaSet && controller.name.hasPrefix("\(owner.name)-")
            }
            guard isCandidate,
                let workload = try await caches.workloads.workload(managedBy: controller, in: key.namespace)
            else { continue }
            if owners.contains(where: { $0.uid == workload.uid }) { return true }
        }
        return false
    }

    // MARK: Statuses

    private func showBlueprint(_ object: KubernetesObject, _ problem: FieldProblem?) async throws {
        var status = BackupBlueprintStatus(conditions: ObservedConditions.of(object))
        status.observedGeneration = object.generation
        let users = caches.objects(BackupConfigurationSpec.kind)
            .filter { $0.labels[BackupBlueprintSpec.label] == object.name }
        status.targetCount = users.count
        status.usedBy =
            users.isEmpty
            ? nil
            : users.prefix(RepositoryStatus.maximumUsers).map { .init(namespace: $0.namespace, name: $0.name) }
        Self.setReady(&status.conditions, object, problem, "\(users.count) targets")
        try await show(status, on: object, .backupBlueprints)
    }

    static func setReady(
        _ conditions: inout [Condition],
        _ object: KubernetesObject,
        _ problem: FieldProblem?,
        _ message: String
    ) {
        conditions.set(
            "Ready",
            problem == nil ? .yes : .no,
            reason: problem == nil ? "Ready" : "Invalid",
            message: (problem?.description ?? message).prefix(bytes: StatusLimit.message),
            now: CoordinatorCore.now(),
            observedGeneration: object.generation
        )
    }
}
