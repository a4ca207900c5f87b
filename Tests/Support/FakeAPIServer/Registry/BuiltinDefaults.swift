import Foundation
import Kubernetes

/// What the API server puts into built-in objects that leave it open.
enum BuiltinDefaults {
    /// What a new object is given besides defaults: state that only the server sets.
    static func prepared(_ object: JSONTree, _ type: ResourceType) -> JSONTree {
        var object = object
        switch (type.group, type.resource) {
        case ("", "namespaces"):
            object.set("spec", "finalizers", to: ["kubernetes"])
            object["status"] = ["phase": "Active"]
            object.set("metadata", "labels", "kubernetes.io/metadata.name", to: .string(object.name))
        case ("", "pods"): object["status"] = ["phase": "Pending", "qosClass": .string(QualityOfService.of(object))]
        case ("", "persistentvolumeclaims"): object["status"] = ["phase": "Pending"]
        case ("", "services"):
            if object["spec"]?["clusterIP"] == nil, object["spec"]?["type"]?.string != "ExternalName" {
                object.set(
                    "spec",
                    "clusterIP",
                    to: .string("10.96.\(Int.random(in: 0...255)).\(Int.random(in: 1...254))")
                )
            }
            object["status"] = ["loadBalancer": [:]]
        case ("", "secrets"): object = withStringData(object)
        default: break
        }
        return object
    }

    /// What an update keeps of the stored object though the client left it out.
    static func preparedForUpdate(_ next: JSONTree, _ current: JSONTree, _ type: ResourceType) -> JSONTree {
        var next = next
        switch (type.group, type.resource) {
        case ("", "secrets"): next = withStringData(next)
        case ("", "services"):
            for field in ["clusterIP", "clusterIPs"] where next["spec"]?[field] == nil {
                next.set("spec", field, to: current["spec"]?[field])
            }
        case ("", "namespaces"):
            next.set("metadata", "labels", "kubernetes.io/metadata.name", to: .string(current.name))
            if next["spec"]?["finalizers"] == nil { next.set("spec", "finalizers", to: current["spec"]?["finalizers"]) }
        default: break
        }
        return next
    }

    private static func withStringData(_ object: JSONTree) -> JSONTree {
        guard let texts = object["stringData"]?.object else { return object }
        var object = object
        for (key, value) in texts {
            object.set("data", key, to: .string(Data((value.string ?? "").utf8).base64EncodedString()))
        }
        object["stringData"] = nil
        return object
    }

    /// Defaults; applying them twice changes nothing.
    static func defaulted(_ object: JSONTree, _ type: ResourceType) -> JSONTree {
        var object = object
        switch (type.group, type.resource) {
        case ("", "pods"): object.modify("spec") { PodDefaults.apply(&$0) }
        case ("apps", _): workload(&object, type.resource)
        case ("", "services"): object.modify("spec", service)
        case ("", "secrets"): object.fill("type", "Opaque")
        case ("", "limitranges"):
            object.modify("spec") { $0.modify("limits") { $0.modifyElements(LimitRanger.complete) } }
        case (ServerCore.rbacGroup, _): roles(&object)
        case ("admissionregistration.k8s.io", _): admission(&object, type.kind)
        case ("apiextensions.k8s.io", _): object.modify("spec", definition)
        case ("networking.k8s.io", "networkpolicies"): object.modify("spec", networkPolicy)
        default: break
        }
        return object
    }

