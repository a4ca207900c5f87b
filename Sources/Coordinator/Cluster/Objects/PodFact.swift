import BackupModel
import Injector
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
    /// When it was created; of two that say different things the newer one counts.
    var created: Timestamp?

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
        cluster =
            labels[ClusterNames.cluster] ?? annotations[ClusterNames.cluster]
            ?? controller.map { $0.workloadName(labels) }
        injectError = annotations[ClusterNames.injectError]
        self.annotations = annotations.filter { name, _ in Self.isLookedAt(annotation: name) }
        isBeingDeleted = object.isBeingDeleted
        created = object.creationTime
    }

    /// What was injected is the webhook's to remember, and the longest of them.
    private static func isLookedAt(annotation name: String) -> Bool {
        (name.hasPrefix("remora.dev/") && name != AgentMark.status) || name.hasPrefix("params.remora.dev/")
    }

    private static let labels: Set = [ClusterNames.injected, ClusterNames.cluster, OwnerReference.templateHash]

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
            let members = { (name: String) in old.metadata[name]?.object ?? [:] }
            metadata["labels"] = .object(members("labels").filter { labels.contains($0.key) })
            metadata["annotations"] = .object(members("annotations").filter { isLookedAt(annotation: $0.key) })
            metadata["ownerReferences"] = old.controller.map { [$0.tree] }
        }
        object = KubernetesObject(["apiVersion": "v1", "kind": "Pod", "metadata": metadata])
    }
}

extension OwnerReference {
    fileprivate static let templateHash = "pod-template-hash"

    /// The name of a pod's workload: the ReplicaSet of a Deployment is called DEPLOYMENT-HASH.
    fileprivate func workloadName(_ labels: [String: String]) -> String {
        guard isReplicaSet, let hash = labels[Self.templateHash], name.hasSuffix("-\(hash)") else { return name }
        return String(name.dropLast(hash.count + 1))
    }

    /// Whether it is what a Deployment makes anew with each roll-out.
    var isReplicaSet: Bool { kind == APIResource.replicaSets.kind && apiVersion == APIResource.replicaSets.apiVersion }
}
