import Kubernetes
import Yams

/// Reads YAML, of which JSON is a part, into a tree whose scalars are all texts.
///
/// Nothing in a kubeconfig is a number, and `1.20` as the name of a context must stay what it is.
enum KubeconfigYAML {
    static func tree(_ text: String, path: String) throws(KubernetesError) -> JSONTree {
        do {
            return try Yams.compose(yaml: text).map { try tree($0, depth: 0) } ?? .null
        } catch {
            // Yams' description repeats the line, which may hold a token: only its place is told.
            let place =
                switch error {
                case YamlError.scanner(_, let problem, let mark, _), YamlError.parser(_, let problem, let mark, _):
                    "line \(mark.line): \(problem)"
                case YamlError.composer(_, let problem, let mark, _): "line \(mark.line): \(problem)"
                case let error as TooDeep: error.reason
                default: "the text can't be read"
                }
            throw KubernetesError(.configuration, "cannot use the kubeconfig \(path): it is not YAML: \(place)")
        }
    }

    private struct TooDeep: Error { let reason = "it is nested too deep" }

    private static func tree(_ node: Node, depth: Int) throws -> JSONTree {
        guard depth < JSONTree.deepest else { throw TooDeep() }
        switch node {
        case .scalar(let scalar):
            let isPlain = scalar.style == .plain || scalar.style == .any
            return isPlain && ["", "~", "null", "Null", "NULL"].contains(scalar.string) ? .null : .string(scalar.string)
        case .sequence(let sequence): return .array(try sequence.map { try tree($0, depth: depth + 1) })
        case .mapping(let mapping):
            var members: [String: JSONTree] = [:]
            for (key, value) in mapping {
                guard let name = key.scalar?.string else { continue }
                members[name] = try tree(value, depth: depth + 1)
            }
            return .object(members)
        case .alias: return .null
        }
    }
}
