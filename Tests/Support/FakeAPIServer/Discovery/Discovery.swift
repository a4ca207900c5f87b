import Kubernetes

extension ServerCore {
    /// Answers for paths that are no resources.
    func discovery(_ call: Call) throws -> Reply {
        guard call.info.verb == "get" || call.info.verb == "head" else {
            throw APIError.methodNotAllowed("the server does not allow this method on the requested resource")
        }
        let registry = store.read { $0.registry }
        let parts = call.info.path.split(separator: "/").map(String.init)
        switch parts.first {
        case "healthz", "livez", "readyz": return .text("ok")
        case "version": return .json(version)
        case "api" where parts.count == 1:
            if wantsAggregated(call) { return aggregated(registry, core: true) }
            return .json(["kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []])
        case "api" where parts.count == 2: return try resources("", parts[1], registry)
        case "apis" where parts.count == 1:
            if wantsAggregated(call) { return aggregated(registry, core: false) }
            let groups = registry.groups.filter { !$0.name.isEmpty }.map { group($0.name, $0.versions) }
            return .json(["kind": "APIGroupList", "apiVersion": "v1", "groups": .array(groups)])
        case "apis" where parts.count == 2:
            guard let found = registry.groups.first(where: { $0.name == parts[1] && !$0.name.isEmpty }) else {
                throw APIError.noSuchResource
            }
            var tree = group(found.name, found.versions)
            tree["kind"] = "APIGroup"
            tree["apiVersion"] = "v1"
            return .json(tree)
        case "apis" where parts.count == 3: return try resources(parts[1], parts[2], registry)
        case "openapi" where parts.count >= 2 && parts[1] == "v3":
            return try OpenAPI.answer(Array(parts.dropFirst(2)), registry)
        default: throw APIError.noSuchResource
        }
    }

    private var version: JSONTree {
        let numbers = options.version.dropFirst().split(separator: ".")
        return [
            "major": .string(String(numbers.first ?? "1")), "minor": .string(String(numbers.dropFirst().first ?? "36")),
            "gitVersion": .string(options.version), "gitCommit": "0000000000000000000000000000000000000000",
            "gitTreeState": "clean",
            "buildDate": "2026-04-22T00:00:00Z", "goVersion": "go1.26.1", "compiler": "gc", "platform": "linux/amd64",
        ]
    }

    private func wantsAggregated(_ call: Call) -> Bool {
        call.accept.contains("as=APIGroupDiscoveryList") && call.accept.contains("v=v2;")
    }

    private func group(_ name: String, _ versions: [String]) -> JSONTree {
        let list = versions.map { version -> JSONTree in
            ["groupVersion": .string("\(name)/\(version)"), "version": .string(version)]
        }
        return ["name": .string(name), "versions": .array(list), "preferredVersion": list.first ?? .null]
    }

    private func resources(_ group: String, _ version: String, _ registry: Registry) throws -> Reply {
        let types = registry.types(group, version)
        guard !types.isEmpty else { throw APIError.noSuchResource }
        let list = types.flatMap { type -> [JSONTree] in
            var tree: JSONTree = [
                "name": .string(type.resource), "singularName": .string(type.singular),
                "namespaced": .bool(type.isNamespaced),
                "kind": .string(type.kind), "verbs": .array(type.verbs.map { .string($0) }),
            ]
            if !type.shortNames.isEmpty { tree["shortNames"] = .array(type.shortNames.map { .string($0) }) }
            if !type.categories.isEmpty { tree["categories"] = .array(type.categories.map { .string($0) }) }
            return [tree]
                + type.subresources.sorted().map { name in
                    [
                        "name": .string("\(type.resource)/\(name)"), "singularName": "",
                        "namespaced": .bool(type.isNamespaced),
                        "kind": .string(Self.kind(of: name, type)),
                        "verbs": .array(Self.verbs(of: name).map { .string($0) }),
                    ]
                }
        }
        return .json(
            [
                "kind": "APIResourceList", "apiVersion": "v1",
                "groupVersion": .string(group.isEmpty ? version : "\(group)/\(version)"), "resources": .array(list),
            ]
        )
    }

    private static func kind(of subresource: String, _ type: ResourceType) -> String {
        switch subresource {
        case "token": "TokenRequest"
        case "scale": "Scale"
        case "eviction": "Eviction"
        default: type.kind
        }
    }

    private static func verbs(of subresource: String) -> [String] {
        ["status", "scale"].contains(subresource) ? ["get", "patch", "update"] : ["create"]
    }

    private func aggregated(_ registry: Registry, core: Bool) -> Reply {
        let groups = registry.groups.filter { $0.name.isEmpty == core }.map { name, versions -> JSONTree in
            let list = versions.map { version -> JSONTree in
                [
                    "version": .string(version), "freshness": "Current",
                    "resources": .array(registry.types(name, version).map(Self.aggregated)),
                ]
            }
            return ["metadata": ["name": .string(name), "creationTimestamp": .null], "versions": .array(list)]
        }
        var reply = Reply.json(
            [
                "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": [:],
                "items": .array(groups),
            ]
        )
        reply.contentType = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        return reply
    }

    private static func aggregated(_ type: ResourceType) -> JSONTree {
        let kind: JSONTree = [
            "group": .string(type.group), "version": .string(type.version), "kind": .string(type.kind),
        ]
        var tree: JSONTree = [
            "resource": .string(type.resource), "responseKind": kind,
            "scope": .string(type.isNamespaced ? "Namespaced" : "Cluster"),
            "singularResource": .string(type.singular), "verbs": .array(type.verbs.map { .string($0) }),
        ]
        if !type.shortNames.isEmpty { tree["shortNames"] = .array(type.shortNames.map { .string($0) }) }
        if !type.categories.isEmpty { tree["categories"] = .array(type.categories.map { .string($0) }) }
        let subresources = type.subresources.sorted().map { name -> JSONTree in
            var response = kind
            response["kind"] = .string(Self.kind(of: name, type))
            return [
                "subresource": .string(name), "responseKind": response,
                "verbs": .array(verbs(of: name).map { .string($0) }),
            ]
        }
        if !subresources.isEmpty { tree["subresources"] = .array(subresources) }
        return tree
    }
}
