/// An object of the API with all its fields, also those that we don't know.
public struct KubernetesObject: Sendable, Hashable {
    /// Everything.
    public var tree: JSONTree

    /// Takes a whole object.
    public init(_ tree: JSONTree) {
        self.tree = tree
    }

    /// Makes an object with nothing but its kind and name.
    ///
    /// - Parameters:
    ///   - resource: its kind.
    ///   - name: its name.
    ///   - namespace: its namespace; nil for what lives in none.
    public init(_ resource: APIResource, name: String, namespace: String? = nil) {
        tree = ["apiVersion": .string(resource.apiVersion), "kind": .string(resource.kind)]
        self.name = name
        if let namespace { self.namespace = namespace }
    }

    /// A top-level field such as `spec`, `status` or `data`.
    public subscript(key: String) -> JSONTree? {
        get { tree[key] }
        set { tree[key] = newValue }
    }

    /// What is below `path`, member by member; nil where a member is missing.
    public subscript(path path: String...) -> JSONTree? {
        path.reduce(tree) { value, key in value?[key] }
    }

    /// A top-level field, such as `spec`, as one of our types.
    ///
    /// - Throws: `JSONCodingError`, whose path begins with the field.
    public func decode<Value: Decodable>(_ type: Value.Type = Value.self, at key: String) throws(JSONCodingError)
        -> Value
    {
        guard let field = tree[key] else { throw JSONCodingError(path: key, reason: "is missing") }
        do {
            return try field.decode(type)
        } catch {
            let separator = error.path.isEmpty || error.path.hasPrefix("[") ? "" : "."
            throw JSONCodingError(path: key + separator + error.path, reason: error.reason)
        }
    }

    /// Writes a value into a top-level field; members of the field that the type doesn't know stay.
    ///
    /// Properties that are nil are removed. Lists are replaced as a whole.
    ///
    /// - Throws: `JSONCodingError` for what JSON can't hold.
    public mutating func merge(_ value: some Encodable, at key: String) throws(JSONCodingError) {
        var field = tree[key] ?? .object([:])
        field.merge(try JSONTree(encoding: value, absentAsNull: true))
        tree[key] = field
    }
}

/// Namespace and name: what a work queue and a store know an object by.
public struct ObjectKey: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The namespace; empty for what lives in none.
    public var namespace: String
    /// The name.
    public var name: String

    /// Makes a key.
    public init(namespace: String, name: String) {
        self.namespace = namespace
        self.name = name
    }

    /// `namespace/name`, or only the name.
    public var description: String { namespace.isEmpty ? name : "\(namespace)/\(name)" }

    /// By namespace, then by name.
    public static func < (left: ObjectKey, right: ObjectKey) -> Bool {
        (left.namespace, left.name) < (right.namespace, right.name)
    }
}
