/// A change to an object.
public enum ObjectPatch: Sendable, Hashable {
    /// Members to set; `null` removes one (RFC 7386).
    case merge(JSONTree)
    /// A list of operations (RFC 6902).
    case json([JSONPatchOperation])
}

/// One operation of a JSON patch (RFC 6902).
public struct JSONPatchOperation: Sendable, Hashable {
    /// The whole operation.
    public let tree: JSONTree

    private init(_ operation: String, _ path: String, _ value: JSONTree?) {
        var tree: JSONTree = ["op": .string(operation), "path": .string(path)]
        if let value { tree["value"] = value }
        self.tree = tree
    }

    /// Adds a member, or an element before another; replaces a member that is there.
    public static func add(_ path: String, _ value: JSONTree) -> Self { Self("add", path, value) }
    /// Replaces what must be there.
    public static func replace(_ path: String, _ value: JSONTree) -> Self { Self("replace", path, value) }
    /// Removes what must be there.
    public static func remove(_ path: String) -> Self { Self("remove", path, nil) }
    /// Fails the whole patch unless the value is there.
    public static func test(_ path: String, _ value: JSONTree) -> Self { Self("test", path, value) }

    /// A name as part of a path: `~` and `/` escaped (RFC 6901).
    public static func escaped(_ name: String) -> String {
        name.reduce(into: "") { $0 += $1 == "~" ? "~0" : $1 == "/" ? "~1" : String($1) }
    }
}

/// How to delete.
public struct DeleteOptions: Sendable, Hashable {
    /// What becomes of the objects that the deleted one owns.
    public enum Propagation: String, Sendable {
        /// They go later.
        case background = "Background"
        /// They go first.
        case foreground = "Foreground"
        /// They stay.
        case orphan = "Orphan"
    }

    /// Delete only the object of this identity, not a new one of its name.
    public var uid: String?
    /// Delete only if nobody wrote since.
    public var resourceVersion: String?
    /// What becomes of the objects that it owns; nil for the kind's default.
    public var propagation: Propagation?
    /// Seconds that pods get to end; nil for what they ask for.
    public var gracePeriodSeconds: Int?

    /// Makes options.
    public init(
        uid: String? = nil,
        resourceVersion: String? = nil,
        propagation: Propagation? = nil,
        gracePeriodSeconds: Int? = nil
    ) {
        self.uid = uid
        self.resourceVersion = resourceVersion
        self.propagation = propagation
        self.gracePeriodSeconds = gracePeriodSeconds
    }

    var tree: JSONTree {
        var tree: JSONTree = ["apiVersion": "v1", "kind": "DeleteOptions"]
        if let uid { tree["preconditions"] = ["uid": .string(uid)] }
        if let resourceVersion {
            var preconditions = tree["preconditions"] ?? .object([:])
            preconditions["resourceVersion"] = .string(resourceVersion)
            tree["preconditions"] = preconditions
        }
        if let propagation { tree["propagationPolicy"] = .string(propagation.rawValue) }
        if let gracePeriodSeconds { tree["gracePeriodSeconds"] = .integer(Int64(gracePeriodSeconds)) }
        return tree
    }
}

extension KubernetesClient {
    /// Creates an object; its namespace is the object's own.
    ///
    /// When the answer to a first try was lost, and the object is there as it was to be created, that is success.
    ///
    /// - Parameters:
    ///   - object: with name, or with `generateName`.
    ///   - resource: its kind.
    ///   - fieldManager: who owns its fields; nil for what the user agent says.
    /// - Returns: the object as the server keeps it.
    /// - Throws: `.alreadyExists` among others.
    @discardableResult public func create(
        _ object: KubernetesObject,
        as resource: APIResource,
        fieldManager: String? = nil
    ) async throws(KubernetesError) -> KubernetesObject {
        try await create(object, as: resource, fieldManager: fieldManager) { _ in }
    }

    func create(
        _ object: KubernetesObject,
        as resource: APIResource,
        fieldManager: String?,
        adjust: (inout Call) -> Void
    ) async throws(KubernetesError) -> KubernetesObject {
        let place = try ResourcePath(resource, namespace: object.namespace)
        if resource.isNamespaced, object.namespace.isEmpty {
            throw KubernetesError(
                .configuration,
                "cannot create the \(resource.kind) '\(object.name)': say in which namespace"
            )
        }
        let isNamed = !object.name.isEmpty
        let summary =
            isNamed
            ? try ResourcePath(resource, namespace: object.namespace, name: object.name).summary
            : "a \(resource.kind)"
        let query = ResourcePath.query([("fieldManager", fieldManager)])
        var call = Call("POST", place.path + query, "create \(summary)", isNamed ? .harmless : .harmful)
        call.body = Self.complete(object, resource)
        adjust(&call)
        var mayHaveBeenDone = false
        do {
            return KubernetesObject(try await perform(call, &mayHaveBeenDone))
        } catch {
            guard error.isAlreadyExists, mayHaveBeenDone else { throw error }
            let present = try await get(resource, name: object.name, namespace: object.namespace)
            guard present.tree.includes(object.tree) else { throw error }
            return present
        }
    }

    /// Replaces an object, if nobody wrote since it was read.
    ///
    /// - Parameters:
    ///   - object: as it was read, changed, with its `resourceVersion`.
    ///   - resource: its kind.
    ///   - subresource: `status` to replace only that, and nothing but it.
    ///   - fieldManager: who owns the fields; nil for what the user agent says.
    /// - Returns: the object as the server keeps it.
    /// - Throws: `.conflict` when somebody wrote in between: read again, decide anew.
    @discardableResult public func update(
        _ object: KubernetesObject,
        of resource: APIResource,
        subresource: String? = nil,
        fieldManager: String? = nil
    ) async throws(KubernetesError) -> KubernetesObject {
        try await update(object, of: resource, subresource: subresource, fieldManager: fieldManager) { _ in }
    }

