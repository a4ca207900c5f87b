import Kubernetes

/// Holds a value against what a CRD's schema says, without its rules in CEL.
struct SchemaValidator {
    let schema: Schema

    func errors(_ value: JSONTree, _ path: String) -> [FieldError] {
        var errors: [FieldError] = []
        check(value, schema, path, &errors)
        return errors
    }

    private func check(_ value: JSONTree, _ schema: Schema, _ path: String, _ errors: inout [FieldError]) {
        if value.isNull {
            if schema.isNullable || (schema.type == nil && schema.preservesUnknown) { return }
            if let type = schema.type ?? (schema.isIntOrString ? "integer,string" : nil) {
                errors.append(.typeInvalid(path, "null", "\(path) in body must be of type \(type): \"null\""))
            }
            return
        }
        guard hasRightType(value, schema) else {
            let type = schema.isIntOrString ? "integer,string" : schema.type ?? ""
            let given = value.typeName
            errors.append(.typeInvalid(path, .string(given), "\(path) in body must be of type \(type): \"\(given)\""))
            return
        }
        checkLimits(value, schema, path, &errors)
        switch value {
        case .object(let members):
            for name in schema.required where members[name] == nil {
                errors.append(.required(path.isEmpty ? name : "\(path).\(name)"))
            }
            for (name, child) in members.sorted(by: { $0.key < $1.key }) {
                guard let childSchema = schema.member(name) else { continue }
                // Metadata has been checked for itself.
                if path.isEmpty, name == "metadata" {
                    checkRootMetadata(child, childSchema, &errors)
                    continue
                }
                check(child, childSchema, path.isEmpty ? name : "\(path).\(name)", &errors)
            }
        case .array(let elements):
            if let items = schema.items.first {
                for (index, element) in elements.enumerated() { check(element, items, "\(path)[\(index)]", &errors) }
            }
            checkUnique(elements, schema, path, &errors)
        default: break
        }
    }

    private func checkRootMetadata(_ value: JSONTree, _ schema: Schema, _ errors: inout [FieldError]) {
        for name in ["name", "generateName"] {
            guard let child = value[name], let limited = schema.properties[name] else { continue }
            checkLimits(child, limited, "metadata.\(name)", &errors)
        }
    }

    private func hasRightType(_ value: JSONTree, _ schema: Schema) -> Bool {
        if schema.isIntOrString { return value.integer != nil || value.string != nil }
        switch schema.type {
        case "object": return value.object != nil
        case "array": return value.array != nil
        case "string": return value.string != nil
        case "boolean": return value.bool != nil
        case "integer": return value.typeName == "integer"
        case "number": return value.double != nil
        default: return true
        }
    }

    private func checkLimits(_ value: JSONTree, _ schema: Schema, _ path: String, _ errors: inout [FieldError]) {
        let limits = schema.limits
        if let allowed = limits.enumeration, !allowed.contains(value) {
            errors.append(.notSupported(path, value, allowed.map { $0.string ?? $0.description }))
        }
        if let text = value.string { checkText(text, schema, path, &errors) }
        if let number = value.double { checkNumber(number, value, limits, path, &errors) }
        if let elements = value.array {
            if let most = limits.maxItems, elements.count > most {
                errors.append(.tooMany(path, elements.count, atMost: most))
            }
            if let least = limits.minItems, elements.count < least {
                errors.append(
                    .invalid(
                        path,
                        .integer(Int64(elements.count)),
                        "\(path) in body should have at least \(least) items"
                    )
                )
            }
        }
        if let members = value.object {
            if let most = limits.maxProperties, members.count > most {
                errors.append(.tooMany(path, members.count, atMost: most))
            }
            if let least = limits.minProperties, members.count < least {
                errors.append(
                    .invalid(
                        path,
                        .integer(Int64(members.count)),
                        "\(path) in body should have at least \(least) properties"
                    )
                )
            }
        }
        for part in limits.allOf { check(value, part, path, &errors) }
        let fits = { (part: Schema) in SchemaValidator(schema: part).errors(value, path).isEmpty }
        if !limits.anyOf.isEmpty, !limits.anyOf.contains(where: fits) {
            errors.append(.invalid(path, value, "\(path) in body must validate at least one schema (anyOf)"))
        }
        if !limits.oneOf.isEmpty, limits.oneOf.count(where: fits) != 1 {
            errors.append(.invalid(path, value, "\(path) in body must validate one and only one schema (oneOf)"))
        }
        if limits.not.contains(where: fits) {
            errors.append(.invalid(path, value, "\(path) in body must not validate the schema (not)"))
        }
    }

