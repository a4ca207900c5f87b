import BackupModel
import Kubernetes

/// Everything that `remora doctor` judges: gathered first, so that judging is a function of values.
struct ClusterFacts: Sendable {
    /// One thing that the coordinator must be allowed to do.
    struct Right: Sendable, Hashable {
        var verb: String
        var group: String
        var resource: String
        var subresource: String?
        var name: String?
        var namespace: String?
        /// What it needs it for.
        var purpose: String

        /// `patch mutatingwebhookconfigurations`.
        var summary: String {
            let path = resource + (subresource.map { "/\($0)" } ?? "")
            return "\(verb) \(path)" + (name.map { " '\($0)'" } ?? "") + (namespace.map { " in \($0)" } ?? "")
        }
    }

    /// A Repository and what became of its secret.
    struct RepositoryFacts: Sendable {
        var object: JSONTree
        /// Keys of its secret that hold something.
        var keys: Fetched<Set<String>>
        /// Whether the coordinator may read that secret: no role of the installation lets it.
        var isReadable: Fetched<Bool> = .notAsked
    }

    /// Where the API server is.
    var serverURL = ""
    /// Its `/version`.
    var server: Fetched<JSONTree> = .notAsked
    /// By plural name.
    var definitions: [String: Fetched<JSONTree>] = [:]
    var systemNamespace = Install.systemNamespace
    var coordinators: Fetched<[PodFacts]> = .notAsked
    var lease: Fetched<JSONTree> = .notAsked
    /// PEM.
    var authority: Fetched<String> = .notAsked
    var webhook: Fetched<JSONTree> = .notAsked
    /// A pod as the API server would have made it (dry run), in `trialNamespace`.
    var trial: Fetched<PodFacts> = .notAsked
    var trialNamespace = ""
    /// The API server's clock at the dry run.
    var serverTime: Moment?
    /// This machine's at the same moment.
    var now = Moment(unixMs: 0)
    /// Those with pods that ask for an agent.
    var namespaces: [String: Fetched<JSONTree>] = [:]
    /// Those that ask for an agent or have one.
    var pods: Fetched<[PodFacts]> = .notAsked
    /// Secrets named by pods: keys that hold something, by `namespace/name`.
    var secrets: [String: Fetched<Set<String>>] = [:]
    var repositories: Fetched<[RepositoryFacts]> = .notAsked
    /// What the coordinator says.
    var status: Fetched<StatusView> = .notAsked
    /// What the coordinator needs, and whether it has it.
    var rights: [(right: Right, allowed: Fetched<Bool>)] = []
    /// Only this target is looked at.
    var target: ResourceKey?
}

extension ClusterFacts {
    /// Only what concerns one target, besides the installation itself.
    func narrowed(to target: ResourceKey) -> ClusterFacts {
        var facts = self
        facts.target = target
        let view = status.value?.targets.first { $0.namespace == target.namespace && $0.name == target.name }
        let agents = Set(view?.agents.map(\.pod) ?? [])
        facts.pods = pods.map { pods in
            pods.filter { pod in
                pod.namespace == target.namespace && (pod.cluster == target.name || agents.contains(pod.name))
            }
        }
        facts.namespaces = namespaces.filter { $0.key == target.namespace }
        facts.status = status.map { status in
            var status = status
            status.targets.removeAll { $0.namespace != target.namespace || $0.name != target.name }
            return status
        }
        return facts
    }
}
