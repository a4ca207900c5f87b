import Kubernetes

/// A step to a field: a member, an element known by its keys, or a member of a set.
enum PathElement: Sendable, Hashable {
    case field(String)
    case key(JSONTree)
    case value(JSONTree)

    /// As `fieldsV1` writes it.
    var text: String {
        switch self {
        case .field(let name): "f:\(name)"
        case .key(let keys): "k:\(keys)"
        case .value(let value): "v:\(value)"
        }
    }

    init?(_ text: String) {
        let rest = String(text.dropFirst(2))
        switch text.prefix(2) {
        case "f:": self = .field(rest)
        case "k:", "v:":
            // What can't be read is not a path; the set is then without it.
            guard let tree = try? JSONTree(parsing: rest) else { return nil }
            self = text.hasPrefix("k:") ? .key(tree) : .value(tree)
        default: return nil
        }
    }

    /// As conflicts show it.
    var shown: String {
        switch self {
        case .field(let name): ".\(name)"
        case .key(let keys):
            "[" + (keys.object ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
                + "]"
        case .value(let value): "[=\(value)]"
        }
    }
}

/// Fields of an object, as a tree of steps.
struct FieldSet: Sendable, Hashable {
    var isMember = false
    var children: [PathElement: FieldSet] = [:]

    var isEmpty: Bool { !isMember && children.isEmpty }

    subscript(path: [PathElement]) -> FieldSet? {
        path.reduce(self as FieldSet?) { $0?.children[$1] }
    }

    func contains(_ path: [PathElement]) -> Bool { self[path]?.isMember ?? false }

    mutating func insert(_ path: ArraySlice<PathElement>) {
        guard let first = path.first else {
            isMember = true
            return
        }
        children[first, default: FieldSet()].insert(path.dropFirst())
    }

    func union(_ other: FieldSet) -> FieldSet {
        var result = self
        result.isMember = isMember || other.isMember
        for (step, child) in other.children { result.children[step] = result.children[step]?.union(child) ?? child }
        return result
    }

    /// Without the members of another set.
    func subtracting(_ other: FieldSet) -> FieldSet {
        var result = self
        if other.isMember { result.isMember = false }
        for (step, child) in other.children {
            guard let own = result.children[step]?.subtracting(child) else { continue }
            result.children[step] = own.isEmpty ? nil : own
        }
        return result
    }

    func intersection(_ other: FieldSet) -> FieldSet {
        var result = FieldSet(isMember: isMember && other.isMember)
        for (step, child) in children {
            guard let common = other.children[step]?.intersection(child), !common.isEmpty else { continue }
            result.children[step] = common
        }
        return result
    }

    /// Without everything below these paths.
    func removing(_ paths: [[PathElement]]) -> FieldSet {
        paths.reduce(self) { $0.removing($1[...]) }
    }

    private func removing(_ path: ArraySlice<PathElement>) -> FieldSet {
        guard let first = path.first else { return FieldSet() }
        var result = self
        if let child = children[first]?.removing(path.dropFirst()) {
            result.children[first] = child.isEmpty ? nil : child
        }
        return result
    }

    /// Every member, each as its path.
    var paths: [[PathElement]] {
        var result: [[PathElement]] = isMember ? [[]] : []
        for (step, child) in children { result += child.paths.map { [step] + $0 } }
        return result
    }

    /// `fieldsV1`.
    var tree: JSONTree {
        var members: [String: JSONTree] = [:]
        if isMember, !children.isEmpty { members["."] = [:] }
        for (step, child) in children { members[step.text] = child.tree }
        return .object(members)
    }

    init(isMember: Bool = false) { self.isMember = isMember }

    init(_ tree: JSONTree) {
        let members = tree.object ?? [:]
        isMember = members.isEmpty || members["."] != nil
        for (key, child) in members where key != "." {
            if let step = PathElement(key) { children[step] = FieldSet(child) }
        }
    }
}
