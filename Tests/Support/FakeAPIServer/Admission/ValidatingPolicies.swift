import Kubernetes

/// ValidatingAdmissionPolicies, as their bindings put them in force.
struct ValidatingPolicies: Sendable {
    let admission: Admission

    private static let group = "admissionregistration.k8s.io"

    func check(_ object: JSONTree?) async throws {
        let (policies, bindings) = admission.core.store.read { state in
            (
                state.all(GroupResource(group: Self.group, resource: "validatingadmissionpolicies")),
                state.all(GroupResource(group: Self.group, resource: "validatingadmissionpolicybindings"))
            )
        }
        for (key, binding) in bindings.sorted(by: { $0.key < $1.key }) {
            let name = binding["spec"]?["policyName"]?.string ?? ""
            guard let policy = policies[ObjectKey(namespace: "", name: name)], let spec = policy["spec"] else {
                continue
            }
            guard fits(spec["matchConstraints"], object),
                binding["spec"]?["matchResources"].map({ fits($0, object, isBinding: true) }) ?? true
            else { continue }
            let actions = binding["spec"]?["validationActions"]?.array?.compactMap(\.string) ?? []
            for failure in try failures(spec, object) {
                let text =
                    "ValidatingAdmissionPolicy '\(name)' with binding '\(key.name)' denied request: \(failure.message)"
                if actions.contains("Deny") { throw denial(failure, text) }
                if actions.contains("Warn") {
                    admission.call.notes.warn(
                        "Validation failed for ValidatingAdmissionPolicy '\(name)' with binding '\(key.name)': \(failure.message)"
                    )
                }
                if actions.contains("Audit") {
                    admission.call.notes.annotate(
                        "validation.policy.admission.k8s.io/validation_failure",
                        failure.message
                    )
                }
            }
        }
    }

    private struct Failure {
        var message: String
        var reason: String
    }

    private func denial(_ failure: Failure, _ text: String) -> APIError {
        let type = admission.type
        let name = admission.call.info.name
        switch failure.reason {
        case "Forbidden": return APIError.forbidden(type.groupResource, name, text)
        case "Unauthorized": return APIError(code: 401, reason: "Unauthorized", message: text)
        case "RequestEntityTooLarge": return APIError(code: 413, reason: failure.reason, message: text)
        default:
            var error = APIError.invalid(type.groupKind, name, [.invalid("", .null, text)])
            error.message = "\(type.resource) \"\(name)\" is forbidden: \(text)"
            return error
        }
    }

    private func fits(_ constraints: JSONTree?, _ object: JSONTree?, isBinding: Bool = false) -> Bool {
        let rules = constraints?["resourceRules"]
        let named = isBinding && (rules?.array ?? []).isEmpty ? true : admission.fitsRules(rules)
        return named && !admission.fitsRules(constraints?["excludeResourceRules"])
            && admission.fitsNamespace(constraints?["namespaceSelector"], object)
            && admission.fitsObject(constraints?["objectSelector"], object)
    }

    private func failures(_ spec: JSONTree, _ object: JSONTree?) throws -> [Failure] {
        guard try WebhookConditions.fit(spec, object, admission) else { return [] }
        var variables = admission.variables(object)
        variables["namespaceObject"] = admission.namespaceObject.map { CELValue($0, nil) } ?? .null
        variables["params"] = .null
        variables["variables"] = .map([:])
        let ignores = spec["failurePolicy"]?.string == "Ignore"
        var failures: [Failure] = []
        var values: [CELValue: CELValue] = [:]
        for variable in spec["variables"]?.array ?? [] {
            // One that fails is missing, and whoever names it fails.
            if let value = try? evaluate(variable["expression"]?.string ?? "", variables) {
                values[.string(variable["name"]?.string ?? "")] = value
                variables["variables"] = .map(values)
            }
        }
        for validation in spec["validations"]?.array ?? [] {
            let expression = validation["expression"]?.string ?? ""
            let reason = validation["reason"]?.string ?? "Invalid"
            do {
                if try evaluate(expression, variables) == .bool(true) { continue }
                failures.append(Failure(message: message(validation, expression, variables), reason: reason))
            } catch {
                if !ignores {
                    failures.append(
                        Failure(message: "expression '\(expression)' resulted in error: \(error)", reason: reason)
                    )
                }
            }
        }
        return failures
    }

    private func message(_ validation: JSONTree, _ expression: String, _ variables: [String: CELValue]) -> String {
        // An expression that fails gives way to the fixed message.
        if let text = validation["messageExpression"]?.string,
            case .string(let message)? = try? evaluate(text, variables)
        {
            return message
        }
        return validation["message"]?.string ?? "failed expression: \(expression.trimmed)"
    }

    private func evaluate(_ text: String, _ variables: [String: CELValue]) throws -> CELValue {
        let program = try CELProgram(text, variables: AdmissionTypes.policy, result: nil)
        return try program.evaluate(variables)
    }
}
