import Kubernetes

/// What the API server demands of a CRD, and what it makes of one.
enum CRDValidation {
    static func errors(_ object: JSONTree, old: JSONTree?) -> [FieldError] {
        var errors: [FieldError] = []
        let spec = object["spec"] ?? [:]
        let group = spec["group"]?.string ?? ""
        let names = spec["names"] ?? [:]
        let plural = names["plural"]?.string ?? ""
        if group.isEmpty { errors.append(.required("spec.group")) }
        if !group.isEmpty, group.split(separator: ".").count < 2 {
            errors.append(.invalid("spec.group", .string(group), "should be a domain with at least one dot"))
        }
        errors +=
            group.isEmpty ? [] : Names.problemsOfSubdomain(group).map { .invalid("spec.group", .string(group), $0) }
        if object.name != "\(plural).\(group)" {
            errors.append(
                .invalid("metadata.name", .string(object.name), "must be spec.names.plural+\".\"+spec.group")
            )
        }
        let scope = spec["scope"]?.string ?? ""
        if scope.isEmpty {
            errors.append(.required("spec.scope"))
        } else if !["Cluster", "Namespaced"].contains(scope) {
            errors.append(.notSupported("spec.scope", .string(scope), ["Cluster", "Namespaced"]))
        }
        if spec["preserveUnknownFields"]?.bool == true {
            errors.append(
                .invalid("spec.preserveUnknownFields", true, "must be false in order to use defaults in the schema")
            )
        }
        errors += nameErrors(names)
        errors += versionErrors(spec)
        let approved = object.annotations["api-approved.kubernetes.io"]
        if group.hasSuffix(".k8s.io") || group.hasSuffix(".kubernetes.io"), approved == nil {
            errors.append(
                .required(
                    "metadata.annotations[api-approved.kubernetes.io]",
                    "protected groups must have approval annotation \"api-approved.kubernetes.io\""
                )
            )
        }
        if let old {
            for (path, name) in [
                (["spec", "group"], "spec.group"), (["spec", "scope"], "spec.scope"),
                (["spec", "names", "plural"], "spec.names.plural"), (["spec", "names", "kind"], "spec.names.kind"),
            ]
            where object.at(path) != old.at(path) {
                errors.append(.invalid(name, object.at(path) ?? .null, "field is immutable"))
            }
        }
        return errors
    }

    private static func nameErrors(_ names: JSONTree) -> [FieldError] {
        var errors: [FieldError] = []
        for key in ["plural", "singular", "kind", "listKind"] {
            let value = names[key]?.string ?? ""
            if value.isEmpty { errors.append(.required("spec.names.\(key)")) }
            let problems = value.isEmpty ? [] : Names.problemsOf1035(value.lowercased())
            errors += problems.map { .invalid("spec.names.\(key)", .string(value), $0) }
            if key == "plural" || key == "singular", value != value.lowercased() {
                errors.append(.invalid("spec.names.\(key)", .string(value), Names.label1035Message))
            }
        }
        if names["kind"] == names["listKind"], names["kind"] != nil {
            errors.append(
                .invalid("spec.names.listKind", names["listKind"] ?? .null, "kind and listKind may not be the same")
            )
        }
        for (key, list) in [("shortNames", names["shortNames"]), ("categories", names["categories"])] {
            for (index, name) in (list?.array ?? []).enumerated() {
                errors += Names.problemsOf1035(name.string ?? "").map {
                    .invalid("spec.names.\(key)[\(index)]", name, $0)
                }
            }
        }
        return errors
    }

    private static func versionErrors(_ spec: JSONTree) -> [FieldError] {
        var errors: [FieldError] = []
        let versions = spec["versions"]?.array ?? []
        if versions.isEmpty { errors.append(.required("spec.versions", "must have at least one version")) }
        if versions.count(where: { $0["storage"]?.bool == true }) != 1 {
            errors.append(
                .invalid("spec.versions", .array([]), "must have exactly one version marked as storage version")
            )
        }
        var seen: Set<String> = []
        for (index, version) in versions.enumerated() {
            let path = "spec.versions[\(index)]"
            let name = version["name"]?.string ?? ""
            if !seen.insert(name).inserted {
                errors.append(.invalid("spec.versions", .array([]), "must contain unique version names"))
            }
            errors += Names.problemsOf1035(name).map { .invalid("\(path).name", .string(name), $0) }
            errors += schemaErrors(version, path)
            errors += subresourceErrors(version["subresources"], "\(path).subresources")
            errors += columnErrors(version, path)
        }
        return errors
    }

