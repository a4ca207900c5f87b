import Foundation
import Kubernetes

extension ServerCore {
    /// How an object is to be deleted.
    struct DeleteOptions: Sendable {
        var policy = ""
        var gracePeriod: Int64?
        var uid: String?
        var resourceVersion: String?
        var isDryRun = false

        static let policies = ["Orphan", "Background", "Foreground"]

        init() {}

        init(_ call: Call) throws {
            policy = call.query["propagationPolicy"] ?? ""
            gracePeriod = call.query["gracePeriodSeconds"].flatMap { Int64($0) }
            isDryRun = call.isDryRun
            if !call.body.isEmpty {
                let tree = try ServerCore.parse(call.body, call.contentType)
                if let kind = tree["kind"]?.string, kind != "DeleteOptions" {
                    throw APIError.badRequest("\(kind) in the body of a delete request: DeleteOptions are expected")
                }
                policy = tree["propagationPolicy"]?.string ?? policy
                gracePeriod = tree["gracePeriodSeconds"]?.integer ?? gracePeriod
                uid = tree["preconditions"]?["uid"]?.string
                resourceVersion = tree["preconditions"]?["resourceVersion"]?.string
                if tree["dryRun"]?.array?.first == "All" { isDryRun = true }
                if tree["orphanDependents"]?.bool == true { policy = "Orphan" }
            }
            guard policy.isEmpty || Self.policies.contains(policy) else {
                throw APIError.invalid(
                    GroupKind(group: "meta.k8s.io", kind: "DeleteOptions"),
                    "",
                    [.notSupported("propagationPolicy", .string(policy), Self.policies + ["nil"])]
                )
            }
            if let gracePeriod, gracePeriod < 0 { self.gracePeriod = 1 }
        }
    }

    func delete(_ call: Call, _ type: ResourceType) async throws -> Reply {
        let options = try DeleteOptions(call)
        let key = ObjectKey(namespace: type.isNamespaced ? call.info.namespace : "", name: call.info.name)
        guard let current = store.read({ $0.object(type.storage, key) }).map(type.outward) else {
            throw APIError.notFound(type.groupResource, key.name)
        }
        try await Admission(core: self, call: call, type: type, operation: .delete, old: current).validateDelete()
        let time = now
        let (object, isGone) = try store.write { state in try Self.delete(key, type, options, &state, now: time) }
        // Gone for good is told by a status, except for pods and namespaces.
        guard isGone, type.resource != "pods" else { return try shown(type.outward(object), call, type) }
        var details = type.groupResource.details(key.name)
        details["uid"] = .string(object.uid)
        return .json(
            [
                "kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Success", "details": .object(details),
            ]
        )
    }

    func deleteCollection(_ call: Call, _ type: ResourceType) async throws -> Reply {
        let options = try DeleteOptions(call)
        let selection = try selection(call, type)
        let chosen = store.read { $0.all(type.storage) }.filter { selection.contains(type.outward($0.value)) }
        var deleted: [JSONTree] = []
        let time = now
        for key in chosen.keys.sorted() {
            var one = call
            one.info.name = key.name
            try await Admission(core: self, call: one, type: type, operation: .delete, old: chosen[key])
                .validateDelete()
            do {
                deleted.append(try store.write { try Self.delete(key, type, options, &$0, now: time).object })
            } catch let error as APIError where error.code == 404 {
                continue
            }
        }
        let revision = store.read { $0.revision }
        return try shownList(deleted, ["resourceVersion": .string(String(revision))], call, type)
    }

    /// Deletes, or begins to.
    ///
    /// - Returns: the object, and whether it is gone.
    static func delete(
        _ key: ObjectKey,
        _ type: ResourceType,
        _ options: DeleteOptions,
        _ state: inout Store.State,
        now: Date
    ) throws -> (object: JSONTree, isGone: Bool) {
        guard let current = state.object(type.storage, key) else {
            throw APIError.notFound(type.groupResource, key.name)
        }
        for (given, real, name) in [
            (options.uid, current.uid, "UID"), (options.resourceVersion, current.resourceVersion, "ResourceVersion"),
        ] {
            guard let given, given != real else { continue }
            throw APIError.conflict(
                type.groupResource,
                key.name,
                "Precondition failed: \(name) in precondition: \(given), \(name) in object meta: \(real)"
            )
        }
        if options.isDryRun { return (current, current.finalizers.isEmpty) }
        var object = current
        var finalizers = object.finalizers
        if options.policy == "Orphan" || options.policy == "Foreground" {
            let own = options.policy == "Orphan" ? "orphan" : "foregroundDeletion"
            finalizers.removeAll { $0 == "orphan" || $0 == "foregroundDeletion" }
            finalizers.append(own)
        }
        let isNamespace = type.resource == "namespaces" && type.group.isEmpty
        let grace = gracePeriod(current, type, options)
        if finalizers.isEmpty, !isNamespace, grace == 0, let last = state.remove(type.storage, key) {
            return (last, true)
        }
        if current.isTerminating, finalizers == current.finalizers,
            grace >= current["metadata"]?["deletionGracePeriodSeconds"]?.integer ?? 0
        {
            return (current, false)
        }
        object.set("metadata", "finalizers", to: finalizers.isEmpty ? nil : .array(finalizers.map { .string($0) }))
        if !current.isTerminating || grace < current["metadata"]?["deletionGracePeriodSeconds"]?.integer ?? 0 {
            object.set("metadata", "deletionTimestamp", to: .string(Times.text(now.addingTimeInterval(Double(grace)))))
            object.set("metadata", "deletionGracePeriodSeconds", to: .integer(grace))
            if !current.isTerminating, current.generation > 0 {
                object.set("metadata", "generation", to: .integer(current.generation + 1))
            }
        }
        if isNamespace { object.set("status", "phase", to: "Terminating") }
        return (state.put(object, type.storage), false)
    }

    /// Pods on a node end in their own time; the kubelet then deletes them with a period of 0.
    private static func gracePeriod(_ object: JSONTree, _ type: ResourceType, _ options: DeleteOptions) -> Int64 {
        guard type.resource == "pods", type.group.isEmpty else { return 0 }
        if (object["spec"]?["nodeName"]?.string ?? "").isEmpty { return 0 }
        if ["Succeeded", "Failed"].contains(object["status"]?["phase"]?.string ?? "") { return 0 }
        return options.gracePeriod ?? object["spec"]?["terminationGracePeriodSeconds"]?.integer ?? 30
    }
}
