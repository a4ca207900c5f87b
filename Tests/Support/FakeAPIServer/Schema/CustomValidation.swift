import Kubernetes

/// Everything that a CRD says about an object: schema first, then rules.
enum CustomValidation {
    private static let blocking: Set<FieldError.Kind> = [.required, .tooLong, .tooMany, .typeInvalid]

    static func errors(_ object: JSONTree, old: JSONTree?, _ schema: Schema) -> [FieldError] {
        let found = SchemaValidator(schema: schema).errors(object, "")
        // What was wrong before and hasn't been touched is let through.
        var errors = found.filter { !isRatcheted($0, object, old) }
        if errors.contains(where: { blocking.contains($0.kind) }) {
            errors.append(
                .invalid(
                    "",
                    .null,
                    "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation"
                )
            )
            return errors
        }
        check(object, old, schema, "", &errors)
        return errors
    }

    private static func isRatcheted(_ error: FieldError, _ object: JSONTree, _ old: JSONTree?) -> Bool {
        guard let old, error.kind != .required, error.kind != .duplicate else { return false }
        let path = error.field.split(separator: ".").map(String.init)
        guard !path.isEmpty, !error.field.contains("["), let value = object.at(path) else { return false }
        return value == old.at(path)
    }

    private static func check(
        _ value: JSONTree,
        _ old: JSONTree?,
        _ schema: Schema,
        _ path: String,
        _ errors: inout [FieldError]
    ) {
        if value.isNull { return }
        for rule in schema.rules { ask(rule, value, old, schema, path, &errors) }
        switch value {
        case .object(let members):
            for (name, child) in members.sorted(by: { $0.key < $1.key }) {
                guard let childSchema = schema.member(name), !(path.isEmpty && name == "metadata") else { continue }
                check(child, old?[name], childSchema, path.isEmpty ? name : "\(path).\(name)", &errors)
            }
        case .array(let elements):
            guard let items = schema.items.first else { return }
            for (index, element) in elements.enumerated() {
                check(element, previous(element, old, schema), items, "\(path)[\(index)]", &errors)
            }
        default: break
        }
    }

    /// What an element of a list was before; only lists with keys can tell.
    private static func previous(_ element: JSONTree, _ old: JSONTree?, _ schema: Schema) -> JSONTree? {
        guard case .map(let keys) = schema.ownership else { return nil }
        return old?.array?.first { before in keys.allSatisfy { before[$0] == element[$0] } }
    }

    private static func ask(
        _ rule: ValidationRule,
        _ value: JSONTree,
        _ old: JSONTree?,
        _ schema: Schema,
        _ path: String,
        _ errors: inout [FieldError]
    ) {
        var variables = ["self": CELValue(value, schema)]
        let before = old.flatMap { $0.isNull ? nil : CELValue($0, schema) }
        if rule.isOptionalOldSelf {
            variables["oldSelf"] = .optional(before.map { [$0] } ?? [])
        } else if rule.isTransition {
            guard let before else { return }
            variables["oldSelf"] = before
        } else if let old, old == value {
            // Rules that don't compare aren't asked again about what hasn't changed.
            return
        }
        var field = path + (rule.fieldPath ?? "")
        if field.hasPrefix(".") { field.removeFirst() }
        let shown: JSONTree = value.object != nil ? "object" : value.array != nil ? "array" : value
        do throws(CELError) {
            if try rule.program.isTrue(variables) { return }
            errors.append(failure(rule, field, shown, message(rule, variables)))
        } catch {
            errors.append(
                .invalid(field, shown, "rule evaluation error: \(rule.rule): \(error)")
            )
        }
    }

    private static func message(_ rule: ValidationRule, _ variables: [String: CELValue]) -> String {
        // An expression that fails gives way to the fixed message.
        if let expression = rule.messageExpression, case .string(let text)? = try? expression.evaluate(variables),
            !text.trimmed.isEmpty
        {
            return text.trimmed
        }
        return rule.message?.trimmed ?? "failed rule: \(rule.rule.trimmed)"
    }

    private static func failure(_ rule: ValidationRule, _ field: String, _ value: JSONTree, _ message: String)
        -> FieldError
    {
        switch rule.reason {
        case "FieldValueRequired": .required(field, message)
        case "FieldValueForbidden": .forbidden(field, message)
        case "FieldValueDuplicate": .duplicate(field, value)
        default: .invalid(field, value, message)
        }
    }
}
