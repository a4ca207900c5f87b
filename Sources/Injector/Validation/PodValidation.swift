import BackupModel
import Kubernetes

/// What the API server would refuse a pod for, as far as an injection can cause it.
///
/// A patch that decodes and gives an invalid pod stops the pod even where failures of the webhook are ignored
/// (apiserver, `mutating/dispatcher.go`): so nothing is sent that this finds fault with.
enum PodValidation {
    /// Most bytes of all annotations together (apimachinery, `TotalAnnotationSizeLimitB`).
    static let annotationBytes = 256 << 10

    /// The first reason to refuse the pod; nil when there is none.
    static func reasonAgainst(_ tree: JSONTree, in namespace: NamespaceFacts) -> String? {
        let pod: Pod
        do throws(InjectionError) {
            pod = try Pod(tree)
        } catch {
            return error.message
        }
        if let reason = namesReason(pod) { return reason }
        for container in pod.allContainers {
            if let reason = mountsReason(container, pod) ?? resourcesReason(container) { return reason }
        }
        return marksReason(pod) ?? securityReason(pod, namespace)
    }

    private static func namesReason(_ pod: Pod) -> String? {
        if pod.containers.isEmpty { return "it has no containers" }
        var seen: Set<String> = []
        for container in pod.allContainers {
            if let reason = labelReason(container.name) { return "a container's name \(reason)" }
            guard seen.insert(container.name).inserted else { return "two containers are called '\(container.name)'" }
        }
        seen = []
        for volume in pod.volumes {
            let name = volume["name"]?.string ?? ""
            if let reason = labelReason(name) { return "a volume's name \(reason)" }
            guard seen.insert(name).inserted else { return "two volumes are called '\(name)'" }
        }
        return nil
    }

    private static func labelReason(_ name: String) -> String? {
        name.contains(".") ? "is '\(name)', with a dot" : ResourceName.reasonAgainst(name, maximumBytes: 63)
    }

    private static func mountsReason(_ container: Container, _ pod: Pod) -> String? {
        let volumes = Set(pod.volumes.compactMap { $0["name"]?.string })
        var places: Set<String> = []
        for mount in container.mounts {
            let name = mount["name"]?.string ?? ""
            guard volumes.contains(name) else {
                return "container '\(container.name)' mounts '\(name)', which is no volume of the pod"
            }
            guard let place = mount["mountPath"]?.string, !place.isEmpty else {
                return "container '\(container.name)' mounts '\(name)' nowhere"
            }
            guard places.insert(place).inserted else {
                return "container '\(container.name)' mounts two volumes at \(place)"
            }
        }
        return nil
    }

    private static func resourcesReason(_ container: Container) -> String? {
        let kinds = ["requests", "limits"].map { container.tree[path: "resources", $0]?.object ?? [:] }
        for kind in kinds {
            for (name, value) in kind where AgentResources.quantity(value).map({ $0 < .zero }) ?? true {
                return "container '\(container.name)' has '\(value)' as \(name), which is no quantity"
            }
        }
        for (name, request) in kinds[0] {
            if let request = AgentResources.quantity(request), let limit = AgentResources.quantity(kinds[1][name]),
                request > limit
            {
                return "container '\(container.name)' requests more \(name) than its limit"
            }
        }
        return nil
    }

    private static func marksReason(_ pod: Pod) -> String? {
        let bytes = pod.annotations.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        if bytes > annotationBytes {
            return "its annotations have \(bytes) bytes, more than the \(annotationBytes) allowed"
        }
        if let cluster = pod.labels[AgentMark.cluster], let reason = labelReason(cluster) {
            return "the label \(AgentMark.cluster) \(reason)"
        }
        return nil
    }

    private static func securityReason(_ pod: Pod, _ namespace: NamespaceFacts) -> String? {
        guard let agent = pod.allContainers.first(where: { $0.name == AgentMark.container }),
            let reason = PodSecurity.reasonAgainst(agent, in: pod, namespace.podSecurity)
        else { return nil }
        return
            "namespace '\(namespace.name)' enforces Pod Security '\(namespace.podSecurity.rawValue)', and the agent \(reason)"
    }
}

extension Pod {
    var allContainers: [Container] { initContainers + containers }
}
