/// Finds the type of an expression, or what is wrong with it.
struct CELChecker {
    private var scopes: [[String: CELType]]
    /// Every variable that was named.
    private(set) var used: Set<String> = []

    init(variables: [String: CELType]) { scopes = [variables] }

    mutating func type(_ node: CELNode) throws(CELSyntaxError) -> CELType {
        switch node.kind {
        case .literal(let value): return value.literalType
        case .ident(let name): return try variable(name, node)
        case .select(let operand, let field, let isOptional):
            if let name = qualified(node), name == "sets" { return .dyn }
            return try select(try type(operand), field, isOptional, node)
        case .has(let operand, let field):
            _ = try select(try type(operand), field, false, node)
            return .bool
        case .index(let operand, let index, let isOptional): return try self.index(operand, index, isOptional, node)
        case .call(let name, let target, let arguments): return try call(name, target, arguments, node)
        case .list(let elements):
            var types: [CELType] = []
            for element in elements { types.append(unwrapped(try type(element.0), element.isOptional)) }
            return .list(joined(types))
        case .map(let entries):
            var (keys, values): ([CELType], [CELType]) = ([], [])
            for entry in entries {
                keys.append(try type(entry.0))
                values.append(unwrapped(try type(entry.1), entry.isOptional))
            }
            return .map(joined(keys), joined(values))
        case .and(let left, let right), .or(let left, let right):
            let name: String = if case .and = node.kind { "_&&_" } else { "_||_" }
            let (first, second) = (try type(left), try type(right))
            guard isBool(first), isBool(second) else { throw noOverload(name, [first, second], node) }
            return .bool
        case .conditional(let condition, let first, let second):
            let test = try type(condition)
            let (left, right) = (try type(first), try type(second))
            var bound: [String: CELType] = [:]
            guard isBool(test), left.fits(right, &bound) || right.fits(left, &bound) else {
                throw noOverload("_?_:_", [test, left, right], node)
            }
            return left == .dyn || right == .dyn ? .dyn : left == .null ? right : left
        case .macro(let macro): return try self.macro(macro, node)
        }
    }

    private func isBool(_ type: CELType) -> Bool { type == .bool || type == .dyn }

    private func unwrapped(_ type: CELType, _ isOptional: Bool) -> CELType {
        if isOptional, case .optional(let content) = type { return content }
        return type
    }

    private func joined(_ types: [CELType]) -> CELType {
        guard let first = types.first else { return .dyn }
        return types.allSatisfy { $0 == first } ? first : .dyn
    }

    private mutating func variable(_ name: String, _ node: CELNode) throws(CELSyntaxError) -> CELType {
        for scope in scopes.reversed() {
            if let type = scope[name] {
                used.insert(name)
                return type
            }
        }
        if ["int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type"].contains(name) {
            return .type
        }
        throw CELSyntaxError("undeclared reference to '\(name)' (in container '')", offset: node.offset)
    }

    private func qualified(_ node: CELNode) -> String? {
        if case .ident(let name) = node.kind, scopes.allSatisfy({ $0[name] == nil }) { return name }
        return nil
    }

    private func select(_ type: CELType, _ field: String, _ isOptional: Bool, _ node: CELNode) throws(CELSyntaxError)
        -> CELType
    {
        let result: CELType
        switch type {
        case .dyn: result = .dyn
        case .map(_, let value): result = value
        case .optional(let content): return .optional(try select(content, field, false, node))
        case .object(let object):
            guard let found = object.fields[field] else {
                throw CELSyntaxError("undefined field '\(field)'", offset: node.offset)
            }
            result = found
        default:
            throw CELSyntaxError("type '\(type)' does not support field selection", offset: node.offset)
        }
        return isOptional ? .optional(result) : result
    }

