import Kubernetes

/// The plugins that look after new pods before any webhook does.
enum PodAdmission {
    static func admit(_ given: JSONTree, in namespace: String, _ core: ServerCore) throws -> JSONTree {
        let bounded = LimitRanger(core, namespace: namespace).admit(given)
        return tolerating(try prioritized(try ServiceAccountAdmission.admit(bounded, core), core))
    }

    /// The priority of the pod's class, which must be there.
    private static func prioritized(_ given: JSONTree, _ core: ServerCore) throws -> JSONTree {
        var pod = given
        let name = pod["spec"]?["priorityClassName"]?.string ?? ""
        var priority: JSONTree = 0
        var policy: JSONTree = "PreemptLowerPriority"
        if !name.isEmpty {
            let classes = GroupResource(group: "scheduling.k8s.io", resource: "priorityclasses")
            guard let found = core.store.read({ $0.object(classes, ObjectKey(namespace: "", name: name)) }) else {
                throw APIError.forbidden(
                    GroupResource(group: "", resource: "pods"),
                    pod.name,
                    "no PriorityClass with name \(name) was found"
                )
            }
            priority = found["value"] ?? 0
            policy = found["preemptionPolicy"] ?? policy
        }
        if let own = pod["spec"]?["priority"], own != priority {
            throw APIError.forbidden(
                GroupResource(group: "", resource: "pods"),
                pod.name,
                "the integer value of priority (\(own)) must not be provided in pod spec; priority admission controller computed \(priority) from the given PriorityClass name"
            )
        }
        pod.set("spec", "priority", to: priority)
        if pod["spec"]?["preemptionPolicy"] == nil { pod.set("spec", "preemptionPolicy", to: policy) }
        return pod
    }

    /// Five minutes on a node that isn't well.
    private static func tolerating(_ given: JSONTree) -> JSONTree {
        var pod = given
        var tolerations = pod["spec"]?["tolerations"]?.array ?? []
        for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
            let isTolerated = tolerations.contains { toleration in
                let known = toleration["key"]?.string ?? ""
                let effect = toleration["effect"]?.string ?? ""
                return (known == key || known.isEmpty) && (effect == "NoExecute" || effect.isEmpty)
            }
            if isTolerated { continue }
            tolerations.append([
                "key": .string(key), "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300,
            ])
        }
        pod.set("spec", "tolerations", to: .array(tolerations))
        return pod
    }
}
