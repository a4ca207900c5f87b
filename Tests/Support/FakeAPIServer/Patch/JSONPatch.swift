import Kubernetes

/// RFC 6902.
enum JSONPatch {
    struct Failure: Error, CustomStringConvertible { var description: String }

    static func apply(_ patch: JSONTree, to document: JSONTree) throws(Failure) -> JSONTree {
        guard let operations = patch.array else {
            throw Failure(description: "json: cannot unmarshal into a list of operations")
        }
        var document = document
        for operation in operations { try apply(operation, &document) }
        return document
    }

    private static func apply(_ operation: JSONTree, _ document: inout JSONTree) throws(Failure) {
        let name = operation["op"]?.string ?? ""
        guard let path = operation["path"]?.string else {
            throw Failure(description: "\(name) operation does not apply: operation missing path field: missing value")
        }
        switch name {
        case "add": try add(try value(operation, name), tokens(path, name), &document, name, path)
        case "remove": _ = try remove(tokens(path, name), &document, name, path)
        case "replace":
            _ = try remove(tokens(path, name), &document, name, path, keepsPlace: true)
            try set(try value(operation, name), tokens(path, name), &document, name, path)
        case "move":
            let from = operation["from"]?.string ?? ""
            let moved = try remove(tokens(from, name), &document, name, from)
            try add(moved, tokens(path, name), &document, name, path)
        case "copy":
            let from = operation["from"]?.string ?? ""
            guard let copied = get(try tokens(from, name), document) else { throw missing(name, from) }
            try add(copied, tokens(path, name), &document, name, path)
        case "test":
            guard get(try tokens(path, name), document) ?? .null == operation["value"] ?? .null else {
                throw Failure(description: "testing value \(path) failed: test failed")
            }
        default: throw Failure(description: "Unexpected kind: \(name)")
        }
    }

    private static func value(_ operation: JSONTree, _ name: String) throws(Failure) -> JSONTree {
        guard let value = operation["value"] else {
            throw Failure(description: "\(name) operation does not apply: operation missing value field: missing value")
        }
        return value
    }

    private static func missing(_ name: String, _ path: String) -> Failure {
        Failure(description: "\(name) operation does not apply: doc is missing path: \"\(path)\": missing value")
    }

    private static func tokens(_ path: String, _ name: String) throws(Failure) -> [String] {
        if path.isEmpty { return [] }
        guard path.hasPrefix("/") else { throw missing(name, path) }
        return path.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map {
            String($0.replacing("~1", with: "/").replacing("~0", with: "~"))
        }
    }

    private static func get(_ tokens: [String], _ document: JSONTree) -> JSONTree? {
        tokens.reduce(document as JSONTree?) { value, token in
            switch value {
            case .object(let members)?: members[token]
            case .array?: index(token).flatMap { value?[$0] }
            default: nil
            }
        }
    }

    private static func index(_ token: String) -> Int? {
        guard token.allSatisfy(\.isNumber), token == "0" || !token.hasPrefix("0") else { return nil }
        return Int(token)
    }

    /// Changes the container of a path's last step.
    private static func change(
        _ tokens: ArraySlice<String>,
        _ document: inout JSONTree,
        _ failure: Failure,
        _ body: (inout JSONTree, String) throws(Failure) -> Void
    ) throws(Failure) {
        guard let first = tokens.first else { throw failure }
        if tokens.count == 1 { return try body(&document, first) }
        switch document {
        case .object(var members):
            guard var child = members[first] else { throw failure }
            members[first] = nil
            try change(tokens.dropFirst(), &child, failure, body)
            members[first] = child
            document = .object(members)
        case .array(var elements):
            guard let place = index(first), elements.indices.contains(place) else { throw failure }
            try change(tokens.dropFirst(), &elements[place], failure, body)
            document = .array(elements)
        default: throw failure
        }
    }

    private static func add(
        _ value: JSONTree,
        _ tokens: [String],
        _ document: inout JSONTree,
        _ name: String,
        _ path: String
    ) throws(Failure) {
        if tokens.isEmpty {
            document = value
            return
        }
        let failure = missing(name, path)
        try change(tokens[...], &document, failure) { (container, last) throws(Failure) in
            switch container {
            case .object: container[last] = value
            case .array(var elements):
                let place = last == "-" ? elements.count : index(last)
                guard let place, place <= elements.count else {
                    throw Failure(
                        description:
                            "\(name) operation does not apply: unable to access invalid index: \(last): invalid index referenced"
                    )
                }
                elements.insert(value, at: place)
                container = .array(elements)
            default: throw failure
            }
        }
    }

    private static func set(
        _ value: JSONTree,
        _ tokens: [String],
        _ document: inout JSONTree,
        _ name: String,
        _ path: String
    ) throws(Failure) {
        if tokens.isEmpty {
            document = value
            return
        }
        let failure = missing(name, path)
        try change(tokens[...], &document, failure) { (container, last) throws(Failure) in
            switch container {
            case .object: container[last] = value
            case .array(var elements):
                guard let place = index(last), elements.indices.contains(place) else { throw failure }
                elements[place] = value
                container = .array(elements)
            default: throw failure
            }
        }
    }

    private static func remove(
        _ tokens: [String],
        _ document: inout JSONTree,
        _ name: String,
        _ path: String,
        keepsPlace: Bool = false
    ) throws(Failure) -> JSONTree {
        guard let found = get(tokens, document) else { throw missing(name, path) }
        if keepsPlace || tokens.isEmpty { return found }
        let failure = missing(name, path)
        try change(tokens[...], &document, failure) { (container, last) throws(Failure) in
            switch container {
            case .object: container[last] = nil
            case .array(var elements):
                guard let place = index(last), elements.indices.contains(place) else { throw failure }
                elements.remove(at: place)
                container = .array(elements)
            default: throw failure
            }
        }
        return found
    }
}

/// RFC 7396.
enum MergePatch {
    static func apply(_ patch: JSONTree, to target: JSONTree) -> JSONTree {
        guard case .object(let changes) = patch else { return patch }
        var members = target.object ?? [:]
        for (key, change) in changes {
            if change.isNull {
                members[key] = nil
            } else {
                members[key] = apply(change, to: members[key] ?? .null)
            }
        }
        return .object(members)
    }
}
