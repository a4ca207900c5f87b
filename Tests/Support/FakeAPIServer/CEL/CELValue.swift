import Foundation

/// A value of the Common Expression Language.
enum CELValue: Sendable, Hashable {
    case null
    case bool(Bool)
    case int(Int64)
    case uint(UInt64)
    case double(Double)
    case string(String)
    case bytes([UInt8])
    case list([CELValue])
    case map([CELValue: CELValue])
    case timestamp(Date)
    /// In seconds.
    case duration(Double)
    case type(String)
    /// Empty, or one value.
    case optional([CELValue])
    /// What a library hands round: a quantity, an authorizer on its way to a check.
    case opaque(CELOpaque)

    /// The type's name, as `type()` gives it.
    var typeName: String {
        switch self {
        case .null: "null_type"
        case .bool: "bool"
        case .int: "int"
        case .uint: "uint"
        case .double: "double"
        case .string: "string"
        case .bytes: "bytes"
        case .list: "list"
        case .map: "map"
        case .timestamp: "google.protobuf.Timestamp"
        case .duration: "google.protobuf.Duration"
        case .type: "type"
        case .optional: "optional_type"
        case .opaque(let value): value.typeName
        }
    }

    /// Whether two values are equal; numbers of different types are when their values are.
    func equals(_ other: CELValue) -> Bool {
        switch (self, other) {
        case (.list(let left), .list(let right)):
            return left.count == right.count && zip(left, right).allSatisfy { $0.equals($1) }
        case (.map(let left), .map(let right)):
            return left.count == right.count && left.allSatisfy { key, value in right[key]?.equals(value) ?? false }
        default:
            if let left = number, let right = other.number, typeName != other.typeName { return left == right }
            return self == other
        }
    }

    var number: Double? {
        switch self {
        case .int(let value): Double(value)
        case .uint(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }
}

/// A value that only its own functions can look into.
enum CELOpaque: Sendable, Hashable {
    case quantity(QuantityBox)
    case authorizer(AuthorizerStep)

    var typeName: String {
        switch self {
        case .quantity: "kubernetes.Quantity"
        case .authorizer(let step): "kubernetes.authorization.\(step.kind.rawValue)"
        }
    }

    /// A quantity by its text: equal ones may be written differently.
    struct QuantityBox: Sendable, Hashable {
        var text: String
        var value: Quantity? { Quantity(text) }
    }
}

/// `authorizer`, and what its functions make of it.
struct AuthorizerStep: Sendable, Hashable {
    enum Kind: String, Sendable {
        case authorizer = "Authorizer"
        case group = "GroupCheck"
        case resource = "ResourceCheck"
        case path = "PathCheck"
        case decision = "Decision"
    }

    /// What answers `check`; steps are alike whoever is asked.
    struct Source: Sendable, Hashable {
        let decide: @Sendable (AuthorizerStep, _ verb: String) -> Bool

        static func == (_: Source, _: Source) -> Bool { true }
        func hash(into: inout Hasher) {}
    }

    var kind = Kind.authorizer
    var source: Source
    var identity: Identity
    var group = ""
    var resource = ""
    var subresource = ""
    var namespace = ""
    var name = ""
    var path = ""
    var isAllowed = false
}

/// Why an expression has no value.
struct CELError: Error, Sendable, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// Durations as Go writes them: `1h30m`, `1.5s`.
enum CELDuration {
    private static let units: [(Substring, Double)] = [
        ("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1), ("m", 60), ("h", 3600),
    ]

    static func parse(_ text: String) -> Double? {
        var rest = text[...]
        var sign = 1.0
        if rest.hasPrefix("-") || rest.hasPrefix("+") {
            if rest.hasPrefix("-") { sign = -1 }
            rest = rest.dropFirst()
        }
        if rest == "0" { return 0 }
        guard !rest.isEmpty else { return nil }
        var total = 0.0
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isNumber || $0 == "." }
            guard let value = Double(digits) else { return nil }
            rest = rest.dropFirst(digits.count)
            let name = rest.prefix { $0.isLetter }
            guard let unit = units.first(where: { $0.0 == name })?.1 else { return nil }
            total += value * unit
            rest = rest.dropFirst(name.count)
        }
        return total * sign
    }
}
