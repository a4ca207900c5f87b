import Kubernetes

/// The plugin that gives pods their account, and containers its token.
enum ServiceAccountAdmission {
    static let mountPath = "/var/run/secrets/kubernetes.io/serviceaccount"

    static func admit(_ given: JSONTree, _ core: ServerCore) throws -> JSONTree {
        var pod = given
        if pod.annotations["kubernetes.io/config.mirror"] != nil { return pod }
        if (pod["spec"]?["serviceAccountName"]?.string ?? "").isEmpty {
            pod.set("spec", "serviceAccountName", to: "default")
            pod.set("spec", "serviceAccount", to: "default")
        }
        let name = pod["spec"]?["serviceAccountName"]?.string ?? ""
        let key = ObjectKey(namespace: pod.namespace, name: name)
        guard let account = core.store.read({ $0.object(GroupResource(group: "", resource: "serviceaccounts"), key) })
        else {
            throw APIError.forbidden(
                GroupResource(group: "", resource: "pods"),
                pod.name,
                "error looking up service account \(key.namespace)/\(name): serviceaccount \"\(name)\" not found"
            )
        }
        if pod["spec"]?["imagePullSecrets"]?.array?.isEmpty ?? true, let secrets = account["imagePullSecrets"] {
            pod.set("spec", "imagePullSecrets", to: secrets)
        }
        let isWanted =
            pod["spec"]?["automountServiceAccountToken"]?.bool ?? account["automountServiceAccountToken"]?.bool ?? true
        return isWanted ? mounted(pod) : pod
    }

    private static func mounted(_ given: JSONTree) -> JSONTree {
        var pod = given
        let volumes = pod["spec"]?["volumes"]?.array ?? []
        let existing = volumes.compactMap { $0["name"]?.string }.first { $0.hasPrefix("kube-api-access-") }
        let name = existing ?? "kube-api-access-\(Names.suffix())"
        var isUsed = false
        pod.modify("spec") { spec in
            for list in ["initContainers", "containers"] {
                spec.modify(list) { containers in
                    containers.modifyElements { container in
                        let mounts = container["volumeMounts"]?.array ?? []
                        guard !mounts.contains(where: { $0["mountPath"]?.string == mountPath }) else { return }
                        isUsed = true
                        let mount: JSONTree = [
                            "name": .string(name), "readOnly": true, "mountPath": .string(mountPath),
                        ]
                        container["volumeMounts"] = .array(mounts + [mount])
                    }
                }
            }
            if isUsed, existing == nil { spec["volumes"] = .array(volumes + [volume(name)]) }
        }
        return pod
    }

    private static func volume(_ name: String) -> JSONTree {
        [
            "name": .string(name),
            "projected": [
                "defaultMode": 420,
                "sources": [
                    ["serviceAccountToken": ["expirationSeconds": 3607, "path": "token"]],
                    ["configMap": ["name": "kube-root-ca.crt", "items": [["key": "ca.crt", "path": "ca.crt"]]]],
                    [
                        "downwardAPI": [
                            "items": [
                                [
                                    "path": "namespace",
                                    "fieldRef": ["apiVersion": "v1", "fieldPath": "metadata.namespace"],
                                ]
                            ]
                        ]
                    ],
                ],
            ],
        ]
    }
}
