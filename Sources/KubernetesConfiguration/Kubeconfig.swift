public import Kubernetes

/// What `kubectl` knows about clusters, users and contexts: one file, or several merged.
public struct Kubeconfig: Sendable {
    /// A cluster, user or context, and the directory from which its relative file names count.
    struct Entry: Sendable {
        var fields: JSONTree
        var directory: String
    }

    /// The context that is used when none is named; nil when none is set.
    public private(set) var currentContext: String?
    private(set) var clusters: [String: Entry] = [:]
    private(set) var users: [String: Entry] = [:]
    private(set) var contexts: [String: Entry] = [:]
    /// The files, for messages.
    private(set) var origin = ""

    /// The names of all contexts, sorted.
    public var contextNames: [String] { contexts.keys.sorted() }

    /// Reads one text.
    ///
    /// - Parameters:
    ///   - text: YAML or JSON.
    ///   - path: the file that it is from; relative file names in it count from there.
    /// - Throws: `.configuration` with the place.
    public init(parsing text: String, path: String) throws(KubernetesError) {
        origin = path
        let tree = try KubeconfigYAML.tree(text, path: path)
        if tree.isNull { return }
        guard tree.object != nil else {
            throw KubernetesError(.configuration, "cannot use the kubeconfig \(path): it is not a mapping")
        }
        if let kind = tree["kind"]?.string, kind != "Config" {
            throw KubernetesError(.configuration, "cannot use the kubeconfig \(path): it is a \(kind) and not a Config")
        }
        currentContext = tree["current-context"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        clusters = try Self.entries(tree, "clusters", "cluster", path, directory)
        users = try Self.entries(tree, "users", "user", path, directory)
        contexts = try Self.entries(tree, "contexts", "context", path, directory)
    }

    private static func entries(
        _ tree: JSONTree,
        _ list: String,
        _ field: String,
        _ path: String,
        _ directory: String
    ) throws(KubernetesError) -> [String: Entry] {
        guard let given = tree[list], !given.isNull else { return [:] }
        guard let elements = given.array else {
            throw KubernetesError(.configuration, "cannot use the kubeconfig \(path): \(list) is not a list")
        }
        var entries: [String: Entry] = [:]
        for (index, element) in elements.enumerated() {
            guard let name = element["name"]?.string else {
                throw KubernetesError(
                    .configuration,
                    "cannot use the kubeconfig \(path): \(list)[\(index)] has no name"
                )
            }
            // The first one of a name counts, as with kubectl.
            if entries[name] == nil {
                entries[name] = Entry(fields: element[field] ?? .object([:]), directory: directory)
            }
        }
        return entries
    }

    /// Adds what another file has under names that aren't taken: the first file wins.
    mutating func merge(_ other: Kubeconfig) {
        currentContext = currentContext ?? other.currentContext
        clusters.merge(other.clusters) { first, _ in first }
        users.merge(other.users) { first, _ in first }
        contexts.merge(other.contexts) { first, _ in first }
        origin += ", \(other.origin)"
    }

    /// Reads the files that `kubectl` would read: `path`, or those in `KUBECONFIG`, or `~/.kube/config`.
    ///
    /// - Parameters:
    ///   - path: a file that a person named; it must be there.
    ///   - environment: the process's.
    /// - Returns: all of them, merged.
    /// - Throws: `.configuration` when there is no file, or one can't be read.
    public static func load(path: String? = nil, environment: [String: String]) throws(KubernetesError) -> Kubeconfig {
        let paths = self.paths(path, environment)
        var merged: Kubeconfig?
        for candidate in paths where path != nil || SmallFile.exists(candidate) {
            let bytes = try SmallFile.kubeconfig(candidate)
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw KubernetesError(.configuration, "cannot use the kubeconfig \(candidate): it is not UTF-8")
            }
            let one = try Kubeconfig(parsing: text, path: candidate)
            if merged == nil { merged = one } else { merged?.merge(one) }
        }
        guard let merged else {
            throw KubernetesError(
                .configuration,
                "cannot find a kubeconfig: there is no \(paths.joined(separator: " and no ")); name one or set KUBECONFIG"
            )
        }
        return merged
    }

    /// Whether there is a file that ``load(path:environment:)`` would read.
    public static func exists(environment: [String: String]) -> Bool {
        paths(nil, environment).contains { SmallFile.exists($0) }
    }

    private static func paths(_ path: String?, _ environment: [String: String]) -> [String] {
        if let path { return [path] }
        if let list = environment["KUBECONFIG"], !list.isEmpty {
            return list.split(separator: ":").map(String.init)
        }
        return ["\(environment["HOME"] ?? "")/.kube/config"]
    }
}
