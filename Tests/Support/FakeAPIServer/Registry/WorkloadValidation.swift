import Kubernetes

/// Deployments, StatefulSets and their like.
enum WorkloadValidation {
    static func errors(_ object: JSONTree, _ old: JSONTree?, _ type: ResourceType) -> [FieldError] {
        var errors: [FieldError] = []
        let spec = object["spec"] ?? [:]
        let template = spec["template"] ?? [:]
        if let replicas = spec["replicas"]?.integer, replicas < 0 {
            errors.append(.invalid("spec.replicas", .integer(replicas), "must be greater than or equal to 0"))
        }
        let selector = spec["selector"] ?? [:]
        errors += LabelSelector.errors(selector, "spec.selector")
        if (selector.object ?? [:]).isEmpty {
            errors.append(
                spec["selector"] == nil
                    ? .required("spec.selector")
                    : .invalid("spec.selector", selector, "empty selector is invalid for \(type.kind.lowercased())")
            )
        } else if !LabelSelector(selector).matches(template["metadata"]?["labels"]?.strings ?? [:]) {
            errors.append(
                .invalid(
                    "spec.template.metadata.labels",
                    template["metadata"]?["labels"] ?? .null,
                    "`selector` does not match template `labels`"
                )
            )
        }
        errors += MetaValidation.labelErrors(template["metadata"]?["labels"], "spec.template.labels")
        errors += MetaValidation.annotationErrors(template["metadata"]?["annotations"], "spec.template.annotations")
        if type.kind == "StatefulSet" {
            // Claims become volumes later: a real server leaves the rest to the pods.
            if let policy = template["spec"]?["restartPolicy"]?.string, policy != "Always" {
                errors.append(.notSupported("spec.template.spec.restartPolicy", .string(policy), ["Always"]))
            }
        } else {
            errors += PodValidation.errors(template["spec"] ?? [:], path: "spec.template.spec", isTemplate: true)
        }
        if let old { errors += immutable(spec, old["spec"] ?? [:], type) }
        return errors
    }

    private static func immutable(_ spec: JSONTree, _ old: JSONTree, _ type: ResourceType) -> [FieldError] {
        if type.kind == "StatefulSet" {
            let free: Set = [
                "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
                "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
            ]
            let rest = { (spec: JSONTree) in (spec.object ?? [:]).filter { !free.contains($0.key) } }
            return rest(spec) == rest(old)
                ? []
                : [
                    .forbidden(
                        "spec",
                        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
                    )
                ]
        }
        return spec["selector"] == old["selector"]
            ? [] : [.invalid("spec.selector", spec["selector"] ?? .null, "field is immutable")]
    }

    static func budget(_ object: JSONTree) -> [FieldError] {
        let spec = object["spec"] ?? [:]
        if spec["minAvailable"] != nil, spec["maxUnavailable"] != nil {
            return [.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set")]
        }
        return LabelSelector.errors(spec["selector"], "spec.selector")
    }
}
