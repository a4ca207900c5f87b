/// A JSON tree that keeps what it doesn't know: what is read, changed and written back loses no field.
///
/// Objects of the Kubernetes API hold 64-bit integers and floating-point numbers, both of which survive.
public enum JSONTree: Sendable, Hashable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSONTree])
    case object([String: JSONTree])

    /// The text, when it is one.
    public var string: String? { if case .string(let value) = self { value } else { nil } }
    /// The truth value, when it is one.
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    /// The whole number, when it is one.
    public var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
    /// The elements, when it is a list.
    public var array: [JSONTree]? { if case .array(let value) = self { value } else { nil } }
    /// The members, when it is an object.
    public var object: [String: JSONTree]? { if case .object(let value) = self { value } else { nil } }
    /// Whether it is `null`.
    public var isNull: Bool { self == .null }

    /// A member; setting nil removes it, and setting one of what isn't an object makes an object of it.
    public subscript(key: String) -> JSONTree? {
        get { if case .object(let members) = self { members[key] } else { nil } }
        set {
            var members = object ?? [:]
            // Not held here as well while it is changed, or every change would copy all members.
            self = .null
            members[key] = newValue
            self = .object(members)
        }
    }

    /// An element; nil where there is none.
    public subscript(index: Int) -> JSONTree? {
        guard case .array(let elements) = self, elements.indices.contains(index) else { return nil }
        return elements[index]
    }

    /// What is below `path`, member by member; nil where a member is missing.
    public subscript(path path: String...) -> JSONTree? {
        path.reduce(self) { value, key in value?[key] }
    }
}

extension JSONTree: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByFloatLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// A text.
    public init(stringLiteral value: String) { self = .string(value) }
    /// A whole number.
    public init(integerLiteral value: Int64) { self = .integer(value) }
    /// A truth value.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// A number.
    public init(floatLiteral value: Double) { self = .number(value) }
    /// A list.
    public init(arrayLiteral elements: JSONTree...) { self = .array(elements) }
    /// An object; of two members with one name the later one counts.
    public init(dictionaryLiteral elements: (String, JSONTree)...) {
        self = .object(Dictionary(elements) { $1 })
    }
}

/// What is wrong with a JSON text, and where.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Offset of the byte at which it was noticed.
    public var offset: Int
    /// What is wrong.
    public var reason: String
    /// The sentence for people.
    public var description: String { "not JSON at byte \(offset): \(reason)" }
}
