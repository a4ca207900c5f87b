import ArgumentParser
import Kubernetes

/// What makes the pods of a database: `statefulset/mongo`.
struct WorkloadReference: ExpressibleByArgument, Sendable, Hashable, CustomStringConvertible {
    /// Kinds with a pod template.
    enum Kind: String, Sendable, CaseIterable {
        case statefulSet = "StatefulSet"
        case deployment = "Deployment"
        case daemonSet = "DaemonSet"

        /// As kubectl's users write it.
        var word: String { rawValue.lowercased() }

        var names: [String] {
            switch self {
            case .statefulSet: ["statefulset", "statefulsets", "sts"]
            case .deployment: ["deployment", "deployments", "deploy"]
            case .daemonSet: ["daemonset", "daemonsets", "ds"]
            }
        }

        var resource: APIResource {
            switch self {
            case .statefulSet: .statefulSets
            case .deployment: .deployments
            case .daemonSet: .daemonSets
            }
        }
    }

    var kind: Kind
    var name: String

    init(_ kind: Kind, _ name: String) {
        self.kind = kind
        self.name = name
    }

    /// `KIND/NAME`, or the name of a StatefulSet.
    init?(argument: String) {
        let parts = argument.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard let name = parts.last, !name.isEmpty, parts.count <= 2 else { return nil }
        guard parts.count == 2 else {
            self.init(.statefulSet, name)
            return
        }
        // kubectl also takes the group: statefulset.apps/mongo.
        let word = parts[0].lowercased().split(separator: ".", maxSplits: 1).first.map(String.init) ?? ""
        guard let kind = Kind.allCases.first(where: { $0.names.contains(word) }) else { return nil }
        self.init(kind, name)
    }

    var description: String { "\(kind.word)/\(name)" }
}
