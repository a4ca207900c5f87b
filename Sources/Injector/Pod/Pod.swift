import Kubernetes

/// A pod as the API server sent it: the parts that injection looks at, and the tree with everything.
///
/// What is missing or `null` is empty; what has another shape than the API's is an error.
struct Pod: Sendable {
    let tree: JSONTree
    let annotations: [String: String]
    let labels: [String: String]
    let containers: [Container]
    let initContainers: [Container]
    let volumes: [JSONTree]

    /// - Throws: `InjectionError` with code `.shape`.
    init(_ tree: JSONTree) throws(InjectionError) {
        self.tree = tree
        guard tree["metadata"]?.object != nil, tree["spec"]?.object != nil else {
            throw InjectionError(.shape, "the pod has no metadata or no spec")
        }
        annotations = try Self.texts(tree[path: "metadata", "annotations"], "metadata.annotations")
        labels = try Self.texts(tree[path: "metadata", "labels"], "metadata.labels")
        containers = try Self.list(tree, "containers").map { item throws(InjectionError) in try Container(item) }
        initContainers = try Self.list(tree, "initContainers").map { item throws(InjectionError) in try Container(item)
        }
        volumes = try Self.list(tree, "volumes")
    }

    private static func list(_ tree: JSONTree, _ field: String) throws(InjectionError) -> [JSONTree] {
        guard let value = tree[path: "spec", field], !value.isNull else { return [] }
        guard let elements = value.array, elements.allSatisfy({ $0.object != nil }) else {
            throw InjectionError(.shape, "spec.\(field) is no list of objects")
        }
        return elements
    }

    /// A map of texts.
    static func texts(_ value: JSONTree?, _ field: String) throws(InjectionError) -> [String: String] {
        guard let value, !value.isNull else { return [:] }
        guard let members = value.object else { throw InjectionError(.shape, "\(field) is no object") }
        var result: [String: String] = [:]
        for (name, member) in members {
            guard let text = member.string else { throw InjectionError(.shape, "\(field).\(name) is no text") }
            result[name] = text
        }
        return result
    }

    /// A member of the pod's own security context.
    func security(_ member: String) -> JSONTree? { tree[path: "spec", "securityContext", member] }

    /// The pod as it was before something of ours came into it.
    func withoutAgent() throws(InjectionError) -> Pod {
        var tree = tree
        for field in ["containers", "initContainers", "volumes"] {
            guard let elements = tree[path: "spec", field]?.array else { continue }
            let others = elements.filter { !Self.isOurs($0, in: field) }
            if others.count != elements.count { tree["spec"]?[field] = .array(others) }
        }
        return try Pod(tree)
    }

    private static func isOurs(_ element: JSONTree, in field: String) -> Bool {
        guard let name = element["name"]?.string else { return false }
        return field == "volumes" ? name.hasPrefix(AgentMark.volumePrefix) : name == AgentMark.container
    }

    /// Whether something in the pod bears one of our names.
    var holdsOurNames: Bool {
        (containers + initContainers).contains { $0.name == AgentMark.container }
            || volumes.contains { $0["name"]?.string?.hasPrefix(AgentMark.volumePrefix) == true }
    }
}

/// One container of a pod.
struct Container: Sendable {
    let tree: JSONTree
    let name: String
    let image: String
    /// Command and arguments, one after the other.
    let words: [String]
    let mounts: [JSONTree]

    /// - Throws: `InjectionError` with code `.shape`.
    init(_ tree: JSONTree) throws(InjectionError) {
        self.tree = tree
        guard let name = tree["name"]?.string else { throw InjectionError(.shape, "a container has no name") }
        self.name = name
        image = tree["image"]?.string ?? ""
        words = ["command", "args"].flatMap { tree[$0]?.array?.compactMap(\.string) ?? [] }
        mounts = tree["volumeMounts"]?.array ?? []
    }

    /// A member of the container's security context.
    func security(_ member: String) -> JSONTree? { tree[path: "securityContext", member] }

    /// Command and arguments, what a shell gets as one text taken apart at its spaces.
    var tokens: [Substring] { words.flatMap { $0.split(whereSeparator: \.isWhitespace) } }

    /// The value of an option, as `--name value` or `--name=value`.
    func option(_ name: String) -> String? {
        let tokens = tokens
        for (index, token) in tokens.enumerated() {
            if token == name, index + 1 < tokens.count { return String(tokens[index + 1]) }
            if token.hasPrefix(name + "=") { return String(token.dropFirst(name.utf8.count + 1)) }
        }
        return nil
    }
}
