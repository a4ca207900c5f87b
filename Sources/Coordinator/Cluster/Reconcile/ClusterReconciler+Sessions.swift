import BackupModel
import Kubernetes
import Logging

// Objects of sessions: those that began elsewhere, that can't begin, and that somebody deletes.
extension ClusterReconciler {
    /// How often a session that is being stopped is looked at.
    private static let stopInterval = Duration.seconds(1)
    /// In a namespace that is being deleted, sessions are waited for no longer than this.
    private static let endingNamespacePatienceMs: Int64 = 90_000

    func reconcileSession(_ kind: SessionView.Kind, _ key: ResourceKey) async throws -> WorkQueue<Key>.Outcome {
        guard let object = caches.session(kind, key) else { return try await reconcileGone(kind, key) }
        if object.isBeingDeleted { return try await reconcileDeletion(object, kind, key) }
        if object.hasRecord {
            try await takeUpIfUnknown(object, kind, key)
        } else if !object.isFinal {
            try await showWaiting(object, kind, key)
        }
        return .done
    }

    /// The object isn't there any more: whoever removed it did not wait for us.
    private func reconcileGone(_ kind: SessionView.Kind, _ key: ResourceKey) async throws -> WorkQueue<Key>.Outcome {
        guard let uid = store.uid(of: key, kind) else { return .done }
        do {
            // The cache may not know yet what was made only just.
            let object = try await client.get(KubernetesStore.resource(kind), name: key.name, namespace: key.namespace)
            if object.uid == uid { return .again(after: Self.stopInterval) }
        } catch {
            guard error.isNotFound else { throw error }
            // Gone indeed.
        }
        let store = store
        let isOver = try await conductor.perform { conductor in
            store.markGone(key, uid: uid)
            guard conductor.stopForDeletion(key, of: "its object") else { return false }
            try store.letGo(key, deletes: false)
            conductor.forget(key)
            return true
        }
        return isOver ? .done : .again(after: Self.stopInterval)
    }

    /// Somebody deletes the object: what runs is stopped, its locks go into the ledger, then the finalizer goes.
    private func reconcileDeletion(
        _ object: KubernetesObject,
        _ kind: SessionView.Kind,
        _ key: ResourceKey
    ) async throws -> WorkQueue<Key>.Outcome {
        guard object.finalizers.contains(ClusterNames.cancelFinalizer) else { return .done }
        guard store.uid(of: key, kind) == object.uid else {
            if object.hasRecord {
                try await takeUpIfUnknown(object, kind, key)
                if store.uid(of: key, kind) == object.uid { return .again(after: .milliseconds(10)) }
            }
            // It never began, or can't be read: nothing runs for it.
            try await dropFinalizer(KubernetesStore.resource(kind), object)
            return .done
        }
        var reason: String?
        if object.annotations[ClusterNames.skipCleanup] == "true" {
            reason = "annotation \(ClusterNames.skipCleanup) says not to wait"
        } else if caches.namespaces.ending.contains(key.namespace), let since = object.deletionTime,
            CoordinatorCore.now().milliseconds(since: since) > Self.endingNamespacePatienceMs
        {
            reason = "namespace \(key.namespace) is being deleted and can't wait any longer"
        }
        let store = store
        let isOver = try await conductor.perform { [reason] conductor in
            if !conductor.stopForDeletion(key, of: "its object") {
                guard let reason else { return false }
                conductor.abandon(key, because: reason)
            }
            try store.letGo(key, deletes: false)
            conductor.forget(key)
            return true
        }
        return isOver ? .done : .again(after: Self.stopInterval)
    }

    func dropFinalizer(_ resource: APIResource, _ object: KubernetesObject) async throws {
        do {
            try await client.dropFinalizer(
                ClusterNames.cancelFinalizer,
                of: resource,
                ResourceKey(object.key),
                uid: object.uid
            )
        } catch {
            guard error.isNotFound else { throw error }
            // Gone meanwhile, which is what it was for.
        }
    }

    /// A session that an earlier leader made in its last moment goes on here.
    private func takeUpIfUnknown(_ object: KubernetesObject, _ kind: SessionView.Kind, _ key: ResourceKey) async throws
    {
        guard store.isUnknown(key, uid: object.uid) else { return }
        let whole: KubernetesObject
        do {
            // The cache doesn't keep records.
            whole = try await client.get(KubernetesStore.resource(kind), name: key.name, namespace: key.namespace)
        } catch {
            guard error.isNotFound else { throw error }
            return
        }
        let store = store
        try await conductor.perform { conductor in
            guard let session = try store.takeUp(whole, kind) else { return }
            conductor.takeUp(session)
        }
    }

    /// An object that asks for a session and can't get one yet says why.
    private func showWaiting(_ object: KubernetesObject, _ kind: SessionView.Kind, _ key: ResourceKey) async throws {
        let kindName = kind == .backup ? BackupSessionSpec.kind : RestoreSessionSpec.kind
        let mark = ResourceKey(namespace: key.namespace, name: "\(kindName)/\(key.name)")
        let problem: (reason: String, message: String)?
        if let field = self.problem(kindName, key) {
            problem = ("Invalid", "\(field)")
        } else {
            problem = await conductor.declaredProblems[mark].map { ("CanNotBegin", $0) }
        }
        guard let problem else { return }
        var status = SessionStatus(phase: .pending, conditions: ObservedConditions.of(object))
        status.observedGeneration = object.generation
        status.conditions.set(
            "Succeeded",
            .unknown,
            reason: problem.reason,
            message: problem.message.prefix(bytes: StatusLimit.message),
            now: CoordinatorCore.now(),
            observedGeneration: object.generation
        )
        try await show(status, on: object, KubernetesStore.resource(kind))
    }
}
