import BackupModel
import Kubernetes
import Logging

// Objects from which others are made: batches and blueprints.
extension ClusterReconciler {
    // MARK: Batches

    /// Makes a configuration for each member of a batch, and keeps them in step.
    func reconcileBatch(_ key: ResourceKey) async throws -> WorkQueue<Key>.Outcome {
        // Its configurations go by themselves: they belong to it.
        guard let object = caches.object(BackupBatchSpec.kind, key), !object.isBeingDeleted else { return .done }
        var status = BackupBatchStatus(conditions: ObservedConditions.of(object))
        status.observedGeneration = object.generation
        var problem: FieldProblem?
        switch ObjectCatalog.resource(object, BackupBatchSpec.self) {
        case .failure(let unreadable): problem = unreadable.field
        case .success(let batch):
            let (configurations, problems) = batch.expand()
            problem = (batch.problems() + problems).first
            if problem == nil {
                for configuration in configurations { try await apply(configuration, owner: object) }
                try await removeOthers(configurations.map(\.metadata.name), of: object)
                status.members = members(configurations)
                let children = configurations.compactMap { caches.object(BackupConfigurationSpec.kind, $0.key) }
                status.lastScheduleTime = Self.times(children, "lastScheduleTime").max()
                status.nextScheduleTime = Self.times(children, "nextScheduleTime").min()
                let bad = children.first { ObservedConditions.of($0)[type: "Ready"]?.status == .no }
                let condition = bad.flatMap { ObservedConditions.of($0)[type: "Ready"] }
                status.phase = batch.spec.paused == true ? .paused : bad == nil ? .ready : .notReady
                status.conditions.set(
                    "Ready",
                    bad == nil ? .yes : .no,
                    reason: condition?.reason ?? "Ready",
                    message: bad.map { "\($0.name): \(condition?.message ?? "")".prefix(bytes: StatusLimit.message) }
                        ?? "\(configurations.count) members",
                    now: CoordinatorCore.now(),
                    observedGeneration: object.generation
                )
            }
        }
        if let problem {
            status.phase = .invalid
            status.conditions.set(
                "Ready",
                .no,
                reason: "Invalid",
                message: problem.description.prefix(bytes: StatusLimit.message),
                now: CoordinatorCore.now(),
                observedGeneration: object.generation
            )
        }
        try await show(status, on: object, .backupBatches)
        return .again(after: .seconds(30))
    }

    private func members(_ configurations: [BackupConfiguration]) -> [BackupBatchStatus.Member] {
        configurations.map { configuration in
            var member = BackupBatchStatus.Member(
                configuration: configuration.metadata.name,
                target: configuration.spec.target.ref.name
            )
            let object = caches.object(BackupConfigurationSpec.kind, configuration.key)
            // What isn't there or can't be read is left out: it is shown on the configuration itself.
            member.lastSession = object?[path: "status", "lastSession"].flatMap { try? $0.decode() }
            member.lastSuccess = object?[path: "status", "lastSuccess"].flatMap { try? $0.decode() }
            return member
        }
    }

    private static func times(_ objects: [KubernetesObject], _ field: String) -> [Timestamp] {
        objects.compactMap { $0[path: "status", field]?.string.flatMap { Timestamp($0) } }
    }

    /// Deletes configurations of a batch that it doesn't have any more.
    private func removeOthers(_ names: [String], of batch: KubernetesObject) async throws {
        for object in caches.objects(BackupConfigurationSpec.kind)
        where object.namespace == batch.namespace && !names.contains(object.name) && !object.isBeingDeleted
            && object.ownerReferences.contains(where: { $0.uid == batch.uid })
        {
            try await delete(object, .backupConfigurations)
        }
    }

    private func delete(_ object: KubernetesObject, _ resource: APIResource) async throws {
        do {
            try await client.delete(
                resource,
                name: object.name,
                namespace: object.namespace,
                options: DeleteOptions(uid: object.uid, propagation: .background)
            )
        } catch {
            guard error.isNotFound || error.isConflict else { throw error }
            // Gone, or another object by now.
        }
    }

    /// Applies an object that belongs to another one; what people changed of our fields is taken back.
    private func apply<Spec: ResourceSpec>(_ made: Resource<Spec>, owner: KubernetesObject?) async throws {
        let resource = Self.resources[Spec.kind] ?? .backupConfigurations
        var object = KubernetesObject(resource, name: made.metadata.name, namespace: made.metadata.namespace)
        object.labels = (made.metadata.labels ?? [:]).merging([ClusterNames.managedBy: ClusterNames.fieldManager]) {
            $1
        }
        object.annotations = made.metadata.annotations ?? [:]
        object["spec"] = try JSONTree(encoding: made.spec)
        if let owner { object.ownerReferences = [OwnerReference(owner)] }
        if let present = caches.object(Spec.kind, made.key), Self.hasAlready(present, object) { return }
        try await client.apply(object, of: resource, fieldManager: ClusterNames.fieldManager)
    }

    private static let resources: [String: APIResource] = [
        RepositorySpec.kind: .repositories, AppBindingSpec.kind: .appBindings,
        BackupConfigurationSpec.kind: .backupConfigurations,
    ]

    /// Whether an object is as it is to be made.
    private static func hasAlready(_ present: KubernetesObject, _ wanted: KubernetesObject) -> Bool {
        let labels = wanted.labels.allSatisfy { present.labels[$0.key] == $0.value }
        let annotations = wanted.annotations.allSatisfy { present.annotations[$0.key] == $0.value }
        let owners = wanted.ownerReferences.allSatisfy { owner in
            present.ownerReferences.contains { $0.uid == owner.uid }
        }
        // A default that the server filled in is no difference; a field that we don't want any more is.
        return labels && annotations && owners && present["spec"] == wanted["spec"]
    }

