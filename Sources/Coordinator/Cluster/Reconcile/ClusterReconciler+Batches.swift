import BackupModel
import Kubernetes
import Logging

// Batches, and how objects are made of others.
extension ClusterReconciler {
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
                for configuration in configurations { try await apply(configuration, owners: [OwnerReference(object)]) }
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

    func delete(_ object: KubernetesObject, _ resource: APIResource) async throws {
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

    /// Applies an object that belongs to others; what people changed of our fields is taken back.
    ///
    /// It goes when the last of its owners has gone.
    func apply<Spec: ResourceSpec>(_ made: Resource<Spec>, owners: [OwnerReference]) async throws {
        let resource = Self.resources[Spec.kind] ?? .backupConfigurations
        var object = KubernetesObject(resource, name: made.metadata.name, namespace: made.metadata.namespace)
        object.labels = (made.metadata.labels ?? [:]).merging([ClusterNames.managedBy: ClusterNames.fieldManager]) {
            $1
        }
        object.annotations = made.metadata.annotations ?? [:]
        object["spec"] = try JSONTree(encoding: made.spec)
        object.ownerReferences = owners
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
}
