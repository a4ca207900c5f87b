import Kubernetes

/// From a Service's port to a pod's.
enum ServicePort {
    /// The port of a pod to which the Service leads: its port `https`, or its first one.
    static func find(_ service: JSONTree, in pod: JSONTree) -> Int64? {
        let ports = service[path: "spec", "ports"]?.array ?? []
        guard let port = ports.first(where: { $0["name"]?.string == "https" }) ?? ports.first else { return nil }
        switch port["targetPort"] {
        case .integer(let number)?: return number
        case .string(let name)?:
            let all = (pod[path: "spec", "containers"]?.array ?? []).flatMap { $0["ports"]?.array ?? [] }
            return all.first { $0["name"]?.string == name }?["containerPort"]?.integer
        default: return port["port"]?.integer
        }
    }
}
