public import Kubernetes

/// A place in a JSON tree (RFC 6901).
public struct JSONPointer: Sendable, Hashable, CustomStringConvertible {
    /// Names and numbers on the way, not escaped; `-` is behind the last element of a list.
    public var parts: [String]

    /// Makes a pointer out of its parts.
    public init(_ parts: String...) { self.parts = parts }

    /// Reads `/a/b~1c`; nil when the text is no pointer.
    public init?(parsing text: String) {
        guard text.isEmpty || text.hasPrefix("/") else { return nil }
        parts =
            text.isEmpty ? [] : text.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map(Self.plain)
    }

    /// The text, with `~` and `/` in names escaped.
    public var description: String {
        parts.map { "/" + Self.escaped($0) }.joined()
    }

    private static func escaped(_ part: String) -> String {
        var result = ""
        for character in part.unicodeScalars {
            switch character {
            case "~": result += "~0"
            case "/": result += "~1"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }

    private static func plain(_ part: Substring) -> String {
        var result = ""
        var rest = part[...]
        while let tilde = rest.firstIndex(of: "~") {
            result += rest[..<tilde]
            rest = rest[rest.index(after: tilde)...]
            // "~01" is "~1": what follows an escape isn't looked at again.
            switch rest.first {
            case "0": result += "~"
            case "1": result += "/"
            default:
                result += "~"
                continue
            }
            rest = rest.dropFirst()
        }
        return result + rest
    }
}

/// A JSON patch (RFC 6902) of the few operations that injection needs; none of them is a `test`, because one that fails
/// can't be ignored by the API server.
public struct JSONPatch: Sendable, Hashable {
    /// One operation.
    public enum Operation: Sendable, Hashable {
        /// Puts a value into an object or a list.
        case add(JSONPointer, JSONTree)
        /// Puts a value in the place of one that is there.
        case replace(JSONPointer, JSONTree)
        /// Takes a value away.
        case remove(JSONPointer)
    }

    /// In the order in which they are applied.
    public var operations: [Operation]

    /// Makes a patch.
    public init(_ operations: [Operation] = []) { self.operations = operations }

    /// Reads a patch as it is sent.
    ///
    /// - Throws: `JSONPatchError` when it isn't one, or has operations other than add, replace and remove.
    public init(_ tree: JSONTree) throws(JSONPatchError) {
        guard let elements = tree.array else { throw JSONPatchError("a patch is a list") }
        operations = try elements.map { element throws(JSONPatchError) in
            guard let path = element["path"]?.string, let pointer = JSONPointer(parsing: path) else {
                throw JSONPatchError("an operation has no path")
            }
            switch (element["op"]?.string, element["value"]) {
            case ("add", let value?): return .add(pointer, value)
            case ("replace", let value?): return .replace(pointer, value)
            case ("remove", _): return .remove(pointer)
            case (let name, _): throw JSONPatchError("there is no operation '\(name ?? "")' with or without a value")
            }
        }
    }

    /// Whether it changes nothing.
    public var isEmpty: Bool { operations.isEmpty }

    /// As it is sent.
    public var tree: JSONTree {
        .array(
            operations.map { operation in
                switch operation {
                case .add(let path, let value): ["op": "add", "path": .string(path.description), "value": value]
                case .replace(let path, let value):
                    ["op": "replace", "path": .string(path.description), "value": value]
                case .remove(let path): ["op": "remove", "path": .string(path.description)]
                }
            }
        )
    }
}

/// Why a patch can't be read or applied.
public struct JSONPatchError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The sentence for people.
    public var description: String
    init(_ description: String) { self.description = description }
}
