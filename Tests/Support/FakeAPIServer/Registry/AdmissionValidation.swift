import Kubernetes

/// Webhook configurations and admission policies.
enum AdmissionValidation {
    static func errors(_ object: JSONTree, _ type: ResourceType) -> [FieldError] {
        switch type.kind {
        case "ValidatingAdmissionPolicy": policy(object)
        case "ValidatingAdmissionPolicyBinding": binding(object)
        default: webhooks(object)
        }
    }

    private static func webhooks(_ object: JSONTree) -> [FieldError] {
        var errors: [FieldError] = []
        var names: Set<String> = []
        for (index, hook) in (object["webhooks"]?.array ?? []).enumerated() {
            let field = "webhooks[\(index)]"
            let name = hook["name"]?.string ?? ""
            errors += Names.problemsOfSubdomain(name).map { .invalid("\(field).name", .string(name), $0) }
            if name.split(separator: ".").count < 3 {
                errors.append(
                    .invalid(
                        "\(field).name",
                        .string(name),
                        "should be a domain with at least three segments separated by dots"
                    )
                )
            }
            if !names.insert(name).inserted { errors.append(.duplicate("\(field).name", .string(name))) }
            let effects = hook["sideEffects"]?.string
            if effects == nil {
                errors.append(.required("\(field).sideEffects", "must specify one of None, NoneOnDryRun"))
            } else if let effects, !["None", "NoneOnDryRun"].contains(effects) {
                errors.append(.notSupported("\(field).sideEffects", .string(effects), ["None", "NoneOnDryRun"]))
            }
            let versions = hook["admissionReviewVersions"]?.array?.compactMap(\.string) ?? []
            if versions.isEmpty {
                errors.append(.required("\(field).admissionReviewVersions", "must specify one of v1, v1beta1"))
            } else if !versions.contains(where: ["v1", "v1beta1"].contains) {
                errors.append(
                    .invalid(
                        "\(field).admissionReviewVersions",
                        .array(versions.map { .string($0) }),
                        "must include at least one of v1, v1beta1"
                    )
                )
            }
            if let seconds = hook["timeoutSeconds"]?.integer, !(1...30).contains(seconds) {
                errors.append(
                    .invalid(
                        "\(field).timeoutSeconds",
                        .integer(seconds),
                        "the timeout value must be between 1 and 30 seconds"
                    )
                )
            }
            words(hook, field, &errors)
            client(hook["clientConfig"] ?? [:], "\(field).clientConfig", &errors)
            rules(hook["rules"], "\(field).rules", &errors)
            for key in ["namespaceSelector", "objectSelector"] {
                errors += LabelSelector.errors(hook[key], "\(field).\(key)")
            }
            conditions(hook["matchConditions"], "\(field).matchConditions", &errors)
        }
        return errors
    }

    private static func words(_ hook: JSONTree, _ field: String, _ errors: inout [FieldError]) {
        let words: [(String, [String])] = [
            ("failurePolicy", ["Fail", "Ignore"]), ("matchPolicy", ["Equivalent", "Exact"]),
            ("reinvocationPolicy", ["IfNeeded", "Never"]),
        ]
        for (key, allowed) in words {
            if let word = hook[key]?.string, !allowed.contains(word) {
                errors.append(.notSupported("\(field).\(key)", .string(word), allowed))
            }
        }
    }

    private static func client(_ client: JSONTree, _ field: String, _ errors: inout [FieldError]) {
        if (client["url"] == nil) == (client["service"] == nil) {
            errors.append(.required(field, "exactly one of url or service is required"))
        }
        if let url = client["url"]?.string {
            if !url.hasPrefix("https://") {
                errors.append(
                    .invalid(
                        "\(field).url",
                        .string(url),
                        "'https' is the only allowed URL scheme; desired format: https://host[/path]"
                    )
                )
            }
            if url.contains("?") || url.contains("#") {
                errors.append(
                    .invalid(
                        "\(field).url",
                        .string(url),
                        "query parameters and fragments are not permitted in the URL"
                    )
                )
            }
        }
        if let service = client["service"] {
            for key in ["name", "namespace"] where (service[key]?.string ?? "").isEmpty {
                errors.append(.required("\(field).service.\(key)"))
            }
            if let port = service["port"]?.integer, !(1...65535).contains(port) {
                errors.append(
                    .invalid(
                        "\(field).service.port",
                        .integer(port),
                        "port is not valid: must be between 1 and 65535, inclusive"
                    )
                )
            }
            if let path = service["path"]?.string, !path.hasPrefix("/") {
                errors.append(.invalid("\(field).service.path", .string(path), "must start with a '/'"))
            }
        }
    }

