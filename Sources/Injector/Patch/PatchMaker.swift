import Kubernetes

/// Collects the operations that bring something of ours into a pod, and touches nothing else.
struct PatchMaker {
    private let pod: JSONTree
    private var operations: [JSONPatch.Operation] = []
    /// Lists and maps that aren't there, with what is to be in them.
    private var missing: [[String]: JSONTree] = [:]
    private var order: [[String]] = []

    init(_ pod: JSONTree) { self.pod = pod }

    /// Everything so far.
    var patch: JSONPatch {
        let whole = order.map { path in
            var pointer = JSONPointer()
            pointer.parts = path
            return JSONPatch.Operation.add(pointer, missing[path] ?? .null)
        }
        return JSONPatch(whole + operations)
    }

    /// Puts an element behind the last one of a list.
    mutating func append(_ element: JSONTree, to path: String...) {
        guard isMissing(path) else {
            operations.append(.add(Self.pointer(path + ["-"]), element))
            return
        }
        missing[path] = .array((missing[path]?.array ?? []) + [element])
    }

    /// Sets an entry of a map of texts.
    mutating func set(_ name: String, _ value: String, in path: String...) {
        guard isMissing(path) else {
            operations.append(.add(Self.pointer(path + [name]), .string(value)))
            return
        }
        var members = missing[path]?.object ?? [:]
        members[name] = .string(value)
        missing[path] = .object(members)
    }

    /// Sets any place whose parent is there.
    mutating func add(_ value: JSONTree, at path: String...) { operations.append(.add(Self.pointer(path), value)) }

    /// Puts a value in the place of one that is there.
    mutating func replace(_ value: JSONTree, at path: String...) {
        operations.append(.replace(Self.pointer(path), value))
    }

    /// Takes an entry away, if it is there.
    mutating func removeIfPresent(_ name: String, from path: String...) {
        guard path.reduce(Optional(pod), { $0?[$1] })?[name] != nil else { return }
        operations.append(.remove(Self.pointer(path + [name])))
    }

    /// Whether there is no list or map at `path`; then it is added whole, before everything else.
    private mutating func isMissing(_ path: [String]) -> Bool {
        let value = path.reduce(Optional(pod)) { $0?[$1] }
        guard value == nil || value?.isNull == true else { return false }
        if missing[path] == nil {
            order.append(path)
            missing[path] = .null
        }
        return true
    }

    private static func pointer(_ parts: [String]) -> JSONPointer {
        var pointer = JSONPointer()
        pointer.parts = parts
        return pointer
    }
}
