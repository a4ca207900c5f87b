import Foundation
import Kubernetes

/// What the API server refuses of built-in kinds, as far as what we send goes.
enum BuiltinValidation {
    static func errors(_ object: JSONTree, old: JSONTree?, _ type: ResourceType) -> [FieldError] {
        switch (type.group, type.kind) {
        case ("", "Pod"): pod(object, old)
        case ("", "Secret"): secret(object, old)
        case ("", "ConfigMap"): configMap(object, old)
        case ("", "Service"): service(object)
        case ("", "Event") where type.group.isEmpty: []
        case ("events.k8s.io", "Event"): EventValidation.errors(object, old)
        case ("coordination.k8s.io", "Lease"): lease(object)
        case ("apps", _): WorkloadValidation.errors(object, old, type)
        case ("policy", _): WorkloadValidation.budget(object)
        case ("networking.k8s.io", _): LabelSelector.errors(object["spec"]?["podSelector"], "spec.podSelector")
        case (ServerCore.rbacGroup, _): RoleValidation.errors(object, old, type)
        case ("admissionregistration.k8s.io", _): AdmissionValidation.errors(object, type)
        case ("apiextensions.k8s.io", _): CRDValidation.errors(object, old: old)
        default: []
        }
    }

    private static func pod(_ object: JSONTree, _ old: JSONTree?) -> [FieldError] {
        let spec = object["spec"] ?? [:]
        guard let old else { return PodValidation.errors(spec) }
        if spec == old["spec"] { return [] }
        var errors = PodValidation.errors(spec)
        if movable(spec) != movable(old["spec"] ?? [:]) {
            errors.append(
                .forbidden(
                    "spec",
                    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
                )
            )
        }
        let before = old["spec"]?["tolerations"]?.array ?? []
        let now = spec["tolerations"]?.array ?? []
        if !before.allSatisfy(now.contains) {
            errors.append(
                .forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")
            )
        }
        if old["spec"]?["activeDeadlineSeconds"] != nil, spec["activeDeadlineSeconds"] == nil {
            errors.append(
                .invalid("spec.activeDeadlineSeconds", .null, "must not update from a positive integer to nil value")
            )
        }
        return errors
    }

    /// A pod's specification without what may change.
    private static func movable(_ spec: JSONTree) -> JSONTree {
        var spec = spec
        for list in ["containers", "initContainers"] { spec.modify(list) { $0.modifyElements { $0["image"] = nil } } }
        for key in ["activeDeadlineSeconds", "tolerations"] { spec[key] = nil }
        // A binding sets the node once.
        return spec
    }

    static let dataLimit = 1 << 20

    private static func keys(_ data: JSONTree?, _ field: String) -> [FieldError] {
        (data?.object ?? [:]).keys.sorted().flatMap { key -> [FieldError] in
            let isGood =
                key.wholeMatch(of: /[-._a-zA-Z0-9]+/) != nil && key.utf8.count <= 253 && key != "."
                && !key.hasPrefix("..")
            return isGood
                ? []
                : [
                    .invalid(
                        "\(field)[\(key)]",
                        .string(key),
                        "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
                    )
                ]
        }
    }

    private static func secret(_ object: JSONTree, _ old: JSONTree?) -> [FieldError] {
        var errors = keys(object["data"], "data")
        let size = (object["data"]?.object ?? [:]).values.reduce(0) { $0 + ($1.string?.utf8.count ?? 0) * 3 / 4 }
        if size > dataLimit { errors.append(.tooLong("data", atMost: dataLimit)) }
        let needed: [String] =
            switch object["type"]?.string {
            case "kubernetes.io/tls": ["tls.crt", "tls.key"]
            case "kubernetes.io/dockerconfigjson": [".dockerconfigjson"]
            case "kubernetes.io/ssh-auth": ["ssh-privatekey"]
            default: []
            }
        errors += needed.filter { object["data"]?[$0] == nil }.map { .required("data[\($0)]") }
        guard let old else { return errors }
        if old["type"] != object["type"] {
            errors.append(.invalid("type", object["type"] ?? .null, "field is immutable"))
        }
        return errors + immutable(object, old, ["data"])
    }

    private static func configMap(_ object: JSONTree, _ old: JSONTree?) -> [FieldError] {
        var errors = keys(object["data"], "data") + keys(object["binaryData"], "binaryData")
        for key in (object["binaryData"]?.object ?? [:]).keys where object["data"]?[key] != nil {
            errors.append(.invalid("data[\(key)]", .string(key), "duplicate of key present in binaryData"))
        }
        let size = ["data", "binaryData"].flatMap { (object[$0]?.object ?? [:]).values }.reduce(0) {
            $0 + ($1.string?.utf8.count ?? 0)
        }
        if size > dataLimit { errors.append(.tooLong("", atMost: dataLimit)) }
        return errors + (old.map { immutable(object, $0, ["data", "binaryData"]) } ?? [])
    }

