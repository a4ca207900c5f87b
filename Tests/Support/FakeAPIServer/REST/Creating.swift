import Foundation
import Kubernetes

extension ServerCore {
    /// Creates an object: admission, validation, ownership of fields, storage.
    func create(_ call: Call, _ type: ResourceType, _ given: JSONTree, applies: Bool = false) async throws -> JSONTree {
        var object = try prepared(given, call, type)
        if applies {
            let applier = Ownership.Applier(
                manager: call.manager,
                subresource: "",
                isForced: false,
                apiVersion: type.apiVersion,
                hasStatus: type.hasStatus
            )
            object = Ownership.afterApplyCreate(object, given, applier, type.schema, now)
        } else {
            object = Ownership.afterWrite(
                object,
                old: nil,
                manager: call.manager,
                subresource: "",
                schema: type.schema,
                now: now
            )
        }
        let admission = Admission(core: self, call: call, type: type, operation: .create, old: nil)
        object = try await admission.mutate(object)
        object = try completed(object, type)
        let errors = validationErrors(object, old: nil, type, call)
        guard errors.isEmpty else { throw APIError.invalid(type.groupKind, object.name, errors) }
        try checkRoles(object, old: nil, type, call)
        try await admission.validate(object)
        if call.isDryRun {
            try store.read { try Self.checkPlace(object, type, $0) }
            return object
        }
        let stored = type.inward(object)
        let result = try store.write { state in
            try Self.checkPlace(object, type, state)
            defer { Self.afterwards(stored, type, &state, now: options.now()) }
            return state.put(stored, type.storage)
        }
        return type.outward(result)
    }

    /// The object before admission: namespace, metadata that clients can't set, defaults.
    private func prepared(_ given: JSONTree, _ call: Call, _ type: ResourceType) throws -> JSONTree {
        var object = given
        guard object.resourceVersion.isEmpty else {
            throw APIError.badRequest("resourceVersion should not be set on objects to be created")
        }
        if type.isNamespaced {
            if object.namespace.isEmpty { object.set("metadata", "namespace", to: .string(call.info.namespace)) }
            guard object.namespace == call.info.namespace else {
                throw APIError.badRequest(
                    "the namespace of the provided object does not match the namespace sent on the request"
                )
            }
            try checkNamespace(object.namespace, call, type)
        }
        object = stripped(object, type)
        object.set("metadata", "uid", to: .string(UUID().uuidString.lowercased()))
        object.set("metadata", "creationTimestamp", to: .string(Times.text(now)))
        if type.hasGeneration || type.isCustom { object.set("metadata", "generation", to: 1) }
        object = BuiltinDefaults.prepared(object, type)
        return Defaulting.apply(object, type)
    }

    /// Without what only the server sets.
    private func stripped(_ given: JSONTree, _ type: ResourceType) -> JSONTree {
        var object = given
        for field in ["managedFields", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"] {
            object.set("metadata", field, to: nil)
        }
        if type.hasStatus, type.resource != "nodes" || !type.group.isEmpty { object["status"] = nil }
        return object
    }

    /// The object behind admission: it has a name now.
    private func completed(_ given: JSONTree, _ type: ResourceType) throws -> JSONTree {
        var object = given
        let prefix = object["metadata"]?["generateName"]?.string ?? ""
        if object.name.isEmpty, !prefix.isEmpty {
            object.set("metadata", "name", to: .string(String(prefix.prefix(58)) + Names.suffix()))
        }
        return Defaulting.apply(object, type)
    }

    /// Namespaces must be there, and not about to go.
    func checkNamespace(_ name: String, _ call: Call, _ type: ResourceType) throws {
        let namespace = store.read {
            $0.object(GroupResource(group: "", resource: "namespaces"), ObjectKey(namespace: "", name: name))
        }
        guard let namespace else {
            throw APIError.notFound(GroupResource(group: "", resource: "namespaces"), name)
        }
        guard namespace.isTerminating else { return }
        var error = APIError.forbidden(
            type.groupResource,
            call.info.name,
            "unable to create new content in namespace \(name) because it is being terminated"
        )
        error.details["causes"] = [
            [
                "reason": "NamespaceTerminating", "message": .string("namespace \(name) is being terminated"),
                "field": "metadata.namespace",
            ]
        ]
        throw error
    }

    /// The last look, under the lock.
    private static func checkPlace(_ object: JSONTree, _ type: ResourceType, _ state: borrowing Store.State) throws {
        if type.isNamespaced {
            let namespaces = GroupResource(group: "", resource: "namespaces")
            guard state.object(namespaces, ObjectKey(namespace: "", name: object.namespace)) != nil else {
                throw APIError.notFound(namespaces, object.namespace)
            }
        }
        guard state.object(type.storage, ObjectKey(namespace: object.namespace, name: object.name)) == nil else {
            throw APIError.alreadyExists(type.groupResource, object.name)
        }
    }

    /// What controllers of a real control plane would do so soon that nobody can rely on their being late.
    private static func afterwards(_ object: JSONTree, _ type: ResourceType, _ state: inout Store.State, now: Date) {
        if type.group.isEmpty, type.resource == "namespaces" { Bootstrap.furnish(object.name, &state, now: now) }
    }

    /// What is wrong with an object, by everything but admission.
    func validationErrors(_ object: JSONTree, old: JSONTree?, _ type: ResourceType, _ call: Call) -> [FieldError] {
        var errors = old.map { MetaValidation.updateErrors(object, old: $0) } ?? []
        errors += MetaValidation.errors(object, type)
        if type.isCustom {
            errors += CustomValidation.errors(object, old: old, type.schema)
        } else {
            errors += BuiltinValidation.errors(object, old: old, type)
        }
        if type.isCustom {
            for finalizer in object.finalizers where !finalizer.contains("/") {
                call.notes.warn(
                    "metadata.finalizers: \"\(finalizer)\": prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other finalizer writers"
                )
            }
        }
        if object.bytesLimitExceeded { errors.append(.tooLong("", atMost: 1_572_864)) }
        return errors
    }
}

extension JSONTree {
    /// Whether it is more than the store below a real server takes (1.5 MiB).
    var bytesLimitExceeded: Bool { bytes.count > 1_572_864 }
}

/// Defaults of any resource.
enum Defaulting {
    static func apply(_ object: JSONTree, _ type: ResourceType) -> JSONTree {
        type.isCustom ? Pruning.defaulted(object, type.schema) : BuiltinDefaults.defaulted(object, type)
    }
}
