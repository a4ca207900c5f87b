import Injector
import Kubernetes

/// What is read of a pod: an agent's container and how it does.
struct PodFacts: Sendable, Hashable {
    /// The agent's container in the pod.
    struct Agent: Sendable, Hashable {
        /// Position in `initContainers`, or in `containers` of a pod without native sidecars.
        var index: Int
        /// Whether it is an init container.
        var isNative: Bool
        /// What it should run.
        var image: String
        /// `Always` for a native sidecar, unless something stripped it.
        var restartPolicy: String?
        /// What runs, as the kubelet says.
        var runningImage: String?
        var isRunning = false
        /// When it last started, as the kubelet wrote it.
        var startedAt: String?
        var isReady = false
        var restarts: Int64 = 0
        /// Why it doesn't run: `ImagePullBackOff: …`.
        var waiting: String?

        /// Whether the pod would wait for its end for ever.
        var lacksRestartPolicy: Bool { isNative && restartPolicy != "Always" }
    }

    var namespace: String
    var name: String
    var annotations: [String: String]
    var labels: [String: String]
    var phase: String
    var isReady: Bool
    var isEnding: Bool
    var agent: Agent?
    /// `statefulset/mongo`: what restarts it, if anything does.
    var owner: String?

    /// Reads a pod.
    init(_ object: JSONTree) {
        namespace = object[path: "metadata", "namespace"]?.string ?? ""
        name = object[path: "metadata", "name"]?.string ?? ""
        annotations = (object[path: "metadata", "annotations"]?.object ?? [:]).compactMapValues(\.string)
        labels = (object[path: "metadata", "labels"]?.object ?? [:]).compactMapValues(\.string)
        phase = object[path: "status", "phase"]?.string ?? "Pending"
        isEnding = object[path: "metadata", "deletionTimestamp"]?.string != nil
        isReady = (object[path: "status", "conditions"]?.array ?? [])
            .contains { $0["type"]?.string == "Ready" && $0["status"]?.string == "True" }
        owner = Self.owner(object, labels)
        agent = Self.agent(object)
    }

    /// `namespace/name`.
    var place: String { "\(namespace)/\(name)" }

    /// What one of our annotations says.
    func annotation(_ annotation: Annotation) -> String? { annotations[annotation.name] }

    /// Why the webhook added no agent.
    var injectError: String? { annotations[AgentMark.injectError] }

    /// Whether it asks for an agent.
    var asksForAgent: Bool { annotation(.inject).map { $0 != "false" } ?? false }

    /// The target it belongs to, as far as the pod says.
    var cluster: String? { labels[Install.clusterLabel] ?? annotation(.cluster) }

    /// The command that makes the pod again.
    var restartCommand: String {
        owner.map { "kubectl rollout restart \($0) -n \(namespace)" } ?? "kubectl delete pod \(name) -n \(namespace)"
    }

    private static func owner(_ object: JSONTree, _ labels: [String: String]) -> String? {
        let owners = object[path: "metadata", "ownerReferences"]?.array ?? []
        guard let owner = owners.first(where: { $0["controller"]?.bool == true }) ?? owners.first,
            let kind = owner["kind"]?.string, let name = owner["name"]?.string
        else { return nil }
        switch kind {
        case "StatefulSet", "DaemonSet": return "\(kind.lowercased())/\(name)"
        case "ReplicaSet":
            // A Deployment's ReplicaSet is called after it and the template's hash.
            guard let hash = labels["pod-template-hash"], name.hasSuffix("-\(hash)") else { return nil }
            return "deployment/\(name.dropLast(hash.count + 1))"
        default: return nil
        }
    }

    private static func agent(_ object: JSONTree) -> Agent? {
        for (list, statuses, isNative) in [
            ("initContainers", "initContainerStatuses", true), ("containers", "containerStatuses", false),
        ] {
            let containers = object[path: "spec", list]?.array ?? []
            guard let index = containers.firstIndex(where: { $0["name"]?.string == Install.agentContainer }) else {
                continue
            }
            var agent = Agent(index: index, isNative: isNative, image: containers[index]["image"]?.string ?? "")
            agent.restartPolicy = containers[index]["restartPolicy"]?.string
            let all = object[path: "status", statuses]?.array ?? []
            if let status = all.first(where: { $0["name"]?.string == Install.agentContainer }) {
                agent.runningImage = status["image"]?.string
                agent.isRunning = status[path: "state", "running"] != nil
                agent.startedAt = status[path: "state", "running", "startedAt"]?.string
                agent.isReady = status["ready"]?.bool ?? false
                agent.restarts = status["restartCount"]?.integer ?? 0
                agent.waiting = reason(status["state"]?["waiting"]) ?? reason(status["state"]?["terminated"])
            }
            return agent
        }
        return nil
    }

    private static func reason(_ state: JSONTree?) -> String? {
        guard let state else { return nil }
        let word = state["reason"]?.string ?? "it ended"
        guard let message = state["message"]?.string, !message.isEmpty else { return word }
        return "\(word): \(message)"
    }
}