    private static func immutable(_ object: JSONTree, _ old: JSONTree, _ fields: [String]) -> [FieldError] {
        guard old["immutable"] == true else { return [] }
        var errors: [FieldError] = []
        if object["immutable"] != true {
            errors.append(.forbidden("immutable", "field is immutable when `immutable` is set"))
        }
        for field in fields where object[field] != old[field] {
            errors.append(.forbidden(field, "field is immutable when `immutable` is set"))
        }
        return errors
    }

    private static func service(_ object: JSONTree) -> [FieldError] {
        var errors: [FieldError] = []
        let spec = object["spec"] ?? [:]
        let ports = spec["ports"]?.array ?? []
        let types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]
        if let type = spec["type"]?.string, !types.contains(type) {
            errors.append(.notSupported("spec.type", .string(type), types))
        }
        if ports.isEmpty, spec["clusterIP"] != "None", spec["type"] != "ExternalName" {
            errors.append(.required("spec.ports"))
        }
        var names: Set<String> = []
        var numbers: Set<String> = []
        for (index, port) in ports.enumerated() {
            let field = "spec.ports[\(index)]"
            let name = port["name"]?.string ?? ""
            if name.isEmpty {
                if ports.count > 1 { errors.append(.required("\(field).name")) }
            } else {
                errors += Names.problemsOfLabel(name).map { .invalid("\(field).name", .string(name), $0) }
                if !names.insert(name).inserted { errors.append(.duplicate("\(field).name", .string(name))) }
            }
            let number = port["port"]?.integer ?? 0
            if !(1...65535).contains(number) {
                errors.append(.invalid("\(field).port", .integer(number), "must be between 1 and 65535, inclusive"))
            }
            let word = port["protocol"]?.string ?? "TCP"
            if !["TCP", "UDP", "SCTP"].contains(word) {
                errors.append(.notSupported("\(field).protocol", .string(word), ["SCTP", "TCP", "UDP"]))
            }
            if !numbers.insert("\(word)/\(number)").inserted {
                errors.append(.duplicate(field, ["port": .integer(number), "protocol": .string(word)]))
            }
        }
        return errors + MetaValidation.labelErrors(spec["selector"], "spec.selector")
    }

    private static func lease(_ object: JSONTree) -> [FieldError] {
        var errors: [FieldError] = []
        let spec = object["spec"] ?? [:]
        if let seconds = spec["leaseDurationSeconds"]?.integer, seconds <= 0 {
            errors.append(.invalid("spec.leaseDurationSeconds", .integer(seconds), "must be greater than 0"))
        }
        if let count = spec["leaseTransitions"]?.integer, count < 0 {
            errors.append(.invalid("spec.leaseTransitions", .integer(count), "must be greater than or equal to 0"))
        }
        return errors
    }
}

/// Events of `events.k8s.io/v1`, which are checked more strictly than those of `v1`.
enum EventValidation {
    static func errors(_ event: JSONTree, _ old: JSONTree?) -> [FieldError] {
        var errors: [FieldError] = []
        let text = { (key: String) in event[key]?.string ?? "" }
        let place = event["regarding"]?["namespace"]?.string ?? ""
        if (place.isEmpty ? "default" : place) != event.namespace {
            errors.append(.invalid("involvedObject.namespace", .string(place), "does not match event.namespace"))
        }
        if old == nil, event["eventTime"] == nil { errors.append(.required("eventTime")) }
        if text("reportingController").isEmpty { errors.append(.required("reportingController")) }
        errors +=
            text("reportingController").isEmpty
            ? []
            : Names.problemsOfQualifiedName(text("reportingController")).map {
                .invalid("reportingController", .string(text("reportingController")), $0)
            }
        for key in ["reportingInstance", "action", "reason"] {
            if text(key).isEmpty {
                errors.append(.required(key))
            } else if text(key).utf8.count > 128 {
                errors.append(.invalid(key, "", "can have at most 128 characters"))
            }
        }
        if text("note").utf8.count > 1024 { errors.append(.invalid("message", "", "can have at most 1024 characters")) }
        if !["Normal", "Warning"].contains(text("type")) {
            errors.append(.invalid("type", "", "has invalid value: \(text("type"))"))
        }
        if old == nil,
            ["deprecatedFirstTimestamp", "deprecatedLastTimestamp", "deprecatedCount"].contains(where: {
                event[$0] != nil
            })
        {
            errors.append(.invalid("deprecatedFirstTimestamp", "", "needs to be unset"))
        }
        if let series = event["series"] {
            if (series["count"]?.integer ?? 0) < 2 {
                errors.append(.invalid("series.count", "", "should be at least 2"))
            }
            if series["lastObservedTime"] == nil { errors.append(.required("series.lastObservedTime")) }
        }
        if let old {
            for key in [
                "regarding", "reason", "type", "action", "reportingController", "reportingInstance", "note",
                "eventTime",
            ] where event[key] != old[key] {
                errors.append(.invalid(key, event[key] ?? .null, "field is immutable"))
            }
        }
        return errors
    }
}
