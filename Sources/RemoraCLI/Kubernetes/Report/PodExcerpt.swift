import Kubernetes

/// Of a pod only what explains how its agent does: what is not named here stays in the cluster.
enum PodExcerpt {
    /// The excerpt; it is redacted all the same.
    static func make(_ pod: JSONTree) -> JSONTree {
        var result: JSONTree = ["apiVersion": "v1", "kind": "Pod"]
        var metadata = pick(
            ["name", "namespace", "uid", "labels", "ownerReferences", "creationTimestamp", "deletionTimestamp"],
            of: pod["metadata"]
        )
        let annotations = (pod[path: "metadata", "annotations"]?.object ?? [:]).filter {
            $0.key.hasPrefix(Install.prefix) || $0.key == "kubectl.kubernetes.io/default-container"
        }
        metadata["annotations"] = .object(annotations)
        result["metadata"] = metadata
        var spec = pick(
            [
                "nodeName", "serviceAccountName", "hostNetwork", "shareProcessNamespace", "securityContext", "priority",
                "os",
            ],
            of: pod["spec"]
        )
        for list in ["initContainers", "containers"] {
            if let containers = pod[path: "spec", list]?.array { spec[list] = .array(containers.map(container)) }
        }
        if let volumes = pod[path: "spec", "volumes"]?.array { spec["volumes"] = .array(volumes.map(volume)) }
        result["spec"] = spec
        result["status"] = pick(
            [
                "phase", "reason", "message", "qosClass", "startTime", "conditions", "initContainerStatuses",
                "containerStatuses",
            ],
            of: pod["status"]
        )
        return result
    }

    private static let containerFields = [
        "name", "image", "imagePullPolicy", "restartPolicy", "ports", "resources", "securityContext", "volumeMounts",
    ]

    /// Of others' containers neither arguments nor environment: passwords stand there.
    private static func container(_ container: JSONTree) -> JSONTree {
        let isOurs = container["name"]?.string == Install.agentContainer
        return pick(
            containerFields + (isOurs ? ["args", "command", "env", "livenessProbe", "startupProbe"] : []),
            of: container
        )
    }

    /// Its name, and which kind of volume it is.
    private static func volume(_ volume: JSONTree) -> JSONTree {
        let name = volume["name"]?.string ?? ""
        if name.hasPrefix(Install.agentContainer) { return volume }
        let kinds = (volume.object ?? [:]).keys.filter { $0 != "name" }.sorted()
        return ["name": .string(name), "kind": .string(kinds.joined(separator: ","))]
    }

    private static func pick(_ keys: [String], of tree: JSONTree?) -> JSONTree {
        var result: JSONTree = [:]
        for key in keys { if let value = tree?[key] { result[key] = value } }
        return result
    }
}