    private mutating func index(_ operand: CELNode, _ index: CELNode, _ isOptional: Bool, _ node: CELNode)
        throws(CELSyntaxError) -> CELType
    {
        let (container, key) = (try type(operand), try type(index))
        var bound: [String: CELType] = [:]
        var result: CELType?
        switch container {
        case .dyn: result = .dyn
        case .list(let element): if key.fits(.int, &bound) { result = element }
        case .map(let wanted, let value): if key.fits(wanted, &bound) { result = value }
        case .optional(.list(let element)): result = .optional(element)
        case .optional(.map(_, let value)): result = .optional(value)
        default: break
        }
        guard let result else { throw noOverload("_[_]", [container, key], node) }
        if case .optional = result { return result }
        return isOptional ? .optional(result) : result
    }

    private mutating func call(_ name: String, _ target: CELNode?, _ arguments: [CELNode], _ node: CELNode)
        throws(CELSyntaxError) -> CELType
    {
        var full = name
        var types: [CELType] = []
        var isMember = false
        if let target {
            if let space = qualified(target), CELLibrary.functions["\(space).\(name)"] != nil {
                full = "\(space).\(name)"
            } else {
                types.append(try type(target))
                isMember = true
            }
        }
        for argument in arguments { types.append(try type(argument)) }
        guard let overloads = CELLibrary.functions[full] else {
            throw CELSyntaxError("undeclared reference to '\(full)' (in container '')", offset: node.offset)
        }
        var result: CELType?
        for overload in overloads where overload.isMember == isMember && overload.parameters.count == types.count {
            var bound: [String: CELType] = [:]
            var fits = true
            for (given, wanted) in zip(types, overload.parameters) where fits { fits = given.fits(wanted, &bound) }
            guard fits else { continue }
            let filled = overload.result.filled(bound)
            result = result == nil || result == filled ? filled : .dyn
        }
        guard let result else { throw noOverload(full, types, node, isMember: isMember) }
        if full == "matches" { try checkPattern(arguments.last) }
        return result
    }

    /// A pattern that is written down is looked at before anything is asked.
    private func checkPattern(_ node: CELNode?) throws(CELSyntaxError) {
        guard let node, case .literal(.string(let pattern)) = node.kind, let problem = RE2.problem(pattern) else {
            return
        }
        throw CELSyntaxError("invalid matches argument: \(problem)", offset: node.offset)
    }

    private mutating func macro(_ macro: CELNode.Macro, _ node: CELNode) throws(CELSyntaxError) -> CELType {
        let range = try type(macro.range)
        let (first, second): (CELType, CELType)
        switch range {
        case .list(let element): (first, second) = macro.variables.count > 1 ? (.int, element) : (element, .dyn)
        case .map(let key, let value): (first, second) = (key, value)
        case .dyn: (first, second) = (.dyn, .dyn)
        case .optional(let content) where macro.name == .optMap || macro.name == .optFlatMap:
            (first, second) = (content, .dyn)
        default:
            throw CELSyntaxError(
                "expression of type '\(range)' cannot be range of a comprehension (must be list, map, or dynamic)",
                offset: macro.range.offset
            )
        }
        var scope = [macro.variables[0]: first]
        if macro.variables.count > 1 { scope[macro.variables[1]] = second }
        scopes.append(scope)
        defer { scopes.removeLast() }
        if let predicate = macro.predicate {
            let test = try type(predicate)
            guard isBool(test) else {
                throw CELSyntaxError(
                    "found no matching overload for '_&&_' applied to '(bool, \(test))'",
                    offset: predicate.offset
                )
            }
        }
        switch macro.name {
        case .all, .exists, .existsOne: return .bool
        case .filter: return .list(first)
        case .map, .optMap, .optFlatMap:
            guard let transform = macro.transform else { return .dyn }
            let result = try type(transform)
            return macro.name == .map ? .list(result) : macro.name == .optMap ? .optional(result) : result
        }
    }

    private func noOverload(_ name: String, _ types: [CELType], _ node: CELNode, isMember: Bool = false)
        -> CELSyntaxError
    {
        let list = types.map(\.description)
        let applied =
            isMember ? "\(list[0]).(\(list.dropFirst().joined(separator: ", ")))" : "(\(list.joined(separator: ", ")))"
        return CELSyntaxError("found no matching overload for '\(name)' applied to '\(applied)'", offset: node.offset)
    }
}

extension CELValue {
    fileprivate var literalType: CELType { looseType }
}
