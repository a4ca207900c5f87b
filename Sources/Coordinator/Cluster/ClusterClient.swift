import BackupModel
import Kubernetes

extension KubernetesClient {
    /// Takes a finalizer off an object, if that is still the object meant.
    ///
    /// - Throws: `.notFound` when it is gone.
    func dropFinalizer(
        _ finalizer: String,
        of resource: APIResource,
        _ key: ResourceKey,
        uid: String
    ) async throws(KubernetesError) {
        try await changeFinalizers(of: resource, key, uid: uid) { $0.removeAll { $0 == finalizer } }
    }

    /// Puts a finalizer on an object, if that is still the object meant and nobody deletes it yet.
    func addFinalizer(
        _ finalizer: String,
        of resource: APIResource,
        _ key: ResourceKey,
        uid: String
    ) async throws(KubernetesError) {
        try await changeFinalizers(of: resource, key, uid: uid) { finalizers in
            if !finalizers.contains(finalizer) { finalizers.append(finalizer) }
        }
    }

    private func changeFinalizers(
        of resource: APIResource,
        _ key: ResourceKey,
        uid: String,
        _ change: (inout [String]) -> Void
    ) async throws(KubernetesError) {
        var last: KubernetesError?
        for _ in 0..<5 {
            let namespace = key.namespace.isEmpty ? nil : key.namespace
            let object = try await get(resource, name: key.name, namespace: namespace, isMetadataOnly: true)
            guard object.uid == uid else { return }
            var finalizers = object.finalizers
            change(&finalizers)
            if finalizers == object.finalizers { return }
            let patch: JSONTree = [
                "metadata": [
                    "resourceVersion": .string(object.resourceVersion),
                    "finalizers": .array(finalizers.map { .string($0) }),
                ]
            ]
            do {
                try await self.patch(
                    .merge(patch),
                    of: resource,
                    name: key.name,
                    namespace: namespace,
                    fieldManager: ClusterNames.fieldManager
                )
                return
            } catch {
                guard error.isConflict else { throw error }
                last = error
            }
        }
        throw last ?? KubernetesError(.conflict, "cannot change the finalizers of \(resource.kind) \(key)")
    }
}

extension ResourceKey {
    /// The same for the API client.
    var objectKey: ObjectKey { ObjectKey(namespace: namespace, name: name) }
    /// The same from the API client.
    init(_ key: ObjectKey) { self.init(namespace: key.namespace, name: key.name) }
}
