import Kubernetes

extension ServerCore {
    private static let mediaTypes = [
        "application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json",
        "application/apply-patch+yaml",
    ]

    func patch(_ call: Call, _ type: ResourceType) async throws -> Reply {
        let media = call.contentType.split(separator: ";").first.map { String($0).trimmed } ?? ""
        let isStrategic = media == "application/strategic-merge-patch+json"
        guard Self.mediaTypes.contains(media), !(isStrategic && type.isCustom) else {
            let accepted = Self.mediaTypes.filter { !type.isCustom || !$0.contains("strategic") }
            throw APIError.unsupportedMediaType(
                "the body of the request was in an unknown format - accepted media types include: \(accepted.joined(separator: ", "))"
            )
        }
        if media == "application/apply-patch+yaml" { return try await apply(call, type) }
        if call.query["force"] != nil {
            throw Self.invalidOptions([.forbidden("force", "may not be specified for non-apply patch")])
        }
        let patch: JSONTree
        do {
            patch = try JSONTree(parsing: call.body)
        } catch {
            throw APIError.badRequest("error decoding patch: \(error)")
        }
        if media.contains("json-patch") {
            guard let operations = patch.array else {
                throw APIError.badRequest(
                    "error decoding patch: json: cannot unmarshal object into a list of operations"
                )
            }
            if operations.count > 10_000 {
                throw APIError.tooLarge(
                    "The allowed maximum operations in a JSON patch is 10000, got \(operations.count)"
                )
            }
        } else if patch.object == nil {
            throw APIError.badRequest("error decoding patch: json: cannot unmarshal into an object")
        }
        let named = media.contains("json-patch") ? nil : patch["metadata"]?["resourceVersion"]?.string
        let isPinned = !(named ?? "").isEmpty
        let result = try await update(call, type, isPinned: isPinned) { current in
            guard let current else { throw APIError.notFound(type.groupResource, call.info.name) }
            if let named, isPinned, named != current.resourceVersion {
                throw APIError.stale(type.groupResource, call.info.name)
            }
            let patched = try Self.patched(current, patch, media, type)
            if patched.name != current.name {
                throw APIError.badRequest(
                    "the name of the object (\(patched.name)) does not match the name on the URL (\(current.name))"
                )
            }
            return try self.understood(patched, call, type)
        }
        return try shown(result.object, call, type)
    }

    private static func patched(_ current: JSONTree, _ patch: JSONTree, _ media: String, _ type: ResourceType) throws
        -> JSONTree
    {
        switch media {
        case "application/json-patch+json":
            do {
                return try JSONPatch.apply(patch, to: current)
            } catch {
                throw APIError(
                    code: 422,
                    reason: "Invalid",
                    message: "the server rejected our request due to an error in our request",
                    details: ["causes": [["reason": "UnexpectedServerResponse", "message": .string("\(error)")]]]
                )
            }
        case "application/merge-patch+json": return MergePatch.apply(patch, to: current)
        default: return try StrategicMergePatch.apply(patch, to: current, type.schema)
        }
    }

    /// What can't be read after a patch is the patch's fault.
    private func understood(_ patched: JSONTree, _ call: Call, _ type: ResourceType) throws -> JSONTree {
        do {
            return try accept(patched, call, type)
        } catch let error as APIError where error.code == 400 {
            throw APIError(
                code: 422,
                reason: "Invalid",
                message:
                    " \"\" is invalid: patch: Invalid value: \(patched.description.debugDescription): \(error.message)",
                details: [
                    "causes": [["reason": "FieldValueInvalid", "field": "patch", "message": .string(error.message)]]
                ]
            )
        }
    }

    static func invalidOptions(_ errors: [FieldError]) -> APIError {
        APIError.invalid(GroupKind(group: "meta.k8s.io", kind: "PatchOptions"), "", errors)
    }

    /// Server-side apply.
    private func apply(_ call: Call, _ type: ResourceType) async throws -> Reply {
        let manager = call.query["fieldManager"] ?? ""
        guard !manager.isEmpty else {
            throw Self.invalidOptions([.required("fieldManager", "is required for apply patch")])
        }
        if manager.count > 128 { throw Self.invalidOptions([.tooLong("fieldManager", atMost: 128)]) }
        let tree = try Self.parse(call.body, "application/apply-patch+yaml")
        guard tree.object != nil else { throw APIError.badRequest("error decoding YAML: an object was expected") }
        guard tree["metadata"]?["managedFields"]?.array?.isEmpty ?? true else {
            throw APIError.badRequest("metadata.managedFields must be nil")
        }
        let unknown = FieldSets.unknownFields(tree, type.schema)
        if let first = unknown.first {
            throw APIError(
                code: 500,
                reason: "InternalError",
                message:
                    "failed to create typed patch object (\(call.info.namespace)/\(call.info.name); \(type.apiVersion), Kind=\(type.kind)): \(first): field not declared in schema"
            )
        }
        let wanted = try accept(tree, call, type)
        if !wanted.name.isEmpty, wanted.name != call.info.name {
            throw APIError.badRequest(
                "the name of the object (\(wanted.name)) does not match the name on the URL (\(call.info.name))"
            )
        }
        let isPinned = !wanted.resourceVersion.isEmpty
        let result = try await update(call, type, isPinned: isPinned, applies: true) { current in
            guard let current else {
                guard call.info.subresource.isEmpty else { throw APIError.notFound(type.groupResource, call.info.name) }
                if !wanted.uid.isEmpty {
                    throw APIError.conflict(
                        type.groupResource,
                        call.info.name,
                        "uid mismatch: the provided object specified uid \(wanted.uid), and no existing object was found"
                    )
                }
                if self.options.enforcesRBAC {
                    // A patch that creates needs both verbs.
                    var info = call.info
                    info.verb = "create"
                    try self.authorize(info, call.identity)
                }
                var object = wanted
                object.set("metadata", "name", to: .string(call.info.name))
                object.set("metadata", "resourceVersion", to: nil)
                return object
            }
            if isPinned, wanted.resourceVersion != current.resourceVersion {
                throw APIError.stale(type.groupResource, call.info.name)
            }
            return try Ownership.apply(
                wanted,
                to: current,
                Ownership.Applier(
                    manager: manager,
                    subresource: call.info.subresource,
                    isForced: call.query.isTrue("force"),
                    apiVersion: type.apiVersion,
                    hasStatus: type.hasStatus
                ),
                type.schema,
                self.now
            )
        }
        return try shown(result.object, call, type, status: result.isCreated ? 201 : 200)
    }
}
