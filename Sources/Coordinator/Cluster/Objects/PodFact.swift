import BackupModel
import Kubernetes

/// What the coordinator knows of a pod: its metadata, and no more.
struct PodFact: Sendable, Hashable {
    var key: ResourceKey
    var uid: String
    /// The object that manages it, such as its stateful set.
    var controller: OwnerReference?
    /// The target that it belongs to.
    var cluster: String?
    /// It asks for an agent.
    var asksForAgent: Bool
    /// It was given one.
    var isInjected: Bool
    /// Why it was given none.
    var injectError: String?
    /// Annotations that blueprints look at.
    var annotations: [String: String]
    var isBeingDeleted: Bool

    /// Nil for a pod that doesn't concern us.
    init?(_ object: KubernetesObject) {
        let annotations = object.annotations
        let labels = object.labels
        asksForAgent = annotations[ClusterNames.inject].map { $0 != "false" } ?? false
        isInjected = labels[ClusterNames.injected] == "true"
        guard asksForAgent || isInjected else { return nil }
        key = ResourceKey(namespace: object.namespace, name: object.name)
        uid = object.uid
        controller = object.controller
        cluster = labels[ClusterNames.cluster] ?? annotations[ClusterNames.cluster] ?? controller?.name
        injectError = annotations[ClusterNames.injectError]
        self.annotations = annotations.filter { name, _ in
            name.hasPrefix("remora.dev/") || name.hasPrefix("params.remora.dev/")
        }
        isBeingDeleted = object.isBeingDeleted
    }

    /// The target, as a key.
    var target: ResourceKey? { cluster.map { ResourceKey(namespace: key.namespace, name: $0) } }

    /// Takes out of a pod's metadata what isn't looked at: there may be very many pods.
    static func trim(_ object: inout KubernetesObject) {
        let old = object
        var metadata: JSONTree = .object([:])
        for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp"] {
            metadata[field] = old.metadata[field]
        }
        if PodFact(old) != nil {
            for field in ["labels", "annotations", "ownerReferences"] { metadata[field] = old.metadata[field] }
        }
        object = KubernetesObject(["apiVersion": "v1", "kind": "Pod", "metadata": metadata])
    }
}
