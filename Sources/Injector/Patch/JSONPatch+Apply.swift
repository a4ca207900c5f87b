public import Kubernetes

extension JSONPatch {
    /// What becomes of a tree, as the API server would compute it.
    ///
    /// - Throws: `JSONPatchError` when an operation has no place to go.
    public func applied(to tree: JSONTree) throws(JSONPatchError) -> JSONTree {
        var result = tree
        for operation in operations {
            switch operation {
            case .add(let path, _), .replace(let path, _), .remove(let path):
                guard result.apply(operation, path.parts[...]) else {
                    throw JSONPatchError("there is no place \(path) in the object")
                }
            }
        }
        return result
    }
}

extension JSONTree {
    /// Applies an operation at `path` below this value.
    ///
    /// - Returns: whether there was such a place.
    fileprivate mutating func apply(_ operation: JSONPatch.Operation, _ path: ArraySlice<String>) -> Bool {
        guard let part = path.first else { return setWhole(operation) }
        let rest = path.dropFirst()
        switch self {
        case .object(var members):
            // Not held twice while it is changed, or all of it would be copied.
            self = .null
            defer { self = .object(members) }
            if !rest.isEmpty {
                guard var member = members.removeValue(forKey: part) else { return false }
                defer { members[part] = member }
                return member.apply(operation, rest)
            }
            switch operation {
            case .add(_, let value): members[part] = value
            case .replace(_, let value):
                guard members[part] != nil else { return false }
                members[part] = value
            case .remove: return members.removeValue(forKey: part) != nil
            }
            return true
        case .array(var elements):
            self = .null
            defer { self = .array(elements) }
            return elements.apply(operation, part, rest)
        default:
            return false
        }
    }

    private mutating func setWhole(_ operation: JSONPatch.Operation) -> Bool {
        switch operation {
        case .add(_, let value), .replace(_, let value): self = value
        case .remove: return false
        }
        return true
    }
}

extension [JSONTree] {
    fileprivate mutating func apply(
        _ operation: JSONPatch.Operation,
        _ part: String,
        _ rest: ArraySlice<String>
    ) -> Bool {
        guard let index = part == "-" ? count : Self.index(part) else { return false }
        if !rest.isEmpty {
            guard indices.contains(index) else { return false }
            return self[index].apply(operation, rest)
        }
        switch operation {
        case .add(_, let value):
            guard index <= count else { return false }
            insert(value, at: index)
        case .replace(_, let value):
            guard indices.contains(index) else { return false }
            self[index] = value
        case .remove:
            guard indices.contains(index) else { return false }
            remove(at: index)
        }
        return true
    }

    /// A number without sign and leading zeros.
    private static func index(_ part: String) -> Int? {
        guard let index = Int(part), index >= 0, "\(index)" == part else { return nil }
        return index
    }
}
