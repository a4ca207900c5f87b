import Foundation
import Kubernetes

/// What a fresh control plane has.
enum Bootstrap {
    private static let system = ["default", "kube-system", "kube-public", "kube-node-lease"]

    static func fill(_ state: inout Store.State, now: Date) {
        for name in system {
            state.put(
                meta(
                    [
                        "apiVersion": "v1", "kind": "Namespace", "spec": ["finalizers": ["kubernetes"]],
                        "status": ["phase": "Active"],
                    ],
                    name,
                    now,
                    labels: ["kubernetes.io/metadata.name": name]
                ),
                GroupResource(group: "", resource: "namespaces")
            )
            furnish(name, &state, now: now)
        }
        for (name, value) in [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)]
            as [(String, Int64)]
        {
            state.put(
                meta(
                    ["apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": .integer(value)],
                    name,
                    now
                ),
                GroupResource(group: "scheduling.k8s.io", resource: "priorityclasses")
            )
        }
        for (name, object) in roles {
            state.put(meta(object, name, now), GroupResource(group: ServerCore.rbacGroup, resource: "clusterroles"))
        }
        for (name, group, role) in [("cluster-admin", "system:masters", "cluster-admin")] {
            let binding: JSONTree = [
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
                "roleRef": ["apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": .string(role)],
                "subjects": [["apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": .string(group)]],
            ]
            state.put(
                meta(binding, name, now),
                GroupResource(group: ServerCore.rbacGroup, resource: "clusterrolebindings")
            )
        }
    }

    /// What every namespace has as soon as it is there.
    static func furnish(_ namespace: String, _ state: inout Store.State, now: Date) {
        var account = meta(["apiVersion": "v1", "kind": "ServiceAccount"], "default", now)
        account.set("metadata", "namespace", to: .string(namespace))
        var roots = meta(["apiVersion": "v1", "kind": "ConfigMap", "data": ["ca.crt": ""]], "kube-root-ca.crt", now)
        roots.set("metadata", "namespace", to: .string(namespace))
        for (object, resource) in [(account, "serviceaccounts"), (roots, "configmaps")] {
            let place = GroupResource(group: "", resource: resource)
            let key = ObjectKey(namespace: namespace, name: object.name)
            if state.object(place, key) == nil { state.put(object, place) }
        }
    }

    /// Writes the authority's certificate to where pods look for it.
    static func publish(_ authority: String, _ state: inout Store.State) {
        let maps = GroupResource(group: "", resource: "configmaps")
        for (key, object) in state.all(maps) where key.name == "kube-root-ca.crt" {
            var object = object
            object["data"] = ["ca.crt": .string(authority)]
            state.put(object, maps)
        }
    }

    private static func meta(_ object: JSONTree, _ name: String, _ now: Date, labels: [String: String] = [:])
        -> JSONTree
    {
        var object = object
        object["metadata"] = [
            "name": .string(name), "uid": .string(UUID().uuidString.lowercased()),
            "creationTimestamp": .string(Times.text(now)),
        ]
        if !labels.isEmpty { object.set("metadata", "labels", to: .object(labels.mapValues { .string($0) })) }
        return object
    }

    private static func role(_ rules: [JSONTree]) -> JSONTree {
        ["apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "rules": .array(rules)]
    }

    private static func aggregated(_ name: String) -> JSONTree {
        [
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "rules": [],
            "aggregationRule": [
                "clusterRoleSelectors": [
                    ["matchLabels": .object(["rbac.authorization.k8s.io/aggregate-to-\(name)": "true"])]
                ]
            ],
        ]
    }

    private static let roles: [(String, JSONTree)] = [
        (
            "cluster-admin",
            role([
                ["apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]], ["nonResourceURLs": ["*"], "verbs": ["*"]],
            ])
        ),
        (
            "system:auth-delegator",
            role([
                ["apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]],
                ["apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]],
            ])
        ),
        ("view", aggregated("view")), ("edit", aggregated("edit")), ("admin", aggregated("admin")),
    ]
}
