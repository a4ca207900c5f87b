import Kubernetes

/// The admission plugin of that name: defaults of containers, and bounds of containers and pods
/// (kubernetes, plugin/pkg/admission/limitranger).
struct LimitRanger: Sendable {
    private let items: [JSONTree]

    init(_ core: ServerCore, namespace: String) {
        let place = GroupResource(group: "", resource: "limitranges")
        items = core.store.read { state in
            state.all(place).filter { $0.key.namespace == namespace }.sorted { $0.key < $1.key }
                .flatMap { $0.value["spec"]?["limits"]?.array ?? [] }
        }
    }

    /// What the API server fills into an entry: a default limit from the greatest, a default request from the default
    /// limit or from the least.
    static func complete(_ item: inout JSONTree) {
        guard item["type"] == "Container" else { return }
        var limits = item["default"]?.object ?? [:]
        for (name, value) in item["max"]?.object ?? [:] where limits[name] == nil { limits[name] = value }
        var requests = item["defaultRequest"]?.object ?? [:]
        for (name, value) in limits where requests[name] == nil { requests[name] = value }
        for (name, value) in item["min"]?.object ?? [:] where requests[name] == nil { requests[name] = value }
        if !limits.isEmpty { item["default"] = .object(limits) }
        if !requests.isEmpty { item["defaultRequest"] = .object(requests) }
    }

    // MARK: Defaults

    /// The pod with the defaults of its namespace; the first entry that has one counts.
    func admit(_ pod: JSONTree) -> JSONTree {
        var pod = pod
        for item in items where item["type"] == "Container" {
            pod.modify("spec") { spec in
                for list in ["containers", "initContainers"] {
                    spec.modify(list) { $0.modifyElements { Self.fill(&$0, item) } }
                }
            }
        }
        return pod
    }

    private static func fill(_ container: inout JSONTree, _ item: JSONTree) {
        for (kind, source) in [("limits", "default"), ("requests", "defaultRequest")] {
            for (name, value) in item[source]?.object ?? [:] where container["resources"]?[kind]?[name] == nil {
                container.set("resources", kind, name, to: value)
            }
        }
    }

    // MARK: Bounds

    /// Refuses a pod that is out of bounds, with everything that is.
    func check(_ pod: JSONTree) throws {
        let spec = pod["spec"] ?? [:]
        let containers = spec["containers"]?.array ?? []
        let first = spec["initContainers"]?.array ?? []
        var reasons: [String] = []
        for item in items {
            switch item["type"]?.string {
            case "Container":
                for container in containers + first {
                    reasons += Self.reasons(item, "Container", Self.amounts(container))
                }
            case "Pod": reasons += Self.reasons(item, "Pod", Self.total(containers, first))
            default: break
            }
        }
        guard !reasons.isEmpty else { return }
        let text = reasons.count == 1 ? reasons[0] : "[\(reasons.joined(separator: ", "))]"
        throw APIError.forbidden(GroupResource(group: "", resource: "pods"), pod.name, text)
    }

    private typealias Amounts = (requests: [String: Double], limits: [String: Double])

    private static func amounts(_ container: JSONTree) -> Amounts {
        func read(_ kind: String) -> [String: Double] {
            (container["resources"]?[kind]?.object ?? [:]).compactMapValues(value)
        }
        return (read("requests"), read("limits"))
    }

    private static func value(_ tree: JSONTree) -> Double? {
        Quantity(tree.string ?? tree.description)?.number
    }

    /// All that run side by side, or the greatest of those that run before them.
    private static func total(_ containers: [JSONTree], _ first: [JSONTree]) -> Amounts {
        let sidecars = first.filter { $0["restartPolicy"] == "Always" }
        var sum: Amounts = ([:], [:])
        for container in containers + sidecars {
            let (requests, limits) = amounts(container)
            sum.requests.merge(requests, uniquingKeysWith: +)
            sum.limits.merge(limits, uniquingKeysWith: +)
        }
        for container in first where container["restartPolicy"] != "Always" {
            let (requests, limits) = amounts(container)
            sum.requests.merge(requests, uniquingKeysWith: max)
            sum.limits.merge(limits, uniquingKeysWith: max)
        }
        return sum
    }

    private static func reasons(_ item: JSONTree, _ type: String, _ has: Amounts) -> [String] {
        var found: [String] = []
        func each(_ field: String, _ body: (String, Double, String) -> Void) {
            for (name, bound) in (item[field]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
                if let number = value(bound) { body(name, number, bound.string ?? bound.description) }
            }
        }
        each("min") { name, least, text in
            let (request, limit) = (has.requests[name], has.limits[name])
            let what = "minimum \(name) usage per \(type) is \(text)"
            if request == nil {
                found.append("\(what).  No request is specified")
            } else if let request, request < least {
                found.append("\(what), but request is \(request)")
            } else if let limit, limit < least {
                found.append("\(what), but limit is \(limit)")
            }
        }
        each("max") { name, most, text in
            let (request, limit) = (has.requests[name], has.limits[name])
            let what = "maximum \(name) usage per \(type) is \(text)"
            if limit == nil {
                found.append("\(what).  No limit is specified")
            } else if let limit, limit > most {
                found.append("\(what), but limit is \(limit)")
            } else if let request, request > most {
                found.append("\(what), but request is \(request)")
            }
        }
        each("maxLimitRequestRatio") { name, ratio, text in
            let (request, limit) = (has.requests[name] ?? 0, has.limits[name] ?? 0)
            let what = "\(name) max limit to request ratio per \(type) is \(text)"
            if request == 0 {
                found.append("\(what), but no request is specified or request is 0")
            } else if limit == 0 {
                found.append("\(what), but no limit is specified or limit is 0")
            } else if limit / request > ratio {
                found.append("\(what), but provided ratio is \(limit / request)")
            }
        }
        return found
    }
}

/// The part of quota admission that an injected container meets: what is counted must be said.
enum QuotaAdmission {
    static func check(_ pod: JSONTree, namespace: String, _ core: ServerCore) throws {
        let place = GroupResource(group: "", resource: "resourcequotas")
        let quotas = core.store.read { $0.all(place).filter { $0.key.namespace == namespace } }
        let containers = (pod["spec"]?["initContainers"]?.array ?? []) + (pod["spec"]?["containers"]?.array ?? [])
        for (key, quota) in quotas.sorted(by: { $0.key < $1.key }) {
            for resource in ["limits.cpu", "limits.memory", "requests.cpu", "requests.memory"]
            where quota["spec"]?["hard"]?[resource] != nil {
                let parts = resource.split(separator: ".").map(String.init)
                let missing = containers.filter { $0["resources"]?[parts[0]]?[parts[1]] == nil }
                guard !missing.isEmpty else { continue }
                let names = missing.compactMap { $0["name"]?.string }.joined(separator: ",")
                throw APIError.forbidden(
                    GroupResource(group: "", resource: "pods"),
                    pod.name,
                    "failed quota: \(key.name): must specify \(resource) for: \(names)"
                )
            }
        }
    }
}
