/// Asks an expression for its value.
struct CELEvaluator {
    private var variables: [String: CELValue]
    /// Steps that may still be taken; a rule that needs more is refused as the API server does.
    private var budget: Int

    init(variables: [String: CELValue], budget: Int = 1_000_000) {
        self.variables = variables
        self.budget = budget
    }

    mutating func value(_ node: CELNode) throws(CELError) -> CELValue {
        budget -= 1
        guard budget > 0 else {
            throw CELError("call cost exceeds limit; no further validation rules will be run")
        }
        switch node.kind {
        case .literal(let value): return value
        case .ident(let name):
            if let value = variables[name] { return value }
            return .type(name)
        case .select(let operand, let field, let isOptional):
            return try select(try value(operand), field, isOptional)
        case .has(let operand, let field):
            let container = try value(operand)
            if case .optional(let content) = container {
                guard let first = content.first else { return .bool(false) }
                return .bool(try lookup(first, field) != nil)
            }
            return .bool(try lookup(container, field) != nil)
        case .index(let operand, let index, let isOptional):
            return try self.index(try value(operand), try value(index), isOptional)
        case .call(let name, let target, let arguments): return try call(name, target, arguments)
        case .list(let elements): return try list(elements)
        case .map(let entries): return try map(entries)
        case .and(let left, let right): return try junction(left, right, deciding: false)
        case .or(let left, let right): return try junction(left, right, deciding: true)
        case .conditional(let condition, let first, let second):
            guard case .bool(let test) = try value(condition) else { throw CELError("no such overload: _?_:_") }
            return try value(test ? first : second)
        case .macro(let macro): return try self.macro(macro)
        }
    }

    /// `&&` and `||`: an error on one side doesn't matter when the other side decides.
    private mutating func junction(_ left: CELNode, _ right: CELNode, deciding: Bool) throws(CELError) -> CELValue {
        var failure: CELError?
        do throws(CELError) {
            let first = try value(left)
            if first == .bool(deciding) { return first }
            if first != .bool(!deciding) { failure = CELError("no such overload") }
        } catch { failure = error }
        let second = try value(right)
        if second == .bool(deciding) { return second }
        if let failure { throw failure }
        guard case .bool = second else { throw CELError("no such overload") }
        return second
    }

    /// A member; nil when there is none.
    private func lookup(_ container: CELValue, _ field: String) throws(CELError) -> CELValue? {
        guard case .map(let entries) = container else { throw CELError("no such overload: select \(field)") }
        return entries[.string(field)] ?? entries[.string(CELNames.unescaped(field))]
    }

    private func select(_ container: CELValue, _ field: String, _ isOptional: Bool) throws(CELError) -> CELValue {
        if case .optional(let content) = container {
            guard let first = content.first, let found = try lookup(first, field) else { return .optional([]) }
            return .optional([found])
        }
        let found = try lookup(container, field)
        if isOptional { return .optional(found.map { [$0] } ?? []) }
        guard let found else { throw CELError("no such key: \(field)") }
        return found
    }

    private func index(_ container: CELValue, _ index: CELValue, _ isOptional: Bool) throws(CELError) -> CELValue {
        if case .optional(let content) = container {
            guard let first = content.first else { return .optional([]) }
            return try self.index(first, index, true)
        }
        let found: CELValue?
        switch container {
        case .list(let elements):
            guard let number = index.number, number == number.rounded() else {
                throw CELError("unsupported index type")
            }
            found = elements.indices.contains(Int(number)) ? elements[Int(number)] : nil
            if found == nil, !isOptional { throw CELError("index out of bounds: \(Int(number))") }
        case .map(let entries):
            found = entries[index]
            // A key that has no text is shown as a question mark.
            if found == nil, !isOptional { throw CELError("no such key: \((try? CELLibrary.text(index)) ?? "?")") }
        default: throw CELError("no such overload: _[_]")
        }
        if isOptional { return .optional(found.map { [$0] } ?? []) }
        return found ?? .null
    }