    func update(
        _ object: KubernetesObject,
        of resource: APIResource,
        subresource: String?,
        fieldManager: String?,
        adjust: (inout Call) -> Void
    ) async throws(KubernetesError) -> KubernetesObject {
        let place = try ResourcePath(
            resource,
            namespace: object.namespace,
            name: object.name,
            subresource: subresource
        )
        guard !object.resourceVersion.isEmpty else {
            throw KubernetesError(
                .configuration,
                "cannot update \(place.summary): it has no resourceVersion, so another's change would be lost; read it first"
            )
        }
        let query = ResourcePath.query([("fieldManager", fieldManager)])
        // A second try after one that succeeded meets a newer version, and is a conflict.
        var call = Call("PUT", place.path + query, "update \(place.summary)", .harmless)
        call.body = Self.complete(object, resource)
        adjust(&call)
        return KubernetesObject(try await perform(call))
    }

    /// Changes parts of an object.
    ///
    /// - Parameters:
    ///   - patch: the change. With a `metadata.resourceVersion` in a merge patch it fails when somebody wrote since.
    ///   - resource: the object's kind.
    ///   - name: its name.
    ///   - namespace: its namespace; nil for what lives in none.
    ///   - subresource: `status` to change that.
    ///   - fieldManager: who owns the fields; nil for what the user agent says.
    /// - Returns: the object as the server keeps it.
    /// - Throws: `.notFound`, `.invalid` or `.conflict` among others.
    @discardableResult public func patch(
        _ patch: ObjectPatch,
        of resource: APIResource,
        name: String,
        namespace: String? = nil,
        subresource: String? = nil,
        fieldManager: String? = nil
    ) async throws(KubernetesError) -> KubernetesObject {
        let place = try ResourcePath(resource, namespace: namespace, name: name, subresource: subresource)
        let query = ResourcePath.query([("fieldManager", fieldManager)])
        var call = Call("PATCH", place.path + query, "patch \(place.summary)", .harmful)
        switch patch {
        case .merge(let tree):
            call.contentType = MediaType.mergePatch
            call.body = tree
            if tree[path: "metadata", "resourceVersion"]?.string != nil { call.repetition = .harmless }
        case .json(let operations):
            call.contentType = MediaType.jsonPatch
            call.body = .array(operations.map(\.tree))
        }
        return KubernetesObject(try await perform(call))
    }

    /// Says which fields we want on an object, and creates it when it isn't there (server-side apply).
    ///
    /// A field that was applied before and isn't any more is removed.
    ///
    /// - Parameters:
    ///   - object: name, namespace and only the fields that we own.
    ///   - resource: its kind.
    ///   - fieldManager: who owns the fields.
    ///   - force: take fields over from other managers.
    ///   - subresource: `status` to apply that.
    /// - Returns: the object as the server keeps it.
    /// - Throws: `.conflict` when another manager owns a field and `force` is false.
    @discardableResult public func apply(
        _ object: KubernetesObject,
        of resource: APIResource,
        fieldManager: String,
        force: Bool = true,
        subresource: String? = nil
    ) async throws(KubernetesError) -> KubernetesObject {
        let place = try ResourcePath(
            resource,
            namespace: object.namespace,
            name: object.name,
            subresource: subresource
        )
        let query = ResourcePath.query([("fieldManager", fieldManager), ("force", force ? "true" : nil)])
        var call = Call("PATCH", place.path + query, "apply \(place.summary)", .harmless)
        call.contentType = MediaType.applyPatch
        var body = Self.complete(object, resource)
        if var metadata = body["metadata"] {
            metadata["managedFields"] = nil
            body["metadata"] = metadata
        }
        call.body = body
        return KubernetesObject(try await perform(call))
    }

    /// Deletes an object, or asks for it where finalizers must agree first.
    ///
    /// - Parameters:
    ///   - resource: its kind.
    ///   - name: its name.
    ///   - namespace: its namespace; nil for what lives in none.
    ///   - options: with `uid` the call is repeated safely when an answer was lost.
    /// - Throws: `.notFound` when it wasn't there; `.conflict` when a precondition doesn't hold.
    public func delete(
        _ resource: APIResource,
        name: String,
        namespace: String? = nil,
        options: DeleteOptions = DeleteOptions()
    ) async throws(KubernetesError) {
        let place = try ResourcePath(resource, namespace: namespace, name: name)
        var call = Call("DELETE", place.path, "delete \(place.summary)", options.uid == nil ? .harmful : .harmless)
        call.body = options.tree
        var mayHaveBeenDone = false
        do {
            _ = try await perform(call, &mayHaveBeenDone)
        } catch {
            // Gone, or a new object of that name whose identity is another: the first try did it.
            guard mayHaveBeenDone, error.isNotFound || error.isConflict && options.resourceVersion == nil else {
                throw error
            }
        }
    }

    /// The object with its kind, which bodies must carry.
    private static func complete(_ object: KubernetesObject, _ resource: APIResource) -> JSONTree {
        var tree = object.tree
        tree["apiVersion"] = .string(resource.apiVersion)
        tree["kind"] = .string(resource.kind)
        return tree
    }
}

extension JSONTree {
    /// Whether everything in `part` is here with the same value; the server adds to what it is given.
    func includes(_ part: JSONTree) -> Bool {
        switch (self, part) {
        case (.object(let whole), .object(let members)):
            return members.allSatisfy { name, value in whole[name]?.includes(value) ?? value.isNull }
        case (.array(let whole), .array(let elements)):
            return whole.count == elements.count && zip(whole, elements).allSatisfy { $0.includes($1) }
        default: return self == part
        }
    }
}