    private static func rules(_ rules: JSONTree?, _ field: String, _ errors: inout [FieldError]) {
        for (index, rule) in (rules?.array ?? []).enumerated() {
            for key in ["operations", "apiGroups", "apiVersions", "resources"] {
                let list = rule[key]?.array?.compactMap(\.string) ?? []
                if list.isEmpty { errors.append(.required("\(field)[\(index)].\(key)")) }
                if list.count > 1, list.contains("*") {
                    errors.append(
                        .invalid(
                            "\(field)[\(index)].\(key)",
                            rule[key] ?? .null,
                            "if '*' is present, must not specify other \(key)"
                        )
                    )
                }
            }
            let operations = ["CREATE", "UPDATE", "DELETE", "CONNECT", "*"]
            for (place, word) in (rule["operations"]?.array ?? []).enumerated()
            where !operations.contains(word.string ?? "") {
                errors.append(.notSupported("\(field)[\(index)].operations[\(place)]", word, operations))
            }
            if let scope = rule["scope"]?.string, !["*", "Cluster", "Namespaced"].contains(scope) {
                errors.append(
                    .notSupported("\(field)[\(index)].scope", .string(scope), ["*", "Cluster", "Namespaced"])
                )
            }
        }
    }

    private static func conditions(_ conditions: JSONTree?, _ field: String, _ errors: inout [FieldError]) {
        let list = conditions?.array ?? []
        if list.count > 64 { errors.append(.tooMany(field, list.count, atMost: 64)) }
        var names: Set<String> = []
        for (index, condition) in list.enumerated() {
            let name = condition["name"]?.string ?? ""
            if name.isEmpty {
                errors.append(.required("\(field)[\(index)].name"))
            } else {
                errors += Names.problemsOfQualifiedName(name).map {
                    .invalid("\(field)[\(index)].name", .string(name), $0)
                }
                if !names.insert(name).inserted { errors.append(.duplicate("\(field)[\(index)].name", .string(name))) }
            }
            expression(
                condition["expression"],
                "\(field)[\(index)].expression",
                AdmissionTypes.condition,
                .bool,
                &errors
            )
        }
    }

    private static func expression(
        _ tree: JSONTree?,
        _ field: String,
        _ variables: [String: CELType],
        _ result: CELType?,
        _ errors: inout [FieldError]
    ) {
        let text = tree?.string ?? ""
        guard !text.trimmed.isEmpty else {
            errors.append(.required(field))
            return
        }
        do {
            _ = try CELProgram(text, variables: variables, result: result)
        } catch {
            errors.append(.invalid(field, .string(text), error.description))
        }
    }

    private static func policy(_ object: JSONTree) -> [FieldError] {
        var errors: [FieldError] = []
        let spec = object["spec"] ?? [:]
        words(spec, "spec", &errors)
        if (spec["matchConstraints"]?["resourceRules"]?.array ?? []).isEmpty {
            errors.append(.required("spec.matchConstraints.resourceRules"))
        }
        rules(spec["matchConstraints"]?["resourceRules"], "spec.matchConstraints.resourceRules", &errors)
        conditions(spec["matchConditions"], "spec.matchConditions", &errors)
        let validations = spec["validations"]?.array ?? []
        if validations.isEmpty, spec["auditAnnotations"] == nil {
            errors.append(.required("spec.validations", "validations or auditAnnotations must be specified"))
        }
        for (index, variable) in (spec["variables"]?.array ?? []).enumerated() {
            expression(
                variable["expression"],
                "spec.variables[\(index)].expression",
                AdmissionTypes.policy,
                nil,
                &errors
            )
        }
        for (index, validation) in validations.enumerated() {
            let field = "spec.validations[\(index)]"
            expression(validation["expression"], "\(field).expression", AdmissionTypes.policy, .bool, &errors)
            if validation["messageExpression"] != nil {
                expression(
                    validation["messageExpression"],
                    "\(field).messageExpression",
                    AdmissionTypes.policy,
                    .string,
                    &errors
                )
            }
            if let message = validation["message"]?.string, message.contains("\n") {
                errors.append(.invalid("\(field).message", .string(message), "message must not contain line breaks"))
            } else if validation["message"] == nil, validation["expression"]?.string?.contains("\n") ?? false {
                errors.append(
                    .required("\(field).message", "message must be specified if expression contains line breaks")
                )
            }
            let reasons = ["Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"]
            if let reason = validation["reason"]?.string, !reasons.contains(reason) {
                errors.append(.notSupported("\(field).reason", .string(reason), reasons))
            }
        }
        return errors
    }

    private static func binding(_ object: JSONTree) -> [FieldError] {
        var errors: [FieldError] = []
        let spec = object["spec"] ?? [:]
        if (spec["policyName"]?.string ?? "").isEmpty { errors.append(.required("spec.policyName")) }
        let actions = spec["validationActions"]?.array?.compactMap(\.string) ?? []
        if actions.isEmpty {
            errors.append(.required("spec.validationActions", "at least one validation action is required"))
        }
        for (index, action) in actions.enumerated() where !["Audit", "Deny", "Warn"].contains(action) {
            errors.append(
                .notSupported("spec.validationActions[\(index)]", .string(action), ["Audit", "Deny", "Warn"])
            )
        }
        if actions.contains("Deny"), actions.contains("Warn") {
            errors.append(
                .invalid(
                    "spec.validationActions",
                    .array(actions.map { .string($0) }),
                    "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)"
                )
            )
        }
        return errors
    }
}
