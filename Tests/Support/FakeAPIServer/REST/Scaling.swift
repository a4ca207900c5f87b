import Kubernetes

extension ServerCore {
    private static let scaleType = ResourceType(
        group: "autoscaling",
        version: "v1",
        resource: "scales",
        kind: "Scale",
        singular: "scale",
        schema: BuiltinSchemas.object("Scale")
    )

    /// Reads or sets `spec.replicas` alone.
    func scale(_ call: Call, _ type: ResourceType) async throws -> Reply {
        var plain = call
        plain.info.subresource = ""
        if call.info.verb == "get" {
            let key = ObjectKey(namespace: call.info.namespace, name: call.info.name)
            guard let object = store.read({ $0.object(type.storage, key) }) else {
                throw APIError.notFound(type.groupResource, key.name)
            }
            return .json(Self.scale(of: object))
        }
        guard call.info.verb == "update" || call.info.verb == "patch" else {
            throw APIError.methodNotAllowed("the server does not allow this method on the requested resource")
        }
        if call.info.verb == "patch", !call.contentType.contains("merge-patch+json") {
            throw APIError.unsupportedMediaType(
                "scale takes application/merge-patch+json and application/strategic-merge-patch+json"
            )
        }
        let body = try Self.parse(call.body, "application/json")
        let given = body["metadata"]?["resourceVersion"]?.string ?? ""
        let result = try await update(plain, type, isPinned: !given.isEmpty) { current in
            guard let current else { throw APIError.notFound(type.groupResource, call.info.name) }
            let before = Self.scale(of: current)
            let wanted = try self.accept(
                call.info.verb == "patch" ? MergePatch.apply(body, to: before) : body,
                call,
                Self.scaleType
            )
            if !given.isEmpty, given != current.resourceVersion {
                throw APIError.stale(type.groupResource, call.info.name)
            }
            let replicas = wanted["spec"]?["replicas"]?.integer ?? 0
            guard replicas >= 0 else {
                throw APIError.invalid(
                    Self.scaleType.groupKind,
                    call.info.name,
                    [.invalid("spec.replicas", .integer(replicas), "must be greater than or equal to 0")]
                )
            }
            var next = current
            next.set("spec", "replicas", to: .integer(replicas))
            return next
        }
        return .json(Self.scale(of: result.object))
    }

    private static func scale(of object: JSONTree) -> JSONTree {
        var metadata: JSONTree = [:]
        for key in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
            metadata[key] = object["metadata"]?[key]
        }
        return [
            "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": metadata,
            "spec": ["replicas": object["spec"]?["replicas"] ?? 0],
            "status": ["replicas": object["status"]?["replicas"] ?? 0],
        ]
    }
}
