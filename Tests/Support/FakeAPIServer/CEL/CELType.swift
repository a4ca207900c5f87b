/// What a part of an expression can be.
indirect enum CELType: Sendable, Equatable, CustomStringConvertible {
    case dyn, null, bool, int, uint, double, string, bytes, timestamp, duration, type
    case list(CELType)
    case map(CELType, CELType)
    case optional(CELType)
    case object(CELObjectType)
    case opaque(String)
    /// Stands for any one type within a function's signature.
    case parameter(String)

    var description: String {
        switch self {
        case .dyn: "dyn"
        case .null: "null"
        case .bool: "bool"
        case .int: "int"
        case .uint: "uint"
        case .double: "double"
        case .string: "string"
        case .bytes: "bytes"
        case .timestamp: "timestamp"
        case .duration: "duration"
        case .type: "type"
        case .list(let element): "list(\(element))"
        case .map(let key, let value): "map(\(key), \(value))"
        case .optional(let value): "optional_type(\(value))"
        case .object(let object): object.name
        case .opaque(let name): name
        case .parameter(let name): name
        }
    }

    /// Whether a value of this type may stand where `other` is wanted; type parameters are bound on the way.
    func fits(_ other: CELType, _ bound: inout [String: CELType]) -> Bool {
        if case .parameter(let name) = other {
            guard let known = bound[name] else {
                bound[name] = self
                return true
            }
            if known == .dyn { return true }
            if self == .dyn {
                bound[name] = .dyn
                return true
            }
            return fits(known, &bound)
        }
        if case .parameter = self { return true }
        if self == .dyn || other == .dyn { return true }
        switch (self, other) {
        case (.list(let left), .list(let right)), (.optional(let left), .optional(let right)):
            return left.fits(right, &bound)
        case (.map(let leftKey, let left), .map(let rightKey, let right)):
            return leftKey.fits(rightKey, &bound) && left.fits(right, &bound)
        case (.null, .timestamp), (.null, .duration), (.null, .object), (.timestamp, .null), (.duration, .null),
            (.object, .null):
            return true
        default: return self == other
        }
    }

    func filled(_ bound: [String: CELType]) -> CELType {
        switch self {
        case .parameter(let name): bound[name] ?? .dyn
        case .list(let element): .list(element.filled(bound))
        case .optional(let value): .optional(value.filled(bound))
        case .map(let key, let value): .map(key.filled(bound), value.filled(bound))
        default: self
        }
    }
}

/// An object whose fields are known.
struct CELObjectType: Sendable, Equatable {
    var name: String
    var fields: [String: CELType]
}
