import Kubernetes

/// Roles and bindings.
enum RoleValidation {
    static func errors(_ object: JSONTree, _ old: JSONTree?, _ type: ResourceType) -> [FieldError] {
        if type.kind.hasSuffix("Binding") { return binding(object, old, type) }
        var errors: [FieldError] = []
        for (index, rule) in (object["rules"]?.array ?? []).enumerated() {
            let field = "rules[\(index)]"
            let count = { (key: String) in rule[key]?.array?.count ?? 0 }
            if count("verbs") == 0 {
                errors.append(.required("\(field).verbs", "verbs must contain at least one value"))
            }
            if count("nonResourceURLs") > 0 {
                if type.isNamespaced {
                    errors.append(
                        .invalid(
                            "\(field).nonResourceURLs",
                            rule["nonResourceURLs"] ?? .null,
                            "namespaced rules cannot apply to non-resource URLs"
                        )
                    )
                }
                if count("apiGroups") + count("resources") + count("resourceNames") > 0 {
                    errors.append(
                        .invalid(
                            "\(field).nonResourceURLs",
                            rule["nonResourceURLs"] ?? .null,
                            "rules cannot apply to both regular resources and non-resource URLs"
                        )
                    )
                }
                continue
            }
            if count("apiGroups") == 0 {
                errors.append(.required("\(field).apiGroups", "resource rules must supply at least one api group"))
            }
            if count("resources") == 0 {
                errors.append(.required("\(field).resources", "resource rules must supply at least one resource"))
            }
        }
        return errors
    }

    private static func binding(_ object: JSONTree, _ old: JSONTree?, _ type: ResourceType) -> [FieldError] {
        var errors: [FieldError] = []
        let reference = object["roleRef"] ?? [:]
        if reference["apiGroup"]?.string != ServerCore.rbacGroup {
            errors.append(.notSupported("roleRef.apiGroup", reference["apiGroup"] ?? "", [ServerCore.rbacGroup]))
        }
        let kinds = type.isNamespaced ? ["Role", "ClusterRole"] : ["ClusterRole"]
        if !kinds.contains(reference["kind"]?.string ?? "") {
            errors.append(.notSupported("roleRef.kind", reference["kind"] ?? "", kinds))
        }
        if (reference["name"]?.string ?? "").isEmpty { errors.append(.required("roleRef.name")) }
        if let old, old["roleRef"] != object["roleRef"] {
            errors.append(.invalid("roleRef", reference, "cannot change roleRef"))
        }
        for (index, subject) in (object["subjects"]?.array ?? []).enumerated() {
            let field = "subjects[\(index)]"
            if (subject["name"]?.string ?? "").isEmpty { errors.append(.required("\(field).name")) }
            switch subject["kind"]?.string ?? "" {
            case "ServiceAccount":
                if (subject["namespace"]?.string ?? "").isEmpty { errors.append(.required("\(field).namespace")) }
                if !(subject["apiGroup"]?.string ?? "").isEmpty {
                    errors.append(.notSupported("\(field).apiGroup", subject["apiGroup"] ?? "", [""]))
                }
            case "User", "Group":
                if subject["apiGroup"]?.string != ServerCore.rbacGroup {
                    errors.append(.notSupported("\(field).apiGroup", subject["apiGroup"] ?? "", [ServerCore.rbacGroup]))
                }
            default:
                errors.append(
                    .notSupported("\(field).kind", subject["kind"] ?? "", ["ServiceAccount", "User", "Group"])
                )
            }
        }
        return errors
    }
}
