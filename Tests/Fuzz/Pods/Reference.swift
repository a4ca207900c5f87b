import Injector
import Kubernetes

/// A second opinion on patches and pods, written apart from the injector's own code.
enum Reference {
    /// The pod that a patch gives, or nil when the API server couldn't apply it.
    static func apply(_ patch: JSONTree, to tree: JSONTree) -> JSONTree? {
        var result = tree
        for operation in patch.array ?? [] {
            guard let text = operation["path"]?.string, text.hasPrefix("/"), let name = operation["op"]?.string,
                ["add", "replace", "remove"].contains(name)
            else { return nil }
            let parts = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map { part in
                part.split(separator: "~1", omittingEmptySubsequences: false).map { piece in
                    piece.split(separator: "~0", omittingEmptySubsequences: false).joined(separator: "~")
                }.joined(separator: "/")
            }
            guard let next = rebuild(result, parts[...], name, operation["value"]) else { return nil }
            result = next
        }
        return result
    }

    private static func rebuild(_ tree: JSONTree, _ path: ArraySlice<String>, _ name: String, _ value: JSONTree?)
        -> JSONTree?
    {
        guard let part = path.first else { return nil }
        if var members = tree.object {
            if path.count > 1 {
                guard let below = members[part], let changed = rebuild(below, path.dropFirst(), name, value) else {
                    return nil
                }
                members[part] = changed
            } else {
                if name != "add", members[part] == nil { return nil }
                if name != "remove", value == nil { return nil }
                members[part] = name == "remove" ? nil : value
            }
            return .object(members)
        }
        guard var elements = tree.array else { return nil }
        if path.count == 1, name == "add" {
            guard let value, let index = part == "-" ? elements.count : Int(part), (0...elements.count).contains(index)
            else { return nil }
            elements.insert(value, at: index)
            return .array(elements)
        }
        guard let index = Int(part), elements.indices.contains(index) else { return nil }
        if path.count > 1 {
            guard let changed = rebuild(elements[index], path.dropFirst(), name, value) else { return nil }
            elements[index] = changed
        } else if name == "replace", let value {
            elements[index] = value
        } else if name == "remove" {
            elements.remove(at: index)
        } else {
            return nil
        }
        return .array(elements)
    }

    /// Everything that an API server would refuse a pod for, among what matters here.
    static func problems(of pod: JSONTree) -> Set<String> {
        var found: Set<String> = []
        let volumes = (pod[path: "spec", "volumes"]?.array ?? []).map { $0["name"]?.string ?? "" }
        if Set(volumes).count != volumes.count { found.insert("volumes with one name") }
        let plain = pod[path: "spec", "containers"]?.array ?? []
        let containers = plain + (pod[path: "spec", "initContainers"]?.array ?? [])
        let names = containers.map { $0["name"]?.string ?? "" }
        if Set(names).count != names.count { found.insert("containers with one name") }
        if plain.isEmpty { found.insert("no containers") }
        for container in plain where container["restartPolicy"] != nil {
            found.insert("a plain container with a restartPolicy")
        }
        for container in containers {
            let name = container["name"]?.string ?? ""
            let mounts = container["volumeMounts"]?.array ?? []
            for mount in mounts where !volumes.contains(mount["name"]?.string ?? "") {
                found.insert("\(name) mounts what isn't there")
            }
            let places = mounts.map { $0["mountPath"]?.string ?? "" }
            if Set(places).count != places.count { found.insert("\(name) mounts twice at one place") }
            for mount in mounts where mount["subPath"] != nil && mount["subPathExpr"] != nil {
                found.insert("\(name) has two subpaths")
            }
            let variables = Set((container["env"]?.array ?? []).compactMap { $0["name"]?.string })
            for mount in mounts {
                for piece in (mount["subPathExpr"]?.string ?? "").split(separator: "$(").dropFirst(
                    mount["subPathExpr"]?.string?.hasPrefix("$(") == true ? 0 : 1
                )
                where !variables.contains(String(piece.prefix { $0 != ")" })) {
                    found.insert("\(name) has a subPathExpr without its variable")
                }
            }
        }
        for list in ["annotations", "labels"] {
            let entries = pod[path: "metadata", list]?.object ?? [:]
            for (key, value) in entries where value.string == nil { found.insert("\(list).\(key) is no text") }
            if entries.reduce(0, { $0 + $1.key.utf8.count + ($1.value.string?.utf8.count ?? 0) }) > 262_144 {
                found.insert("\(list) too large")
            }
        }
        return found
    }

    /// Whether a pod's class of service is Guaranteed.
    static func isGuaranteed(_ pod: JSONTree) -> Bool {
        let containers = ["containers", "initContainers"].flatMap { pod[path: "spec", $0]?.array ?? [] }
        return !containers.isEmpty
            && containers.allSatisfy { container in
                ["cpu", "memory"].allSatisfy { kind in
                    guard let limit = container[path: "resources", "limits", kind] else { return false }
                    return bytes(container[path: "resources", "requests", kind] ?? limit) == bytes(limit)
                }
            }
    }

    /// How the agent in a pod breaks the bounds of its namespace; of a pod that an earlier injection changed, too.
    static func limitProblem(of pod: JSONTree, _ facts: NamespaceFacts) -> String? {
        if pod[path: "spec", "resources"] != nil { return nil }
        let all = (pod[path: "spec", "containers"]?.array ?? []) + (pod[path: "spec", "initContainers"]?.array ?? [])
        guard let agent = all.first(where: { $0["name"]?.string == AgentMark.container }) else { return nil }
        func bound(_ text: String?) -> Double? { text.flatMap { bytes(.string($0)) } }
        for (name, minimum, maximum, ratio) in [
            ("cpu", facts.bounds.minimumCPU, facts.bounds.maximumCPU, facts.bounds.maximumCPURatio),
            ("memory", facts.bounds.minimumMemory, facts.bounds.maximumMemory, facts.bounds.maximumMemoryRatio),
        ] {
            let request = agent[path: "resources", "requests", name].flatMap(bytes) ?? 0
            let limit = agent[path: "resources", "limits", name].flatMap(bytes)
            if let least = bound(minimum), request < least { return "it requests less \(name) than \(least)" }
            if let most = bound(maximum), limit.map({ $0 > most }) ?? true { return "its \(name) may be \(most)" }
            if let ratio = bound(ratio), limit.map({ $0 > request * ratio }) ?? true { return "\(name) ratio \(ratio)" }
            if let limit, request > limit { return "it requests more \(name) than its limit" }
        }
        return nil
    }

    /// The few ways to write a quantity that the made pods and the injector use.
    private static func bytes(_ value: JSONTree) -> Double? {
        let text = value.string ?? value.description
        for (suffix, factor) in [("Mi", 1_048_576.0), ("Gi", 1_073_741_824.0), ("m", 0.001)]
        where text.hasSuffix(suffix) {
            return Double(text.dropLast(suffix.count)).map { $0 * factor }
        }
        return Double(text)
    }

    /// What base 64 text stands for.
    static func decode(base64 text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        var (bits, count): (UInt32, Int) = (0, 0)
        for unit in text.utf8 {
            let value: UInt8
            switch unit {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = unit - UInt8(ascii: "A")
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = unit - UInt8(ascii: "a") + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = unit - UInt8(ascii: "0") + 52
            case UInt8(ascii: "+"): value = 62
            case UInt8(ascii: "/"): value = 63
            default: continue
            }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return bytes
    }
}
