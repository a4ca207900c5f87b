import Kubernetes

/// Which names a resource's objects may have.
enum NameRule: Sendable {
    case label, label1035, subdomain, pathSegment

    func problems(_ name: String) -> [String] {
        switch self {
        case .label: Names.problemsOfLabel(name)
        case .label1035: Names.problemsOf1035(name)
        case .subdomain: Names.problemsOfSubdomain(name)
        case .pathSegment: Names.problemsOfPathSegment(name)
        }
    }
}

/// What the API server demands of every object's metadata.
enum MetaValidation {
    /// Bytes of all annotations together.
    static let annotationLimit = 256 << 10

    static func errors(_ object: JSONTree, _ type: ResourceType) -> [FieldError] {
        var errors: [FieldError] = []
        let name = object.name
        let generateName = object["metadata"]?["generateName"]?.string ?? ""
        if !generateName.isEmpty {
            // The dash at the end of a prefix stands for what will follow it.
            let tested = generateName.hasSuffix("-") ? generateName.dropLast() + "a" : generateName[...]
            errors += type.nameRule.problems(String(tested)).map {
                .invalid("metadata.generateName", .string(generateName), $0)
            }
        }
        if name.isEmpty {
            errors.append(.required("metadata.name", "name or generateName is required"))
        } else {
            errors += type.nameRule.problems(name).map { .invalid("metadata.name", .string(name), $0) }
        }
        if type.isNamespaced {
            if object.namespace.isEmpty { errors.append(.required("metadata.namespace")) }
        } else if !object.namespace.isEmpty {
            errors.append(.forbidden("metadata.namespace", "not allowed on this type"))
        }
        errors += labelErrors(object["metadata"]?["labels"], "metadata.labels")
        errors += annotationErrors(object["metadata"]?["annotations"], "metadata.annotations")
        errors += finalizerErrors(object, type)
        errors += ownerErrors(object)
        return errors
    }

    static func labelErrors(_ labels: JSONTree?, _ field: String) -> [FieldError] {
        var errors: [FieldError] = []
        for (key, value) in (labels?.strings ?? [:]).sorted(by: { $0.key < $1.key }) {
            errors += Names.problemsOfQualifiedName(key).map { .invalid(field, .string(key), $0) }
            errors += Names.problemsOfLabelValue(value).map { .invalid(field, .string(value), $0) }
        }
        return errors
    }

    static func annotationErrors(_ annotations: JSONTree?, _ field: String) -> [FieldError] {
        var errors: [FieldError] = []
        var total = 0
        for (key, value) in (annotations?.strings ?? [:]).sorted(by: { $0.key < $1.key }) {
            // Keys are compared without regard to case.
            errors += Names.problemsOfQualifiedName(key.lowercased()).map { .invalid(field, .string(key), $0) }
            total += key.utf8.count + value.utf8.count
        }
        if total > annotationLimit { errors.append(.tooLong(field, atMost: annotationLimit)) }
        return errors
    }

    private static func finalizerErrors(_ object: JSONTree, _ type: ResourceType) -> [FieldError] {
        var errors: [FieldError] = []
        for finalizer in object.finalizers {
            errors += Names.problemsOfQualifiedName(finalizer).map {
                .invalid("metadata.finalizers", .string(finalizer), $0)
            }
            let isStandard = ["orphan", "foregroundDeletion", "kubernetes"].contains(finalizer)
            // Definitions and what they define only get a warning.
            let isLenient = type.isCustom || type.group == "apiextensions.k8s.io"
            if !isStandard, !isLenient, !finalizer.contains("/") {
                errors.append(
                    .invalid(
                        "metadata.finalizers",
                        .string(finalizer),
                        "name is neither a standard finalizer name nor is it fully qualified"
                    )
                )
            }
        }
        return errors
    }

    private static func ownerErrors(_ object: JSONTree) -> [FieldError] {
        var errors: [FieldError] = []
        var controller: String?
        for (index, owner) in object.ownerReferences.enumerated() {
            let field = "metadata.ownerReferences"
            for key in ["apiVersion", "kind", "name", "uid"] where (owner[key]?.string ?? "").isEmpty {
                if key == "apiVersion" {
                    errors.append(.invalid("\(field).apiVersion", "", "version must not be empty"))
                } else {
                    errors.append(.invalid("\(field).\(key)", "", "must not be empty"))
                }
            }
            if owner["kind"]?.string == "Event", owner["apiVersion"]?.string == "v1" {
                errors.append(.invalid(field, owner, "/v1, Kind=Event is disallowed from being an owner"))
            }
            guard owner["controller"]?.bool == true else { continue }
            if let controller {
                errors.append(
                    .invalid(
                        field,
                        .array(object.ownerReferences),
                        "Only one reference can have Controller set to true. Found \"true\" in references for \(controller) and \(owner["name"]?.string ?? "")"
                    )
                )
            }
            controller = owner["name"]?.string ?? "\(index)"
        }
        return errors
    }

    /// What may not change when an object is updated.
    static func updateErrors(_ new: JSONTree, old: JSONTree) -> [FieldError] {
        var errors: [FieldError] = []
        for field in [
            "name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
        ] {
            let (mine, theirs) = (new["metadata"]?[field] ?? .null, old["metadata"]?[field] ?? .null)
            if mine != theirs { errors.append(.invalid("metadata.\(field)", mine, "field is immutable")) }
        }
        if old.isTerminating {
            let added = Set(new.finalizers).subtracting(old.finalizers)
            if !added.isEmpty {
                errors.append(
                    .forbidden(
                        "metadata.finalizers",
                        "no new finalizers can be added if the object is being deleted, found new finalizers []string{\(added.sorted().map { "\"\($0)\"" }.joined(separator: ", "))}"
                    )
                )
            }
        }
        return errors
    }
}