    private func checkText(_ text: String, _ schema: Schema, _ path: String, _ errors: inout [FieldError]) {
        let count = text.unicodeScalars.count
        if let most = schema.limits.maxLength, count > most { errors.append(.tooLong(path, atMost: most)) }
        if let least = schema.limits.minLength, count < least {
            errors.append(.invalid(path, .string(text), "\(path) in body should be at least \(least) chars long"))
        }
        if let pattern = schema.limits.pattern, !RE2.matches(text, pattern) {
            errors.append(.invalid(path, .string(text), "\(path) in body should match '\(pattern)'"))
        }
        if let format = schema.format, !Formats.isValid(text, format) {
            errors.append(.typeInvalid(path, .string(text), "\(path) in body must be of type \(format): \"\(text)\""))
        }
    }

    private func checkNumber(
        _ number: Double,
        _ value: JSONTree,
        _ limits: Schema.Limits,
        _ path: String,
        _ errors: inout [FieldError]
    ) {
        let shown = { (limit: Double) in limit == limit.rounded() && abs(limit) < 1e15 ? "\(Int64(limit))" : "\(limit)"
        }
        if let most = limits.maximum, limits.isExclusiveMaximum ? number >= most : number > most {
            let word = limits.isExclusiveMaximum ? "less than" : "less than or equal to"
            errors.append(.invalid(path, value, "\(path) in body should be \(word) \(shown(most))"))
        }
        if let least = limits.minimum, limits.isExclusiveMinimum ? number <= least : number < least {
            let word = limits.isExclusiveMinimum ? "greater than" : "greater than or equal to"
            errors.append(.invalid(path, value, "\(path) in body should be \(word) \(shown(least))"))
        }
        if let factor = limits.multipleOf, factor != 0, number.truncatingRemainder(dividingBy: factor) != 0 {
            errors.append(.invalid(path, value, "\(path) in body should be a multiple of \(shown(factor))"))
        }
    }

    private func checkUnique(_ elements: [JSONTree], _ schema: Schema, _ path: String, _ errors: inout [FieldError]) {
        var seen: Set<JSONTree> = []
        switch schema.ownership {
        case .set:
            for (index, element) in elements.enumerated() where !seen.insert(element).inserted {
                errors.append(.duplicate("\(path)[\(index)]", element))
            }
        case .map(let keys):
            for (index, element) in elements.enumerated() {
                var key: JSONTree = [:]
                for name in keys { key[name] = element[name] ?? schema.items.first?.properties[name]?.defaultValue }
                if !seen.insert(key).inserted { errors.append(.duplicate("\(path)[\(index)]", key)) }
            }
        default: break
        }
    }
}

/// Formats that the API server checks in CRDs; others are ignored.
enum Formats {
    static func isValid(_ text: String, _ format: String) -> Bool {
        switch format {
        case "date-time": Times.parse(text) != nil
        case "date": text.wholeMatch(of: /\d{4}-\d\d-\d\d/) != nil && Times.parse("\(text)T00:00:00Z") != nil
        case "duration": CELDuration.parse(text) != nil
        case "uuid": text.wholeMatch(of: /[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}/) != nil
        case "byte": text.wholeMatch(of: /([A-Za-z0-9+\/]{4})*([A-Za-z0-9+\/]{2}==|[A-Za-z0-9+\/]{3}=)?/) != nil
        case "ipv4":
            text.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }.count { $0 != nil } == 4
        default: true
        }
    }
}