    private mutating func call(_ name: String, _ target: CELNode?, _ arguments: [CELNode]) throws(CELError) -> CELValue
    {
        var full = name
        var values: [CELValue] = []
        if let target {
            if case .ident(let space) = target.kind, variables[space] == nil,
                CELLibrary.functions["\(space).\(name)"] != nil
            {
                full = "\(space).\(name)"
            } else {
                values.append(try value(target))
            }
        }
        let isMember = !values.isEmpty
        for argument in arguments { values.append(try value(argument)) }
        switch full {
        case "_==_": return .bool(values[0].equals(values[1]))
        case "_!=_": return .bool(!values[0].equals(values[1]))
        default: return try CELLibrary.call(full, values, isMember: isMember)
        }
    }

    private mutating func list(_ elements: [(CELNode, isOptional: Bool)]) throws(CELError) -> CELValue {
        var values: [CELValue] = []
        for element in elements {
            let value = try value(element.0)
            if element.isOptional, case .optional(let content) = value {
                values += content
            } else {
                values.append(value)
            }
        }
        return .list(values)
    }

    private mutating func map(_ entries: [(CELNode, CELNode, isOptional: Bool)]) throws(CELError) -> CELValue {
        var result: [CELValue: CELValue] = [:]
        for entry in entries {
            let (key, value) = (try value(entry.0), try value(entry.1))
            guard result[key] == nil else { throw CELError("duplicate key in map") }
            if entry.isOptional, case .optional(let content) = value {
                if let first = content.first { result[key] = first }
            } else {
                result[key] = value
            }
        }
        return .map(result)
    }

    private mutating func macro(_ macro: CELNode.Macro) throws(CELError) -> CELValue {
        let range = try value(macro.range)
        let saved = macro.variables.map { variables[$0] }
        defer { for (name, value) in zip(macro.variables, saved) { variables[name] = value } }
        if macro.name == .optMap || macro.name == .optFlatMap { return try optional(macro, range) }
        let pairs: [(CELValue, CELValue)]
        switch range {
        case .list(let elements): pairs = elements.enumerated().map { (.int(Int64($0.offset)), $0.element) }
        case .map(let entries): pairs = entries.map { ($0.key, $0.value) }
        default: throw CELError("no such overload: \(macro.name.rawValue)")
        }
        let isMap = if case .map = range { true } else { false }
        var (hits, failure): (Int, CELError?) = (0, nil)
        var collected: [CELValue] = []
        for (key, element) in pairs {
            let only = isMap ? key : element
            variables[macro.variables[0]] = macro.variables.count > 1 ? key : only
            if macro.variables.count > 1 { variables[macro.variables[1]] = element }
            var isHit = true
            if let predicate = macro.predicate {
                do throws(CELError) {
                    guard case .bool(let test) = try value(predicate) else { throw CELError("no such overload") }
                    isHit = test
                } catch {
                    // An element that decides makes up for one that fails.
                    guard macro.name == .all || macro.name == .exists else { throw error }
                    failure = error
                    continue
                }
            }
            switch macro.name {
            case .all: if !isHit { return .bool(false) }
            case .exists: if isHit { return .bool(true) }
            case .existsOne: hits += isHit ? 1 : 0
            case .filter: if isHit { collected.append(only) }
            default: if isHit, let transform = macro.transform { collected.append(try value(transform)) }
            }
        }
        if let failure { throw failure }
        return switch macro.name {
        case .all: .bool(true)
        case .exists: .bool(false)
        case .existsOne: .bool(hits == 1)
        default: .list(collected)
        }
    }

    private mutating func optional(_ macro: CELNode.Macro, _ range: CELValue) throws(CELError) -> CELValue {
        guard case .optional(let content) = range, let transform = macro.transform else {
            throw CELError("no such overload")
        }
        guard let first = content.first else { return .optional([]) }
        variables[macro.variables[0]] = first
        let result = try value(transform)
        return macro.name == .optMap ? .optional([result]) : result
    }
}
