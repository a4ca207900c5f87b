import Foundation
import Kubernetes

/// What a control plane does by itself, a little later than the request that calls for it.
struct Controllers: Sendable {
    let core: ServerCore

    /// Runs until the store is closed.
    func run() async {
        var position: Int64 = 0
        let clock = ContinuousClock()
        while !Task.isCancelled, !core.store.read({ $0.isClosed }) {
            let revision = core.store.read { $0.revision }
            if revision != position {
                step(after: position)
                position = revision
                continue
            }
            await core.store.bell.wait(past: position, until: clock.now + .seconds(60))
        }
    }

    /// Everything that the changes behind a revision call for; looking at all objects is left out where it can be.
    func step(after position: Int64 = 0) {
        let now = core.now
        core.store.write { state in
            let changes = state.changes(after: position)
            let concerns = { (isRelevant: (LogEntry) -> Bool) in changes?.contains(where: isRelevant) ?? true }
            if concerns({ $0.resource == Self.definitions || $0.object.isTerminating || $0.change == .deleted }) {
                establish(&state, now)
            }
            let mayOrphan = concerns {
                $0.change == .deleted || $0.object.isTerminating || $0.resource == Self.definitions
                    || !state.hasOwners($0.object)
            }
            guard mayOrphan else { return }
            collectGarbage(&state, now)
            emptyNamespaces(&state, now)
        }
    }

    private static let definitions = GroupResource(group: "apiextensions.k8s.io", resource: "customresourcedefinitions")
    private static let cleanup = "customresourcecleanup.apiextensions.k8s.io"

    /// Serves what CRDs say, and clears up behind those that go.
    private func establish(_ state: inout Store.State, _ now: Date) {
        for (key, object) in state.all(Self.definitions) {
            if object.isTerminating {
                remove(object, key, &state, now)
                continue
            }
            let isNew = object["status"]?["conditions"] == nil
            let observed = object["status"]?["observedGeneration"]?.integer ?? 0
            guard isNew || observed != object.generation else { continue }
            state.registry.replace(definition: key.name, with: CRDValidation.resources(object))
            var next = object
            let versions = object["spec"]?["versions"]?.array ?? []
            let stored = versions.first { $0["storage"] == true }?["name"] ?? ""
            var known = object["status"]?["storedVersions"]?.array ?? []
            if !known.contains(stored) { known.append(stored) }
            let condition = { (type: String, reason: String, message: String) -> JSONTree in
                [
                    "type": .string(type), "status": "True", "reason": .string(reason), "message": .string(message),
                    "lastTransitionTime": .string(Times.text(now)),
                ]
            }
            if isNew {
                next.set(
                    "status",
                    "conditions",
                    to: [
                        condition("NamesAccepted", "NoConflicts", "no conflicts found"),
                        condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
                    ]
                )
            }
            next.set("status", "acceptedNames", to: object["spec"]?["names"])
            next.set("status", "storedVersions", to: .array(known))
            next.set("status", "observedGeneration", to: .integer(object.generation))
            if !next.finalizers.contains(Self.cleanup) {
                next.set("metadata", "finalizers", to: .array((object.finalizers + [Self.cleanup]).map { .string($0) }))
            }
            state.put(next, Self.definitions)
        }
    }

    private func remove(_ object: JSONTree, _ key: ObjectKey, _ state: inout Store.State, _ now: Date) {
        let types = state.registry.stored.filter { $0.custom?.definition == key.name }
        for type in types {
            for custom in state.all(type.storage).keys { attemptDelete(custom, type, &state, now) }
            if !state.all(type.storage).isEmpty { return }
        }
        guard object.finalizers.contains(Self.cleanup) else { return }
        state.registry.replace(definition: key.name, with: [])
        let rest = object.finalizers.filter { $0 != Self.cleanup }
        if rest.isEmpty {
            state.remove(Self.definitions, key)
        } else {
            var next = object
            next.set("metadata", "finalizers", to: .array(rest.map { .string($0) }))
            state.put(next, Self.definitions)
        }
    }

    private func attemptDelete(
        _ key: ObjectKey,
        _ type: ResourceType,
        policy: String = "",
        _ state: inout Store.State,
        _ now: Date
    ) {
        guard let object = state.object(type.storage, key), !object.isTerminating || object.finalizers.isEmpty else {
            return
        }
        var options = ServerCore.DeleteOptions()
        options.policy = policy
        // Gone meanwhile is as good.
        _ = try? ServerCore.delete(key, type, options, &state, now: now)
    }

