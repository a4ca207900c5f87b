import Kubernetes

/// A label selector, from a query or from an object.
struct LabelSelector: Sendable {
    enum Operator: Sendable { case isIn, isNotIn, exists, doesNotExist, greater, less }

    struct Requirement: Sendable {
        var key: String
        var operation: Operator
        var values: Set<String> = []
    }

    var requirements: [Requirement] = []

    func matches(_ labels: [String: String]) -> Bool {
        requirements.allSatisfy { requirement in
            let value = labels[requirement.key]
            return switch requirement.operation {
            case .isIn: value.map(requirement.values.contains) ?? false
            case .isNotIn: value.map { !requirement.values.contains($0) } ?? true
            case .exists: value != nil
            case .doesNotExist: value == nil
            case .greater, .less:
                if let number = value.flatMap({ Int64($0) }),
                    let limit = requirement.values.first.flatMap({ Int64($0) })
                {
                    requirement.operation == .greater ? number > limit : number < limit
                } else {
                    false
                }
            }
        }
    }

    /// From a query's `labelSelector`.
    ///
    /// - Throws: ``APIError`` 400.
    init(query: String) throws(APIError) {
        for part in Self.split(query) {
            requirements.append(try Self.requirement(part.trimmed, query))
        }
    }

    /// From an object's `matchLabels` and `matchExpressions`; an empty one matches everything.
    init(_ selector: JSONTree) {
        for (key, value) in selector["matchLabels"]?.strings ?? [:] {
            requirements.append(Requirement(key: key, operation: .isIn, values: [value]))
        }
        for expression in selector["matchExpressions"]?.array ?? [] {
            let operation: Operator =
                switch expression["operator"]?.string {
                case "In": .isIn
                case "NotIn": .isNotIn
                case "Exists": .exists
                default: .doesNotExist
                }
            let values = Set(expression["values"]?.array?.compactMap(\.string) ?? [])
            requirements.append(Requirement(key: expression["key"]?.string ?? "", operation: operation, values: values))
        }
    }

    /// What is wrong with a selector in an object.
    static func errors(_ selector: JSONTree?, _ field: String) -> [FieldError] {
        guard let selector else { return [] }
        var errors = MetaValidation.labelErrors(selector["matchLabels"], "\(field).matchLabels")
        for (index, expression) in (selector["matchExpressions"]?.array ?? []).enumerated() {
            let path = "\(field).matchExpressions[\(index)]"
            let count = expression["values"]?.array?.count ?? 0
            switch expression["operator"]?.string ?? "" {
            case "In", "NotIn":
                if count == 0 {
                    errors.append(.required("\(path).values", "must be specified when `operator` is 'In' or 'NotIn'"))
                }
            case "Exists", "DoesNotExist":
                if count > 0 {
                    errors.append(
                        .forbidden(
                            "\(path).values",
                            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                        )
                    )
                }
            case let other: errors.append(.invalid("\(path).operator", .string(other), "not a valid selector operator"))
            }
            let key = expression["key"]?.string ?? ""
            errors += Names.problemsOfQualifiedName(key).map { .invalid("\(path).key", .string(key), $0) }
        }
        return errors
    }

    private static func split(_ text: String) -> [String] {
        var parts: [String] = []
        var current = ""
        var depth = 0
        for character in text {
            if character == "(" { depth += 1 }
            if character == ")" { depth -= 1 }
            if character == ",", depth == 0 {
                parts.append(current)
                current = ""
            } else {
                current.append(character)
            }
        }
        return current.isEmpty && parts.isEmpty ? [] : parts + [current]
    }

    private static func requirement(_ part: String, _ whole: String) throws(APIError) -> Requirement {
        func checked(_ requirement: Requirement) throws(APIError) -> Requirement {
            let problems =
                Names.problemsOfQualifiedName(requirement.key) + requirement.values.flatMap(Names.problemsOfLabelValue)
            if let problem = problems.first {
                throw .badRequest("unable to parse requirement: \(whole): \(problem)")
            }
            return requirement
        }
        if let match = part.wholeMatch(of: /(\S+)\s+(in|notin)\s*\((.*)\)/) {
            let values = match.3.split(separator: ",", omittingEmptySubsequences: false).map { String($0).trimmed }
            return try checked(
                Requirement(key: String(match.1), operation: match.2 == "in" ? .isIn : .isNotIn, values: Set(values))
            )
        }
        if let match = part.wholeMatch(of: /([^=!<>\s]+)\s*(==|=|!=|>|<)\s*(.*)/) {
            let operation: Operator =
                switch match.2 {
                case "!=": .isNotIn
                case ">": .greater
                case "<": .less
                default: .isIn
                }
            return try checked(
                Requirement(key: String(match.1), operation: operation, values: [String(match.3).trimmed])
            )
        }
        if part.hasPrefix("!") {
            return try checked(Requirement(key: String(part.dropFirst()).trimmed, operation: .doesNotExist))
        }
        guard !part.contains(where: \.isWhitespace) else {
            throw .badRequest("unable to parse requirement: found '\(part)' in '\(whole)'")
        }
        return try checked(Requirement(key: part, operation: .exists))
    }
}

/// A field selector: terms that must all hold.
struct FieldSelector: Sendable {
    var terms: [(path: [String], value: String, isEqual: Bool)] = []

    /// From a query's `fieldSelector`.
    ///
    /// - Throws: ``APIError`` 400 for what isn't one, or for fields that the resource can't be selected by.
    init(query: String, type: ResourceType) throws(APIError) {
        let allowed = ["metadata.name"] + (type.isNamespaced ? ["metadata.namespace"] : []) + type.selectableFields
        for part in query.split(separator: ",") {
            guard let match = String(part).wholeMatch(of: /([^=!]+)(==|!=|=)(.*)/) else {
                throw .badRequest("invalid selector: '\(query)'; can't understand '\(part)'")
            }
            let field = String(match.1)
            guard allowed.contains(field) else {
                let problem = type.isCustom || type.group.isEmpty
                throw .badRequest(
                    problem
                        ? "Unable to find \"\(type.apiVersion), Resource=\(type.resource)\" that match label selector \"\", field selector \"\(query)\": field label not supported: \(field)"
                        : "field label not supported: \(field)"
                )
            }
            terms.append((field.split(separator: ".").map(String.init), String(match.3), match.2 != "!="))
        }
    }

    func matches(_ object: JSONTree) -> Bool {
        terms.allSatisfy { term in
            let value: String =
                switch object.at(term.path) {
                case .string(let text)?: text
                case .bool(let value)?: value ? "true" : "false"
                case .integer(let value)?: String(value)
                default: term.path == ["spec", "hostNetwork"] || term.path == ["spec", "unschedulable"] ? "false" : ""
                }
            return (value == term.value) == term.isEqual
        }
    }
}

extension StringProtocol {
    /// Without white space at both ends.
    var trimmed: String {
        var text = self[...]
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text.drop(while: \.isWhitespace))
    }
}
