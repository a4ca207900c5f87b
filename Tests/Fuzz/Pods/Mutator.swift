import Kubernetes

/// What other webhooks, operators and the API server itself do to a pod between two looks at it.
enum Mutator: CaseIterable {
    /// Writes the pod anew from types that don't know `restartPolicy` of init containers.
    case stripsRestartPolicy
    /// A mesh's proxy, behind the others.
    case addsContainer
    /// A native sidecar, before the others.
    case addsInitContainer
    /// Every volume gets another name, and every mount too.
    case renamesVolumes
    /// The API server's defaults.
    case setsDefaults
    /// Files of volumes get a group.
    case setsGroup
    case addsAnnotation
    /// Everything that it doesn't know goes.
    case dropsAnnotations

    func apply(_ pod: JSONTree) -> JSONTree {
        var pod = pod
        switch self {
        case .stripsRestartPolicy:
            each("initContainers", of: &pod) { $0["restartPolicy"] = nil }
        case .addsContainer:
            append(
                ["name": "istio-proxy", "image": "istio/proxyv2:1.22", "resources": ["requests": ["cpu": "10m"]]],
                to: "containers",
                of: &pod
            )
        case .addsInitContainer:
            let proxy: JSONTree = ["name": "linkerd-proxy", "image": "linkerd/proxy", "restartPolicy": "Always"]
            guard let spec = pod["spec"], spec["initContainers"]?.array != nil || spec["initContainers"] == nil,
                !names(in: pod).contains("linkerd-proxy")
            else { return pod }
            pod["spec"]?["initContainers"] = .array([proxy] + (spec["initContainers"]?.array ?? []))
        case .renamesVolumes:
            each("volumes", of: &pod, rename)
            for list in ["containers", "initContainers"] {
                each(list, of: &pod) { container in
                    for field in ["volumeMounts", "volumeDevices"] {
                        guard var elements = container[field]?.array else { continue }
                        for index in elements.indices { rename(&elements[index]) }
                        container[field] = .array(elements)
                    }
                }
            }
        case .setsDefaults:
            for list in ["containers", "initContainers"] { each(list, of: &pod, setDefaults) }
            each("volumes", of: &pod) { volume in
                if volume["secret"]?.object != nil, volume["secret"]?["defaultMode"] == nil {
                    volume["secret"]?["defaultMode"] = 420
                }
                if volume["projected"]?.object != nil { volume["projected"]?["defaultMode"] = 420 }
            }
        case .setsGroup:
            guard pod["spec"]?.object != nil else { return pod }
            if pod[path: "spec", "securityContext"]?.object == nil { pod["spec"]?["securityContext"] = [:] }
            pod["spec"]?["securityContext"]?["fsGroup"] = 4711
        case .addsAnnotation:
            guard pod[path: "metadata", "annotations"]?.object != nil else { return pod }
            pod["metadata"]?["annotations"]?["sidecar.istio.io/status"] = "{}"
        case .dropsAnnotations:
            guard let all = pod[path: "metadata", "annotations"]?.object else { return pod }
            pod["metadata"]?["annotations"] = .object(all.filter { $0.key == "remora.dev/inject" })
        }
        return pod
    }

    private func names(in pod: JSONTree) -> [String] {
        ["containers", "initContainers"].flatMap { pod[path: "spec", $0]?.array ?? [] }.compactMap {
            $0["name"]?.string
        }
    }

    private func append(_ element: JSONTree, to list: String, of pod: inout JSONTree) {
        guard let elements = pod[path: "spec", list]?.array, !names(in: pod).contains(element["name"]?.string ?? "")
        else {
            return
        }
        pod["spec"]?[list] = .array(elements + [element])
    }

    private func each(_ list: String, of pod: inout JSONTree, _ change: (inout JSONTree) -> Void) {
        guard var elements = pod[path: "spec", list]?.array else { return }
        for index in elements.indices where elements[index].object != nil { change(&elements[index]) }
        pod["spec"]?[list] = .array(elements)
    }

    private func rename(_ element: inout JSONTree) {
        if let name = element["name"]?.string, name.utf8.count < 60 { element["name"] = .string(name + "-x") }
    }

    private func setDefaults(_ container: inout JSONTree) {
        container["terminationMessagePath"] = "/dev/termination-log"
        if container["terminationMessagePolicy"] == nil { container["terminationMessagePolicy"] = "File" }
        for (kind, limit) in container[path: "resources", "limits"]?.object ?? [:]
        where container[path: "resources", "requests", kind] == nil {
            if container[path: "resources", "requests"]?.object == nil { container["resources"]?["requests"] = [:] }
            container["resources"]?["requests"]?[kind] = limit
        }
        if container["livenessProbe"]?.object != nil { container["livenessProbe"]?["successThreshold"] = 1 }
    }
}
