import BackupModel
import Kubernetes

/// Reads conditions from an object's status.
enum ObservedConditions {
    /// Those that can be read: transitions keep their times.
    static func of(_ object: KubernetesObject) -> [Condition] {
        (object[path: "status", "conditions"]?.array ?? []).compactMap { tree in
            // One that somebody broke is written anew.
            try? tree.decode(Condition.self)
        }
    }
}

extension ClusterReconciler {
    /// Writes a status, if it says anything new.
    func show(_ status: some Encodable, on object: KubernetesObject, _ resource: APIResource) async throws {
        let tree = try JSONTree(encoding: status)
        guard !Self.isShown(tree, on: object) else { return }
        var patch = KubernetesObject(resource, name: object.name, namespace: object.namespace)
        if object.namespace.isEmpty { patch.namespace = "" }
        patch["status"] = tree
        do {
            try await client.apply(patch, of: resource, fieldManager: ClusterNames.statusManager, subresource: "status")
        } catch {
            guard error.isNotFound else { throw error }
            // Deleted meanwhile; there is nothing to be shown on.
        }
    }

    /// Whether an object says already what is to be shown: what isn't in the new status must be absent from the old.
    static func isShown(_ status: JSONTree, on object: KubernetesObject) -> Bool {
        guard let old = object["status"]?.object, let new = status.object else { return false }
        return new == old
    }
}
