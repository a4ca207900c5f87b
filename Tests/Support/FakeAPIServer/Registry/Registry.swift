import Kubernetes

/// All resources that are served now: the built-in ones, and those of established CRDs.
struct Registry: Sendable {
    private struct Key: Hashable {
        var group: String
        var version: String
        var resource: String
    }

    private var types: [Key: ResourceType] = [:]
    /// Groups in the order in which discovery lists them, with their versions, the preferred one first.
    private(set) var groups: [(name: String, versions: [String])] = []

    init() {
        for type in BuiltinResources.all { add(type) }
    }

    private mutating func add(_ type: ResourceType) {
        types[Key(group: type.group, version: type.version, resource: type.resource)] = type
        if let index = groups.firstIndex(where: { $0.name == type.group }) {
            if !groups[index].versions.contains(type.version) { groups[index].versions.append(type.version) }
        } else {
            groups.append((type.group, [type.version]))
        }
    }

    /// Replaces what the CRD of that name serves.
    mutating func replace(definition: String, with new: [ResourceType]) {
        types = types.filter { $0.value.custom?.definition != definition }
        for type in new { add(type) }
        let served = types.keys
        for index in groups.indices {
            let name = groups[index].name
            groups[index].versions.removeAll { version in !served.contains { $0.group == name && $0.version == version }
            }
        }
        groups.removeAll(where: \.versions.isEmpty)
    }

    func type(_ group: String, _ version: String, _ resource: String) -> ResourceType? {
        types[Key(group: group, version: version, resource: resource)]
    }

    /// The resource of a kind, as objects name it.
    func type(apiVersion: String, kind: String) -> ResourceType? {
        types.values.first { $0.apiVersion == apiVersion && $0.kind == kind }
    }

    func types(_ group: String, _ version: String) -> [ResourceType] {
        types.values.filter { $0.group == group && $0.version == version }.sorted { $0.resource < $1.resource }
    }

    /// One type for each stored resource.
    var stored: [ResourceType] {
        types.values.filter { !$0.isVirtual && $0.group != "events.k8s.io" && ($0.custom?.isStorage ?? true) }
            .sorted { ($0.group, $0.resource) < ($1.group, $1.resource) }
    }

    var isEmpty: Bool { types.isEmpty }
}
