/// Why a tree and one of our types don't fit together, and at which field.
public struct JSONCodingError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The field, like `spec.sessions[0].schedule`; empty for the whole tree.
    public var path: String
    /// What is wrong with it.
    public var reason: String
    /// The sentence for people.
    public var description: String { path.isEmpty ? reason : "\(path): \(reason)" }

    /// Makes an error.
    public init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }

    init(_ path: [any CodingKey], _ reason: String) {
        self.init(path: Self.text(of: path), reason: reason)
    }

    static func text(of path: [any CodingKey]) -> String {
        path.reduce(into: "") { text, key in
            if let index = key.intValue {
                text += "[\(index)]"
            } else {
                text += text.isEmpty ? key.stringValue : ".\(key.stringValue)"
            }
        }
    }

    /// The failure of a decoder or encoder, whoever threw it.
    init(_ error: any Error) {
        switch error {
        case let error as JSONCodingError: self = error
        case DecodingError.keyNotFound(let key, let context): self.init(context.codingPath + [key], "is missing")
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context),
            DecodingError.dataCorrupted(let context):
            self.init(context.codingPath, context.debugDescription)
        default: self.init(path: "", reason: "\(error)")
        }
    }
}

/// A field's name or an element's number.
struct TreeKey: CodingKey {
    var stringValue: String
    var intValue: Int?

    init(stringValue: String) { self.stringValue = stringValue }
    init(intValue: Int) {
        stringValue = "\(intValue)"
        self.intValue = intValue
    }
}

extension JSONTree {
    /// What it is, for messages.
    var kind: String {
        switch self {
        case .null: "nothing (null)"
        case .bool: "true or false"
        case .integer, .number: "a number"
        case .string: "a text"
        case .array: "a list"
        case .object: "an object"
        }
    }
}
