import Foundation

extension CELLibrary {
    private static let quantityType = CELType.opaque("kubernetes.Quantity")
    private static func step(_ kind: AuthorizerStep.Kind) -> CELType {
        .opaque("kubernetes.authorization.\(kind.rawValue)")
    }

    static let kubernetes: [(String, CELOverload)] = quantities + texts + authorizer

    private static func box(_ value: CELValue) throws(CELError) -> Quantity {
        guard case .opaque(.quantity(let box)) = value, let quantity = box.value else { throw noOverload("quantity") }
        return quantity
    }

    private static let quantities = [
        global("quantity", [.string], quantityType) { (values) throws(CELError) in
            guard case .string(let text) = values[0], Quantity(text) != nil else {
                throw CELError("quantities must match the regular expression")
            }
            return .opaque(.quantity(CELOpaque.QuantityBox(text: text)))
        },
        global("isQuantity", [.string], .bool) { (values) throws(CELError) in
            guard case .string(let text) = values[0] else { throw noOverload("isQuantity") }
            return .bool(Quantity(text) != nil)
        },
        member("isGreaterThan", [quantityType, quantityType], .bool) { (values) throws(CELError) in
            .bool(try box(values[0]) > (try box(values[1])))
        },
        member("isLessThan", [quantityType, quantityType], .bool) { (values) throws(CELError) in
            .bool(try box(values[0]) < (try box(values[1])))
        },
        member("compareTo", [quantityType, quantityType], .int) { (values) throws(CELError) in
            let (left, right) = (try box(values[0]), try box(values[1]))
            return .int(left < right ? -1 : left == right ? 0 : 1)
        },
    ]

    private static let texts = [
        global("isURL", [.string], .bool, .scan([0])) { (values) throws(CELError) in
            guard case .string(let text) = values[0] else { throw noOverload("isURL") }
            return .bool(URL(string: text)?.scheme != nil || text.hasPrefix("/"))
        },
        global("isIP", [.string], .bool, .scan([0])) { (values) throws(CELError) in
            guard case .string(let text) = values[0] else { throw noOverload("isIP") }
            return .bool(Formats.isValid(text, "ipv4") || text.contains(":"))
        },
    ]

    private static func changed(
        _ name: String,
        _ from: AuthorizerStep.Kind,
        _ to: AuthorizerStep.Kind,
        _ change: @escaping @Sendable (inout AuthorizerStep, String) -> Void
    ) -> (String, CELOverload) {
        member(name, [step(from), .string], step(to)) { (values) throws(CELError) in
            guard case .opaque(.authorizer(var step)) = values[0], case .string(let text) = values[1] else {
                throw noOverload(name)
            }
            step.kind = to
            change(&step, text)
            return .opaque(.authorizer(step))
        }
    }

    private static let authorizer: [(String, CELOverload)] = [
        changed("group", .authorizer, .group) { $0.group = $1 },
        changed("path", .authorizer, .path) { $0.path = $1 },
        changed("resource", .group, .resource) { $0.resource = $1 },
        changed("subresource", .resource, .resource) { $0.subresource = $1 },
        changed("namespace", .resource, .resource) { $0.namespace = $1 },
        changed("name", .resource, .resource) { $0.name = $1 },
        member("serviceAccount", [step(.authorizer), .string, .string], step(.authorizer)) {
            (values) throws(CELError) in
            guard case .opaque(.authorizer(var step)) = values[0], case .string(let namespace) = values[1],
                case .string(let name) = values[2]
            else { throw noOverload("serviceAccount") }
            step.identity = Identity(username: "system:serviceaccount:\(namespace):\(name)")
            return .opaque(.authorizer(step))
        },
        check(.resource), check(.path),
        member("allowed", [step(.decision)], .bool) { (values) throws(CELError) in
            guard case .opaque(.authorizer(let step)) = values[0] else { throw noOverload("allowed") }
            return .bool(step.isAllowed)
        },
        member("reason", [step(.decision)], .string) { (_) throws(CELError) in .string("") },
        member("errored", [step(.decision)], .bool) { (_) throws(CELError) in .bool(false) },
        member("error", [step(.decision)], .string) { (_) throws(CELError) in .string("") },
    ]

    private static func check(_ kind: AuthorizerStep.Kind) -> (String, CELOverload) {
        member("check", [step(kind), .string], step(.decision), .fixed(350_000)) { (values) throws(CELError) in
            guard case .opaque(.authorizer(var step)) = values[0], case .string(let verb) = values[1] else {
                throw noOverload("check")
            }
            step.isAllowed = step.source.decide(step, verb)
            step.kind = .decision
            return .opaque(.authorizer(step))
        }
    }

    /// Calls a function by the values' types.
    static func call(_ name: String, _ values: [CELValue], isMember: Bool = false) throws(CELError) -> CELValue {
        let candidates = (functions[name] ?? []).filter {
            $0.parameters.count == values.count && $0.isMember == isMember
        }
        for overload in candidates {
            var bound: [String: CELType] = [:]
            let fits = zip(values, overload.parameters).allSatisfy { value, type in value.looseType.fits(type, &bound) }
            if fits { return try overload.body(values) }
        }
        throw CELError("no such overload: \(name)")
    }
}

extension CELValue {
    /// Its type, elements unseen.
    var looseType: CELType {
        switch self {
        case .null: .null
        case .bool: .bool
        case .int: .int
        case .uint: .uint
        case .double: .double
        case .string: .string
        case .bytes: .bytes
        case .list: .list(.dyn)
        case .map: .map(.dyn, .dyn)
        case .timestamp: .timestamp
        case .duration: .duration
        case .type: .type
        case .optional(let content): .optional(content.first?.looseType ?? .dyn)
        case .opaque(let value): .opaque(value.typeName)
        }
    }
}
