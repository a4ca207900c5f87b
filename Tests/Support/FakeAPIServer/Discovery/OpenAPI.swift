import Kubernetes

/// `/openapi/v3`, as much as kubectl needs: kinds, fields, and that writes take `fieldValidation`.
enum OpenAPI {
    static func answer(_ parts: [String], _ registry: Registry) throws -> Reply {
        if parts.isEmpty {
            var paths: JSONTree = [:]
            for (group, versions) in registry.groups {
                for version in versions {
                    let path = group.isEmpty ? "api/\(version)" : "apis/\(group)/\(version)"
                    paths[path] = ["serverRelativeURL": .string("/openapi/v3/\(path)")]
                }
            }
            return .json(["paths": paths])
        }
        let (group, version) =
            parts[0] == "api"
            ? ("", parts.dropFirst().first ?? "") : (parts.dropFirst().first ?? "", parts.dropFirst(2).first ?? "")
        let types = registry.types(group, version)
        guard !types.isEmpty else { throw APIError.noSuchResource }
        var document: JSONTree = ["openapi": "3.0.0", "info": ["title": "Kubernetes", "version": "v1"]]
        for type in types { add(type, to: &document) }
        return .json(document)
    }

    private static func add(_ type: ResourceType, to document: inout JSONTree) {
        let kind: JSONTree = [
            "group": .string(type.group), "version": .string(type.version), "kind": .string(type.kind),
        ]
        let name = "\(type.group.isEmpty ? "core" : type.group).\(type.version).\(type.kind)"
        var schema = tree(type.schema)
        schema["x-kubernetes-group-version-kind"] = [kind]
        document.set("components", "schemas", name, to: schema)
        let root = type.group.isEmpty ? "/api/\(type.version)" : "/apis/\(type.group)/\(type.version)"
        let place = type.isNamespaced ? "\(root)/namespaces/{namespace}/\(type.resource)" : "\(root)/\(type.resource)"
        let parameters = ["dryRun", "fieldManager", "fieldValidation"].map { name -> JSONTree in
            ["name": .string(name), "in": "query", "schema": ["type": "string", "uniqueItems": true]]
        }
        let reference: JSONTree = ["schema": ["$ref": .string("#/components/schemas/\(name)")]]
        let operation = { (action: String) -> JSONTree in
            [
                "parameters": .array(parameters), "x-kubernetes-action": .string(action),
                "x-kubernetes-group-version-kind": kind,
                "responses": ["200": ["description": "OK", "content": ["application/json": reference]]],
            ]
        }
        document.set("paths", place, to: ["post": operation("post")])
        if !type.isVirtual {
            document.set(
                "paths",
                "\(place)/{name}",
                to: ["patch": operation("patch"), "put": operation("put"), "get": operation("get")]
            )
        }
    }

    private static func tree(_ schema: Schema) -> JSONTree {
        var tree: JSONTree = [:]
        if let type = schema.type { tree["type"] = .string(type) }
        if let text = schema.description { tree["description"] = .string(text) }
        if schema.isIntOrString { tree["x-kubernetes-int-or-string"] = true }
        if schema.preservesUnknown { tree["x-kubernetes-preserve-unknown-fields"] = true }
        if !schema.properties.isEmpty { tree["properties"] = .object(schema.properties.mapValues(self.tree)) }
        if let additional = schema.additional.first { tree["additionalProperties"] = self.tree(additional) }
        if let items = schema.items.first { tree["items"] = self.tree(items) }
        if !schema.required.isEmpty { tree["required"] = .array(schema.required.map { .string($0) }) }
        if let allowed = schema.limits.enumeration { tree["enum"] = .array(allowed) }
        switch schema.ownership {
        case .map(let keys) where schema.type == "array":
            tree["x-kubernetes-list-type"] = "map"
            tree["x-kubernetes-list-map-keys"] = .array(keys.map { .string($0) })
        case .set where schema.type == "array": tree["x-kubernetes-list-type"] = "set"
        case .atomic where schema.type == "array": tree["x-kubernetes-list-type"] = "atomic"
        default: break
        }
        if let key = schema.mergeKey {
            tree["x-kubernetes-patch-merge-key"] = .string(key)
            tree["x-kubernetes-patch-strategy"] = "merge"
        } else if schema.mergesScalars {
            tree["x-kubernetes-patch-strategy"] = "merge"
        }
        return tree
    }
}
