import Kubernetes

/// Reading and changing what all objects of the API have.
extension JSONTree {
    var name: String { self["metadata"]?["name"]?.string ?? "" }
    var namespace: String { self["metadata"]?["namespace"]?.string ?? "" }
    var uid: String { self["metadata"]?["uid"]?.string ?? "" }
    var resourceVersion: String { self["metadata"]?["resourceVersion"]?.string ?? "" }
    var generation: Int64 { self["metadata"]?["generation"]?.integer ?? 0 }
    var labels: [String: String] { self["metadata"]?["labels"]?.strings ?? [:] }
    var annotations: [String: String] { self["metadata"]?["annotations"]?.strings ?? [:] }
    var finalizers: [String] { self["metadata"]?["finalizers"]?.array?.compactMap(\.string) ?? [] }
    var isTerminating: Bool { self["metadata"]?["deletionTimestamp"]?.string != nil }
    var ownerReferences: [JSONTree] { self["metadata"]?["ownerReferences"]?.array ?? [] }

    /// The members that are texts.
    var strings: [String: String] { object?.compactMapValues(\.string) ?? [:] }

    /// Sets, or removes, what is at a path; members that are missing on the way are made.
    mutating func set(_ path: String..., to value: JSONTree?) { set(path[...], to: value) }

    private mutating func set(_ path: ArraySlice<String>, to value: JSONTree?) {
        guard let first = path.first else { return }
        if path.count == 1 {
            if value == nil, self[first] == nil { return }
            self[first] = value
            return
        }
        guard value != nil || self[first] != nil else { return }
        var child = self[first] ?? [:]
        child.set(path.dropFirst(), to: value)
        self[first] = child
    }

    /// Changes a member in place when it is there.
    mutating func modify(_ key: String, _ change: (inout JSONTree) -> Void) {
        guard var child = self[key] else { return }
        change(&child)
        self[key] = child
    }

    /// Changes each element in place when this is a list.
    mutating func modifyElements(_ change: (inout JSONTree) -> Void) {
        guard var elements = array else { return }
        for index in elements.indices { change(&elements[index]) }
        self = .array(elements)
    }

    /// What is at a path of members.
    func at(_ path: [String]) -> JSONTree? { path.reduce(self as JSONTree?) { $0?[$1] } }

    /// A number, whole or not.
    var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    /// Its type as OpenAPI names it.
    var typeName: String {
        switch self {
        case .null: "null"
        case .bool: "boolean"
        case .integer: "integer"
        case .number(let value): value == value.rounded() ? "integer" : "number"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }
}
