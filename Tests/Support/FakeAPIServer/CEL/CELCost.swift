import Kubernetes

/// How much a rule may cost at worst, by what the schema says about sizes.
///
/// After the API server's way of counting: one a step, a tenth of a text's bytes to read it, loops by the number of elements
/// that may be there; what has no limit may fill a whole request (3 MiB).
struct CELCost {
    private struct Estimate {
        var cost: UInt64
        var size: UInt64 = 1
        var schema: Schema?
    }

    private static let requestSize: UInt64 = 3 << 20
    private var scopes: [String: Schema]

    static func estimate(_ node: CELNode, schema: Schema) -> UInt64 {
        var counter = CELCost(scopes: ["self": schema, "oldSelf": schema])
        return counter.estimate(node).cost
    }

    /// The most elements, members or bytes that a value can have.
    static func elements(_ schema: Schema?) -> UInt64 {
        guard let schema else { return requestSize }
        switch schema.type {
        case "array":
            if let most = schema.limits.maxItems { return UInt64(max(most, 0)) }
            return requestSize / (smallest(schema.items.first) + 1)
        case "object":
            if let most = schema.limits.maxProperties { return UInt64(max(most, 0)) }
            guard let value = schema.additional.first else { return UInt64(schema.properties.count) }
            return requestSize / (smallest(value) + 6)
        case "string":
            if let most = schema.limits.maxLength { return UInt64(max(most, 0)) * 4 }
            if let words = schema.limits.enumeration {
                return UInt64(words.map { $0.description.utf8.count }.max() ?? 0)
            }
            switch schema.format {
            case "date-time", "date", "duration": return 40
            default: return requestSize - 2
            }
        case "boolean", "integer", "number": return 1
        default: return requestSize
        }
    }

    /// The fewest bytes of a value within a request.
    private static func smallest(_ schema: Schema?) -> UInt64 {
        switch schema?.type {
        case "string", "array": 2
        case "object":
            (schema?.required ?? []).reduce(2) { $0 + UInt64($1.utf8.count) + 4 + smallest(schema?.properties[$1]) }
        default: 1
        }
    }

    private mutating func estimate(_ node: CELNode) -> Estimate {
        switch node.kind {
        case .literal(let value):
            let size: UInt64 = if case .string(let text) = value { UInt64(text.utf8.count) } else { 1 }
            return Estimate(cost: 0, size: size)
        case .ident(let name):
            return Estimate(cost: 1, size: Self.elements(scopes[name]), schema: scopes[name])
        case .select(let operand, let field, _):
            let container = estimate(operand)
            let schema = container.schema?.member(CELNames.unescaped(field))
            return Estimate(cost: container.cost + 1, size: Self.elements(schema), schema: schema)
        case .has(let operand, _): return Estimate(cost: estimate(operand).cost + 1)
        case .index(let operand, let index, _):
            let container = estimate(operand)
            let schema = container.schema?.items.first ?? container.schema?.additional.first
            return Estimate(
                cost: sum([container.cost, estimate(index).cost, 1]),
                size: Self.elements(schema),
                schema: schema
            )
        case .list(let elements):
            return Estimate(cost: sum(elements.map { estimate($0.0).cost } + [10]), size: UInt64(elements.count))
        case .map(let entries):
            return Estimate(
                cost: sum(entries.flatMap { [estimate($0.0).cost, estimate($0.1).cost] } + [30]),
                size: UInt64(entries.count)
            )
        case .and(let left, let right), .or(let left, let right):
            return Estimate(cost: sum([estimate(left).cost, estimate(right).cost]))
        case .conditional(let test, let first, let second):
            let (one, other) = (estimate(first), estimate(second))
            return Estimate(
                cost: sum([estimate(test).cost, max(one.cost, other.cost)]),
                size: max(one.size, other.size)
            )
        case .call(let name, let target, let arguments):
            return call(name, ((target.map { [$0] } ?? []) + arguments).map { estimate($0) })
        case .macro(let macro): return loop(macro)
        }
    }

    private func sum(_ costs: [UInt64]) -> UInt64 {
        costs.reduce(0) { total, cost in
            let (result, overflow) = total.addingReportingOverflow(cost)
            return overflow ? .max : result
        }
    }

    private func product(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let (result, overflow) = left.multipliedReportingOverflow(by: right)
        return overflow ? .max : result
    }

    private func call(_ name: String, _ arguments: [Estimate]) -> Estimate {
        let before = sum(arguments.map(\.cost))
        let overload = CELLibrary.functions[name]?.first
        var own: UInt64 = 1
        switch overload?.cost ?? .constant {
        case .constant: break
        case .scan(let which):
            let sizes = which.filter { $0 < arguments.count }.map { arguments[$0].size }
            // Comparing ends with the shorter of two.
            let isComparison = name.hasPrefix("_") && name != "_+_"
            let size = isComparison ? sizes.min() ?? 1 : sum(sizes)
            own += size / 10
        case .match:
            own = product((arguments.first?.size ?? 1) / 10 + 1, (arguments.last?.size ?? 1) / 4 + 1)
        case .elements: own += (arguments.map(\.size).max() ?? 1)
        case .fixed(let cost): own += cost
        }
        let size: UInt64 =
            switch name {
            case "_+_": sum(arguments.map(\.size))
            case "size", "_==_", "@in", "contains", "startsWith", "endsWith", "matches": 1
            default: arguments.first?.size ?? 1
            }
        return Estimate(cost: sum([before, own]), size: size)
    }

    private mutating func loop(_ macro: CELNode.Macro) -> Estimate {
        let range = estimate(macro.range)
        let element = range.schema?.items.first
        var names: [String: Schema?] = [:]
        for name in macro.variables { names[name] = scopes[name] }
        let text = Schema(type: "string")
        let isMap = range.schema?.type == "object"
        let first: Schema? =
            macro.variables.count > 1 ? (isMap ? text : Schema(type: "integer")) : (isMap ? text : element)
        scopes[macro.variables[0]] = first
        if macro.variables.count > 1 { scopes[macro.variables[1]] = isMap ? range.schema?.additional.first : element }
        let predicate = macro.predicate.map { estimate($0).cost } ?? 0
        let transform = macro.transform.map { estimate($0) }
        for (name, schema) in names { scopes[name] = schema }
        let body = sum([predicate, transform?.cost ?? 0, 2])
        var result = Estimate(cost: sum([range.cost, product(range.size, body), 1]), size: range.size)
        switch macro.name {
        case .filter: result.schema = range.schema
        case .all, .exists, .existsOne: result.size = 1
        default: break
        }
        return result
    }
}
