import Kubernetes

/// Reads `x-kubernetes-validations` of a schema: what doesn't compile is refused together with the CRD.
struct CRDRules {
    private(set) var errors: [FieldError] = []
    private(set) var totalCost: UInt64 = 0
    static let costLimit: UInt64 = 10_000_000
    static let totalCostLimit: UInt64 = 100_000_000

    /// The schema with its rules.
    mutating func attach(_ schema: Schema, _ node: JSONTree, _ path: String) -> Schema {
        let result = attach(schema, node, path, isRoot: true, isCorrelatable: true, cardinality: 1)
        if totalCost > Self.totalCostLimit {
            errors.append(
                .forbidden(
                    path,
                    "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of \(Self.factor(totalCost, Self.totalCostLimit)) (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)"
                )
            )
        }
        return result
    }

    private mutating func attach(
        _ given: Schema,
        _ node: JSONTree,
        _ path: String,
        isRoot: Bool,
        isCorrelatable: Bool,
        cardinality: UInt64
    ) -> Schema {
        var schema = given
        for (index, rule) in (node["x-kubernetes-validations"]?.array ?? []).enumerated() {
            let field = "\(path).x-kubernetes-validations[\(index)]"
            if let rule = self.rule(rule, schema, field, isRoot, isCorrelatable, cardinality) {
                schema.rules.append(rule)
            }
        }
        for (name, child) in node["properties"]?.object ?? [:] {
            if isRoot, ["metadata", "apiVersion", "kind"].contains(name) { continue }
            guard let childSchema = schema.properties[name] else { continue }
            let keeps = isCorrelatable && schema.ownership != .atomic || isRoot
            schema.properties[name] = attach(
                childSchema,
                child,
                "\(path).properties[\(name)]",
                isRoot: false,
                isCorrelatable: keeps,
                cardinality: cardinality
            )
        }
        if let child = node["additionalProperties"], child.object != nil, let childSchema = schema.additional.first {
            let keeps = isCorrelatable && schema.ownership == .granular
            schema.additional = [
                attach(
                    childSchema,
                    child,
                    "\(path).additionalProperties",
                    isRoot: false,
                    isCorrelatable: keeps,
                    cardinality: multiplied(cardinality, CELCost.elements(schema))
                )
            ]
        }
        if let child = node["items"], let childSchema = schema.items.first {
            let isMap = if case .map = schema.ownership { true } else { false }
            schema.items = [
                attach(
                    childSchema,
                    child,
                    "\(path).items",
                    isRoot: false,
                    isCorrelatable: isCorrelatable && isMap,
                    cardinality: multiplied(cardinality, CELCost.elements(schema))
                )
            ]
        }
        return schema
    }

    private func multiplied(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let (product, overflow) = left.multipliedReportingOverflow(by: right)
        return overflow ? .max : product
    }

    static func factor(_ cost: UInt64, _ limit: UInt64) -> String {
        let factor = Double(cost) / Double(limit)
        return factor > 100 ? "more than 100x" : "\((factor * 10).rounded() / 10)x"
    }

    private static let reasons = [
        "FieldValueRequired", "FieldValueInvalid", "FieldValueForbidden", "FieldValueDuplicate",
    ]

    private mutating func rule(
        _ node: JSONTree,
        _ schema: Schema,
        _ field: String,
        _ isRoot: Bool,
        _ isCorrelatable: Bool,
        _ cardinality: UInt64
    ) -> ValidationRule? {
        let text = node["rule"]?.string ?? ""
        guard !text.trimmed.isEmpty else {
            errors.append(.required("\(field).rule", "rule is not specified"))
            return nil
        }
        if let message = node["message"]?.string {
            if message.trimmed.isEmpty {
                errors.append(.invalid("\(field).message", .string(message), "message must be non-empty if specified"))
            }
            if message.contains("\n") {
                errors.append(.invalid("\(field).message", .string(message), "message must not contain line breaks"))
            }
        } else if text.contains("\n"), node["messageExpression"] == nil {
            errors.append(.required("\(field).message", "message must be specified if rule contains line breaks"))
        }
        if let reason = node["reason"]?.string, !Self.reasons.contains(reason) {
            errors.append(.notSupported("\(field).reason", .string(reason), Self.reasons))
        }
        checkKeys(node, field)
        if let place = node["fieldPath"]?.string, !Self.exists(place, schema) {
            errors.append(
                .invalid(
                    "\(field).fieldPath",
                    .string(place),
                    "fieldPath must be a valid path: does not refer to a valid field"
                )
            )
        }
        let isOptional = node["optionalOldSelf"]?.bool ?? false
        let type = CELType(schema, name: "self", isRoot: isRoot)
        let variables = ["self": type, "oldSelf": isOptional ? .optional(type) : type]
        do {
            let program = try CELProgram(text, variables: variables, result: .bool)
            let isTransition = program.used.contains("oldSelf")
            if isTransition, !isCorrelatable {
                errors.append(
                    .invalid(
                        "\(field).rule",
                        .string(text),
                        "oldSelf cannot be used on the uncorrelatable portion of the schema within \(field)"
                    )
                )
            }
            checkCost(program, schema, isRoot, cardinality, field)
            let message = try node["messageExpression"]?.string.map { (expression) throws(CELError) in
                try CELProgram(expression, variables: variables, result: .string)
            }
            return ValidationRule(
                rule: text,
                message: node["message"]?.string,
                messageExpression: message,
                reason: node["reason"]?.string,
                fieldPath: node["fieldPath"]?.string,
                isOptionalOldSelf: isOptional,
                program: program,
                isTransition: isTransition
            )
        } catch {
            errors.append(.invalid("\(field).rule", .string(text), error.description))
            return nil
        }
    }

    private mutating func checkKeys(_ node: JSONTree, _ field: String) {
        let known: Set = ["rule", "message", "messageExpression", "reason", "fieldPath", "optionalOldSelf"]
        for key in (node.object ?? [:]).keys.sorted() where !known.contains(key) {
            errors.append(.invalid(field, .string(key), "unknown field \"\(key)\" in a validation rule"))
        }
    }

    private static func exists(_ path: String, _ schema: Schema) -> Bool {
        guard path.hasPrefix(".") else { return false }
        var current = schema
        for part in path.dropFirst().split(separator: ".") {
            guard let next = current.member(String(part)) else { return false }
            current = next
        }
        return true
    }

    private mutating func checkCost(
        _ program: CELProgram,
        _ schema: Schema,
        _ isRoot: Bool,
        _ cardinality: UInt64,
        _ field: String
    ) {
        let (cost, overflow) = CELCost.estimate(program.node, schema: schema).multipliedReportingOverflow(
            by: cardinality
        )
        let total = overflow ? UInt64.max : cost
        totalCost = totalCost.addingReportingOverflow(total).overflow ? .max : totalCost + total
        guard total > Self.costLimit else { return }
        errors.append(
            .forbidden(
                "\(field).rule",
                "estimated rule cost exceeds budget by factor of \(Self.factor(total, Self.costLimit)) (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)"
            )
        )
    }
}