    /// An object as those see it that name it as their owner.
    private struct Owner {
        var type: ResourceType
        var key: ObjectKey
        /// It is deleted in the foreground, and waits for those that it owns.
        var isWaiting: Bool
    }

    /// Deletes what has no owner any more; keeps, or lets go, what its deletion's policy says.
    private func collectGarbage(_ state: inout Store.State, _ now: Date) {
        let types = state.registry.stored
        var present: [String: Owner] = [:]
        var owning: Set<String> = []
        for type in types {
            for (key, object) in state.all(type.storage) {
                let isWaiting = object.isTerminating && object.finalizers.contains("foregroundDeletion")
                present[object.uid] = Owner(type: type, key: key, isWaiting: isWaiting)
                owning.formUnion(object.ownerReferences.compactMap { $0["uid"]?.string })
            }
        }
        for type in types {
            for (key, object) in state.all(type.storage) where !object.ownerReferences.isEmpty {
                let owners = object.ownerReferences
                let isUnknown = owners.contains { owner in
                    state.registry.type(
                        apiVersion: owner["apiVersion"]?.string ?? "",
                        kind: owner["kind"]?.string ?? ""
                    ) == nil
                }
                // An owner of an unknown kind might be there.
                if isUnknown { continue }
                let found = owners.map { reference -> Owner? in
                    guard let owner = present[reference["uid"]?.string ?? ""] else { return nil }
                    // An owner in another namespace is none.
                    let isReachable = !owner.type.isNamespaced || owner.key.namespace == key.namespace
                    return isReachable && owner.key.name == reference["name"]?.string ? owner : nil
                }
                let staying = zip(owners, found).filter { $1.map { !$0.isWaiting } ?? false }.map(\.0)
                if staying.isEmpty {
                    let isWaitedFor = found.contains { $0?.isWaiting == true } && owning.contains(object.uid)
                    attemptDelete(key, type, policy: isWaitedFor ? "Foreground" : "", &state, now)
                } else if staying.count < owners.count {
                    // Somebody still owns it: only the others are forgotten, so that they need not wait for it.
                    var next = object
                    next.set("metadata", "ownerReferences", to: .array(staying))
                    state.put(next, type.storage)
                }
            }
        }
        for type in types {
            for (key, object) in state.all(type.storage) where object.isTerminating {
                finish(object, key, type, types, &state, now)
            }
        }
    }

    /// `orphan` and `foregroundDeletion`.
    private func finish(
        _ object: JSONTree,
        _ key: ObjectKey,
        _ type: ResourceType,
        _ types: [ResourceType],
        _ state: inout Store.State,
        _ now: Date
    ) {
        let policy = object.finalizers.first { $0 == "orphan" || $0 == "foregroundDeletion" }
        guard let policy else { return }
        var isBlocked = false
        for other in types {
            for dependent in state.all(other.storage).values {
                guard let reference = dependent.ownerReferences.first(where: { $0["uid"]?.string == object.uid }) else {
                    continue
                }
                if policy == "orphan" {
                    var next = dependent
                    let rest = dependent.ownerReferences.filter { $0["uid"]?.string != object.uid }
                    next.set("metadata", "ownerReferences", to: rest.isEmpty ? nil : .array(rest))
                    state.put(next, other.storage)
                } else if reference["blockOwnerDeletion"] == true {
                    isBlocked = true
                }
            }
        }
        guard !isBlocked, let current = state.object(type.storage, key) else { return }
        let rest = current.finalizers.filter { $0 != policy }
        var next = current
        next.set("metadata", "finalizers", to: rest.isEmpty ? nil : .array(rest.map { .string($0) }))
        state.put(next, type.storage)
        if rest.isEmpty, current["metadata"]?["deletionGracePeriodSeconds"] == 0 { state.remove(type.storage, key) }
    }

    /// Namespaces go when all that was in them has gone.
    private func emptyNamespaces(_ state: inout Store.State, _ now: Date) {
        let namespaces = GroupResource(group: "", resource: "namespaces")
        for (key, object) in state.all(namespaces) where object.isTerminating {
            var isEmpty = true
            for type in state.registry.stored where type.isNamespaced {
                for place in state.all(type.storage).keys where place.namespace == key.name {
                    attemptDelete(place, type, &state, now)
                    if state.object(type.storage, place) != nil { isEmpty = false }
                }
            }
            if isEmpty, object.finalizers.isEmpty { state.remove(namespaces, key) }
        }
    }
}
