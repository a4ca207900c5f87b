import Kubernetes

extension ServerCore {
    /// PUT: the whole object is replaced.
    func replace(_ call: Call, _ type: ResourceType) async throws -> Reply {
        let given = try decode(call, type)
        if !given.name.isEmpty, given.name != call.info.name {
            throw APIError.badRequest(
                "the name of the object (\(given.name)) does not match the name on the URL (\(call.info.name))"
            )
        }
        if given.name.isEmpty { throw APIError.badRequest("name must be provided") }
        if type.isNamespaced, !given.namespace.isEmpty, given.namespace != call.info.namespace {
            throw APIError.badRequest(
                "the namespace of the object (\(given.namespace)) does not match the namespace on the request (\(call.info.namespace))"
            )
        }
        let isPinned = !given.resourceVersion.isEmpty
        let result = try await update(call, type, isPinned: isPinned) { current in
            guard let current else { throw APIError.notFound(type.groupResource, call.info.name) }
            if !isPinned, !type.allowsUnconditionalUpdate {
                throw APIError.invalid(
                    type.groupKind,
                    call.info.name,
                    [.invalid("metadata.resourceVersion", "0x0", "must be specified for an update")]
                )
            }
            if isPinned, given.resourceVersion != current.resourceVersion {
                throw APIError.stale(type.groupResource, call.info.name)
            }
            let uid = given.uid
            if !uid.isEmpty, uid != current.uid {
                throw APIError.conflict(
                    type.groupResource,
                    call.info.name,
                    "Precondition failed: UID in precondition: \(uid), UID in object meta: \(current.uid)"
                )
            }
            return given
        }
        return try shown(result.object, call, type)
    }

    /// What an update came to.
    struct Updated {
        var object: JSONTree
        var isCreated = false
    }

    /// Reads, changes, admits, validates and stores; again when somebody else was quicker and the client doesn't mind.
    ///
    /// - Parameters:
    ///   - call: the request.
    ///   - type: its resource.
    ///   - isPinned: the client named a resourceVersion: no second try.
    ///   - applies: server-side apply keeps the fields' owners itself.
    ///   - change: from what is stored to what is wanted.
    /// - Returns: what was stored.
    /// - Throws: ``APIError``.
    func update(
        _ call: Call,
        _ type: ResourceType,
        isPinned: Bool,
        applies: Bool = false,
        _ change: (JSONTree?) throws -> JSONTree
    ) async throws -> Updated {
        let key = ObjectKey(namespace: type.isNamespaced ? call.info.namespace : "", name: call.info.name)
        for _ in 0..<5 {
            let current = store.read { $0.object(type.storage, key) }.map(type.outward)
            let wanted = try change(current)
            guard let current else {
                return Updated(object: try await create(call, type, wanted, applies: applies), isCreated: true)
            }
            let next = try await next(wanted, current, call, type, applies: applies)
            if call.isDryRun { return Updated(object: next) }
            if let stored = try commit(next, current, key, type) { return Updated(object: type.outward(stored)) }
            if isPinned { break }
        }
        throw APIError.stale(type.groupResource, call.info.name)
    }

    /// The object that is to be stored in place of `current`.
    private func next(_ wanted: JSONTree, _ current: JSONTree, _ call: Call, _ type: ResourceType, applies: Bool)
        async throws -> JSONTree
    {
        let isStatus = call.info.subresource == "status"
        var next = merged(wanted, current, type, isStatus: isStatus)
        next = Defaulting.apply(next, type)
        if !applies {
            next = Ownership.afterWrite(
                next,
                old: current,
                manager: call.manager,
                subresource: call.info.subresource,
                schema: type.schema,
                now: now
            )
        }
        let admission = Admission(core: self, call: call, type: type, operation: .update, old: current)
        next = Defaulting.apply(try await admission.mutate(next), type)
        next = withGeneration(next, current, type)
        let errors = validationErrors(next, old: current, type, call)
        guard errors.isEmpty else { throw APIError.invalid(type.groupKind, current.name, errors) }
        try checkRoles(next, old: current, type, call)
        try await admission.validate(next)
        return next
    }

    /// What the endpoint lets through: everything but status, or nothing but status.
    private func merged(_ wanted: JSONTree, _ current: JSONTree, _ type: ResourceType, isStatus: Bool) -> JSONTree {
        if isStatus {
            var next = current
            next["status"] = wanted["status"]
            let managed = wanted["metadata"]?["managedFields"]
            if let managed { next.set("metadata", "managedFields", to: managed) }
            if type.resource == "pods" || type.resource == "nodes" {
                next.set("metadata", "labels", to: wanted["metadata"]?["labels"])
                next.set("metadata", "annotations", to: wanted["metadata"]?["annotations"])
            }
            return next
        }
        var next = wanted
        if type.hasStatus { next["status"] = current["status"] }
        let kept = [
            "uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds",
            "resourceVersion",
        ]
        for field in kept { next.set("metadata", field, to: current["metadata"]?[field]) }
        // Absent means "as it was"; an empty list takes all owners away.
        if next["metadata"]?["managedFields"] == nil, let managed = current["metadata"]?["managedFields"] {
            next.set("metadata", "managedFields", to: managed)
        }
        if type.isNamespaced { next.set("metadata", "namespace", to: .string(current.namespace)) }
        return BuiltinDefaults.preparedForUpdate(next, current, type)
    }

    private func withGeneration(_ next: JSONTree, _ current: JSONTree, _ type: ResourceType) -> JSONTree {
        guard type.hasGeneration || type.isCustom else { return next }
        let isCounted = { (member: String) in
            !["metadata", "apiVersion", "kind"].contains(member)
                && !(member == "status" && (type.hasStatus || !type.isCustom))
        }
        let relevant = { (object: JSONTree) in (object.object ?? [:]).filter { isCounted($0.key) } }
        guard relevant(next) != relevant(current) else { return next }
        var next = next
        next.set("metadata", "generation", to: .integer(current.generation + 1))
        return next
    }

    /// Stores it unless somebody was quicker (nil).
    private func commit(_ next: JSONTree, _ current: JSONTree, _ key: ObjectKey, _ type: ResourceType) throws
        -> JSONTree?
    {
        let inward = type.inward(next)
        return try store.write { state -> JSONTree? in
            guard let stored = state.object(type.storage, key) else {
                throw APIError.notFound(type.groupResource, key.name)
            }
            guard stored.resourceVersion == current.resourceVersion else { return nil }
            // A terminating object goes with its last finalizer.
            if stored.isTerminating, inward.finalizers.isEmpty, stored["metadata"]?["deletionGracePeriodSeconds"] == 0,
                !stored.finalizers.isEmpty
            {
                state.put(inward, type.storage)
                return state.remove(type.storage, key)
            }
            // What changes nothing isn't written; nobody sees an event.
            if Ownership.isSame(inward, stored) { return stored }
            return state.put(inward, type.storage)
        }
    }
}