    // MARK: Blueprints, tasks, functions

    /// Looks at everything that is listed now and then.
    func reconcilePolled() async throws {
        let lists = caches.lists
        var blueprints: [String: BackupBlueprint] = [:]
        for object in lists.blueprints where !object.isBeingDeleted {
            var problem: FieldProblem?
            switch ObjectCatalog.resource(object, BackupBlueprintSpec.self) {
            case .success(let blueprint):
                problem = blueprint.problems().first
                if problem == nil { blueprints[object.name] = blueprint }
            case .failure(let unreadable): problem = unreadable.field
            }
            try await showBlueprint(object, problem)
        }
        for (kind, target) in blueprintTargets() {
            guard let name = target.target.annotations[BackupBlueprintSpec.annotation], let blueprint = blueprints[name]
            else { continue }
            do {
                try await expand(blueprint, for: target.target, owner: target.owner)
            } catch {
                logger.warning("BackupBlueprint \(name) for \(kind): \(error)")
            }
        }
        try await removeUnasked()
        for object in lists.tasks { try await showBuiltIn(object, TaskSpec.self, .tasks) { $0.notices } }
        for object in lists.functions { try await showBuiltIn(object, FunctionSpec.self, .functions) { $0.notices } }
    }

    /// Targets that ask for a blueprint, by their pods or their AppBinding, and the object that owns what is made.
    private func blueprintTargets() -> [(key: ResourceKey, value: (target: BlueprintTarget, owner: KubernetesObject?))]
    {
        var found: [ResourceKey: (target: BlueprintTarget, owner: KubernetesObject?)] = [:]
        for pod in caches.allPods.sorted(by: { $0.key < $1.key }) where !pod.isBeingDeleted {
            guard let key = pod.target, pod.annotations[BackupBlueprintSpec.annotation] != nil else { continue }
            var target = BlueprintTarget(namespace: key.namespace, name: key.name)
            target.annotations = pod.annotations
            let binding = caches.object(AppBindingSpec.kind, key)
            // One that was made of a blueprint is kept in step with it.
            target.hasBinding = binding.map { $0.labels[BackupBlueprintSpec.label] == nil } ?? false
            found[key] = (target, pod.controller == nil ? nil : pod.owner)
        }
        for object in caches.objects(AppBindingSpec.kind) where !object.isBeingDeleted {
            guard object.annotations[BackupBlueprintSpec.annotation] != nil else { continue }
            let key = ResourceKey(object.key)
            var target = BlueprintTarget(namespace: key.namespace, name: key.name)
            target.annotations = object.annotations
            target.hasBinding = true
            found[key] = (target, object)
        }
        return found.sorted { $0.key < $1.key }
    }

    private func expand(
        _ blueprint: BackupBlueprint,
        for target: BlueprintTarget,
        owner: KubernetesObject?
    ) async throws {
        let (objects, problems) = blueprint.expand(for: target)
        if let problem = problems.first {
            let note = "BackupBlueprint \(blueprint.metadata.name) makes no configuration of \(target.name): \(problem)"
            if let owner {
                events.tell(note, about: owner, kind: .warning, reason: "BlueprintRefused", action: "Expand")
            }
            throw StoreError(description: note)
        }
        let key = objects.configuration.key
        if let present = caches.object(BackupConfigurationSpec.kind, key),
            present.labels[BackupBlueprintSpec.label] == nil
        {
            // A person's own configuration of that name counts for more.
            return
        }
        // A repository outlives its workload: backups are what is needed when that is gone.
        if let repository = objects.repository { try await apply(repository, owner: nil) }
        if let binding = objects.binding { try await apply(binding, owner: owner) }
        try await apply(objects.configuration, owner: owner)
    }

    /// Deletes configurations made of a blueprint whose pods are there and don't ask for it any more.
    private func removeUnasked() async throws {
        for object in caches.objects(BackupConfigurationSpec.kind)
        where object.labels[BackupBlueprintSpec.label] != nil && !object.isBeingDeleted {
            let key = ResourceKey(object.key)
            let pods = caches.pods(of: key).filter { !$0.isBeingDeleted }
            let binding = caches.object(AppBindingSpec.kind, key)
            let isAsked =
                pods.contains { $0.annotations[BackupBlueprintSpec.annotation] != nil }
                || binding?.annotations[BackupBlueprintSpec.annotation] != nil
            // A workload scaled down to nothing keeps its configuration.
            if !pods.isEmpty, !isAsked { try await delete(object, .backupConfigurations) }
        }
    }

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

    private func showBuiltIn<Spec: ResourceSpec>(
        _ object: KubernetesObject,
        _ type: Spec.Type,
        _ resource: APIResource,
        notices: (Spec) -> [String]
    ) async throws {
        var status = ObservedStatus(conditions: ObservedConditions.of(object))
        status.observedGeneration = object.generation
        switch ObjectCatalog.resource(object, type) {
        case .success(let value):
            let text = notices(value.spec).joined(separator: "; ")
            Self.setReady(&status.conditions, object, value.problems().first, text.isEmpty ? "built in" : text)
        case .failure(let unreadable): Self.setReady(&status.conditions, object, unreadable.field, "")
        }
        try await show(status, on: object, resource)
    }

    private static func setReady(
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