    private static func workload(_ object: inout JSONTree, _ resource: String) {
        object.modify("spec") { spec in
            if resource != "daemonsets" { spec.fill("replicas", 1) }
            spec.modify("template") { template in template.modify("spec") { PodDefaults.apply(&$0) } }
            switch resource {
            case "deployments":
                spec.fill("revisionHistoryLimit", 10)
                spec.fill("progressDeadlineSeconds", 600)
                spec.fill("strategy", [:])
                spec.modify("strategy") { strategy in
                    strategy.fill("type", "RollingUpdate")
                    guard strategy["type"] == "RollingUpdate" else { return }
                    strategy.fill("rollingUpdate", [:])
                    strategy.modify("rollingUpdate") { update in
                        update.fill("maxUnavailable", "25%")
                        update.fill("maxSurge", "25%")
                    }
                }
            case "statefulsets":
                spec.fill("podManagementPolicy", "OrderedReady")
                spec.fill("revisionHistoryLimit", 10)
                spec.fill("updateStrategy", [:])
                spec.modify("updateStrategy") { strategy in
                    strategy.fill("type", "RollingUpdate")
                    if strategy["type"] == "RollingUpdate" {
                        strategy.fill("rollingUpdate", [:])
                        strategy.modify("rollingUpdate") { $0.fill("partition", 0) }
                    }
                }
                spec.fill("persistentVolumeClaimRetentionPolicy", ["whenDeleted": "Retain", "whenScaled": "Retain"])
            default: break
            }
        }
    }

    private static func service(_ spec: inout JSONTree) {
        spec.fill("type", "ClusterIP")
        spec.fill("sessionAffinity", "None")
        if spec["type"] != "ExternalName" {
            spec.fill("internalTrafficPolicy", "Cluster")
            spec.fill("ipFamilies", ["IPv4"])
            spec.fill("ipFamilyPolicy", "SingleStack")
            if let address = spec["clusterIP"] { spec.fill("clusterIPs", .array([address])) }
        }
        spec.modify("ports") { ports in
            ports.modifyElements { port in
                port.fill("protocol", "TCP")
                if let number = port["port"] { port.fill("targetPort", number) }
            }
        }
    }

    private static func roles(_ object: inout JSONTree) {
        object.modify("subjects") { subjects in
            subjects.modifyElements { subject in
                if subject["kind"] == "User" || subject["kind"] == "Group" {
                    subject.fill("apiGroup", .string(ServerCore.rbacGroup))
                }
            }
        }
        object.modify("roleRef") { $0.fill("apiGroup", .string(ServerCore.rbacGroup)) }
    }

    private static func admission(_ object: inout JSONTree, _ kind: String) {
        object.modify("webhooks") { hooks in
            hooks.modifyElements { hook in
                hook.fill("failurePolicy", "Fail")
                hook.fill("matchPolicy", "Equivalent")
                hook.fill("namespaceSelector", [:])
                hook.fill("objectSelector", [:])
                hook.fill("timeoutSeconds", 10)
                if kind.hasPrefix("Mutating") { hook.fill("reinvocationPolicy", "Never") }
                hook.modify("clientConfig") { client in client.modify("service") { $0.fill("port", 443) } }
                hook.modify("rules") { rules in rules.modifyElements { $0.fill("scope", "*") } }
            }
        }
        object.modify("spec") { spec in
            if kind == "ValidatingAdmissionPolicy" { spec.fill("failurePolicy", "Fail") }
            for key in ["matchConstraints", "matchResources"] {
                spec.modify(key) { constraints in
                    constraints.fill("matchPolicy", "Equivalent")
                    constraints.fill("namespaceSelector", [:])
                    constraints.fill("objectSelector", [:])
                    for rules in ["resourceRules", "excludeResourceRules"] {
                        constraints.modify(rules) { rules in rules.modifyElements { $0.fill("scope", "*") } }
                    }
                }
            }
        }
    }

    private static func definition(_ spec: inout JSONTree) {
        spec.modify("names") { names in
            guard let kind = names["kind"]?.string, !kind.isEmpty else { return }
            names.fill("singular", .string(kind.lowercased()))
            names.fill("listKind", .string("\(kind)List"))
        }
        spec.fill("conversion", ["strategy": "None"])
    }

    private static func networkPolicy(_ spec: inout JSONTree) {
        spec.fill("policyTypes", spec["egress"]?.array?.isEmpty ?? true ? ["Ingress"] : ["Ingress", "Egress"])
        for (direction) in ["ingress", "egress"] {
            spec.modify(direction) { rules in
                rules.modifyElements { rule in rule.modify("ports") { $0.modifyElements { $0.fill("protocol", "TCP") } }
                }
            }
        }
    }
}

extension JSONTree {
    /// Sets a member that isn't there.
    mutating func fill(_ key: String, _ value: JSONTree) {
        if self[key] == nil { self[key] = value }
    }
}