    private static func schemaErrors(_ version: JSONTree, _ path: String) -> [FieldError] {
        let field = "\(path).schema.openAPIV3Schema"
        guard let node = version["schema"]?["openAPIV3Schema"], node.object != nil else {
            return [.required(field, "schemas are required")]
        }
        for key in (version["schema"]?.object ?? [:]).keys where key != "openAPIV3Schema" {
            return [.invalid("\(path).schema", .string(key), "unknown field \"\(key)\"")]
        }
        var parser = CRDSchemaParser()
        let schema = parser.parseRoot(node, field)
        var rules = CRDRules()
        _ = rules.attach(schema, node, field)
        var errors = parser.errors + rules.errors
        let selectable = version["selectableFields"]?.array ?? []
        if selectable.count > 8 { errors.append(.tooMany("\(path).selectableFields", selectable.count, atMost: 8)) }
        for (index, entry) in selectable.enumerated() {
            let text = entry["jsonPath"]?.string ?? ""
            let parts = text.split(separator: ".").map(String.init)
            let found = text.hasPrefix(".") && !parts.isEmpty ? schema.at(parts) : nil
            if parts.first == "metadata" || !["string", "boolean", "integer"].contains(found?.type ?? "") {
                errors.append(
                    .invalid(
                        "\(path).selectableFields[\(index)].jsonPath",
                        .string(text),
                        "is an invalid path: must refer to a field of type string, boolean or integer that the schema names"
                    )
                )
            }
        }
        return errors
    }

    private static func subresourceErrors(_ subresources: JSONTree?, _ path: String) -> [FieldError] {
        var errors: [FieldError] = []
        for key in (subresources?.object ?? [:]).keys.sorted() where !["status", "scale"].contains(key) {
            errors.append(.invalid(path, .string(key), "unknown field \"\(key)\""))
        }
        return errors
    }

    private static func columnErrors(_ version: JSONTree, _ path: String) -> [FieldError] {
        var errors: [FieldError] = []
        let types = ["integer", "number", "string", "boolean", "date"]
        for (index, column) in (version["additionalPrinterColumns"]?.array ?? []).enumerated() {
            let field = "\(path).additionalPrinterColumns[\(index)]"
            if (column["name"]?.string ?? "").isEmpty { errors.append(.required("\(field).name")) }
            let type = column["type"]?.string ?? ""
            if type.isEmpty {
                errors.append(.required("\(field).type", "must be one of \(types.joined(separator: ","))"))
            } else if !types.contains(type) {
                errors.append(
                    .invalid("\(field).type", .string(type), "must be one of \(types.joined(separator: ","))")
                )
            }
            let text = column["jsonPath"]?.string ?? ""
            if text.isEmpty {
                errors.append(.required("\(field).jsonPath"))
            } else if JSONPath(text) == nil {
                errors.append(.invalid("\(field).jsonPath", .string(text), "is an invalid JSON path"))
            }
        }
        return errors
    }

    /// The resources that a CRD serves.
    static func resources(_ object: JSONTree) -> [ResourceType] {
        let spec = object["spec"] ?? [:]
        let names = spec["names"] ?? [:]
        return (spec["versions"]?.array ?? []).filter { $0["served"]?.bool ?? false }.map { version in
            let node = version["schema"]?["openAPIV3Schema"] ?? [:]
            var parser = CRDSchemaParser()
            var rules = CRDRules()
            let schema = rules.attach(parser.parseRoot(node, ""), node, "")
            var subresources: Set<String> = []
            if version["subresources"]?["status"] != nil { subresources.insert("status") }
            let texts = { (key: String) in names[key]?.array?.compactMap(\.string) ?? [] }
            return ResourceType(
                group: spec["group"]?.string ?? "",
                version: version["name"]?.string ?? "",
                resource: names["plural"]?.string ?? "",
                kind: names["kind"]?.string ?? "",
                singular: names["singular"]?.string ?? "",
                shortNames: texts("shortNames"),
                categories: texts("categories"),
                isNamespaced: spec["scope"]?.string == "Namespaced",
                subresources: subresources,
                schema: schema,
                custom: ResourceType.CustomDetails(
                    definition: object.name,
                    isStorage: version["storage"]?.bool ?? false
                ),
                hasGeneration: true,
                selectableFields: (version["selectableFields"]?.array ?? []).compactMap {
                    $0["jsonPath"]?.string.map { String($0.dropFirst()) }
                },
                allowsUnconditionalUpdate: false,
                columns: columns(version)
            )
        }
    }

    private static func columns(_ version: JSONTree) -> [ResourceType.PrinterColumn] {
        (version["additionalPrinterColumns"]?.array ?? []).map { column in
            ResourceType.PrinterColumn(
                name: column["name"]?.string ?? "",
                type: column["type"]?.string ?? "",
                format: column["format"]?.string ?? "",
                description: column["description"]?.string ?? "",
                priority: Int(column["priority"]?.integer ?? 0),
                path: column["jsonPath"]?.string ?? ""
            )
        }
    }
}
