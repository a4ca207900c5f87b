import BackupModel
import Kubernetes
import Logging
import Synchronization

// One object at a time: what is written, and what a conflict means.
extension KubernetesStore {
    /// Writes a session's record and what people see of it, in one status update.
    ///
    /// Returns what went wrong; an object that is gone isn't a failure: there is nothing to be written any more.
    func write(_ key: ResourceKey) async -> StoreError? {
        for _ in 0..<Self.maximumTries {
            let (found, epoch) = state.withLock { ($0.shelf[key], $0.epoch) }
            guard let entry = found, !entry.isGone else { return nil }
            do {
                let written = try await client.update(
                    try statusObject(entry, epoch: epoch),
                    of: Self.resource(entry.kind),
                    subresource: "status",
                    fieldManager: ClusterNames.statusManager
                )
                adopt(written, key)
                return nil
            } catch let error as KubernetesError where error.isConflict || error.isNotFound {
                if let failure = await lookAgain(entry, epoch: epoch) { return failure }
            } catch let error as StoreError {
                return error
            } catch {
                return StoreError(description: "can't store session \(key): \(error)")
            }
        }
        return StoreError(
            description:
                "can't store session \(key): its object changed \(Self.maximumTries) times while it was written"
        )
    }

    /// Learns an object's version, and whether somebody else leads.
    private func lookAgain(_ entry: SessionShelf.Entry, epoch: Int64) async -> StoreError? {
        let key = entry.summary.key
        do {
            let fresh = try await client.get(Self.resource(entry.kind), name: key.name, namespace: key.namespace)
            if let failure = fence(Self.epoch(of: fresh), epoch, "session \(key)") { return failure }
            if fresh.uid == entry.uid { adopt(fresh, key) } else { markGone(key) }
            return nil
        } catch  where error.isNotFound {
            markGone(key)
            return nil
        } catch {
            return StoreError(description: "can't read session \(key): \(error)")
        }
    }

    private func adopt(_ object: KubernetesObject, _ key: ResourceKey) {
        state.withLock { state in
            state.shelf.change(key) { entry in
                entry.resourceVersion = object.resourceVersion
                entry.generation = object.generation
            }
        }
    }

    private func markGone(_ key: ResourceKey) {
        logger.error(
            "session \(key): its object was removed without waiting for us; it goes on in memory until it ends"
        )
        state.withLock { $0.shelf.change(key) { $0.isGone = true } }
    }

    /// The epoch of who wrote a session's status last.
    static func epoch(of object: KubernetesObject) -> Int64 { object[path: "status", "epoch"]?.integer ?? 0 }

    /// Somebody with a greater epoch leads: nothing of ours counts any more.
    func fence(_ found: Int64, _ own: Int64, _ what: String) -> StoreError? {
        guard found > own else { return nil }
        let text = "\(what) was written by a coordinator of epoch \(found), which is greater than \(own): it leads now"
        let isFirst = state.withLock { state in
            defer { state.isFenced = true }
            return !state.isFenced
        }
        if isFirst { guards.fenced(text) }
        return StoreError(description: text)
    }

    /// The object as a status update carries it.
    func statusObject(_ entry: SessionShelf.Entry, epoch: Int64) throws(StoreError) -> KubernetesObject {
        let record = try entry.record
        let key = record.session.key
        var object = KubernetesObject(Self.resource(entry.kind), name: key.name, namespace: key.namespace)
        object.resourceVersion = entry.resourceVersion
        object.metadata["uid"] = .string(entry.uid)
        var status = SessionStatus.of(record.session, now: guards.clock())
        status.epoch = epoch
        status.observedGeneration = entry.generation
        status.record = try record.text()
        do {
            object["status"] = try JSONTree(encoding: status)
        } catch {
            throw StoreError(description: "the status of session \(key) can't be written as JSON: \(error)")
        }
        return object
    }

    // MARK: New objects

    /// Makes a session's object, or takes over one that a person made; nil when the name is taken.
    func makeObject(_ session: SessionState) async -> Result<KubernetesObject?, StoreError> {
        let resource = Self.resource(session.kind)
        do {
            let owner = session.plan.configuration.flatMap {
                guards.owner(ResourceKey(namespace: session.key.namespace, name: $0))
            }
            do {
                return .success(try await client.create(try SessionObject.make(session, owner: owner), as: resource))
            } catch let error as KubernetesError where error.isAlreadyExists {
                return .success(try await takeOver(session, resource, owner))
            }
        } catch {
            return .failure(StoreError(description: "can't make the object of session \(session.key): \(error)"))
        }
    }

    private func takeOver(
        _ session: SessionState,
        _ resource: APIResource,
        _ owner: OwnerReference?
    ) async throws -> KubernetesObject? {
        for _ in 0..<Self.maximumTries {
            let found: KubernetesObject
            do {
                found = try await client.get(resource, name: session.key.name, namespace: session.key.namespace)
            } catch {
                guard error.isNotFound else { throw error }
                return nil
            }
            let epoch = state.withLock { $0.epoch }
            if let failure = fence(Self.epoch(of: found), epoch, "session \(session.key)") { throw failure }
            // A record of this very leader that its memory doesn't have belongs to a commit that failed half-way.
            let hasRecord = found[path: "status", "record"]?.string?.isEmpty == false
            if found.isBeingDeleted || hasRecord && Self.epoch(of: found) != epoch { return nil }
            guard let marked = SessionObject.marked(found, session, owner: owner) else { return found }
            do {
                return try await client.patch(
                    .merge(marked),
                    of: resource,
                    name: session.key.name,
                    namespace: session.key.namespace,
                    fieldManager: ClusterNames.fieldManager
                )
            } catch {
                guard error.isConflict else { throw error }
                continue
            }
        }
        throw StoreError(description: "its object changed \(Self.maximumTries) times while it was taken over")
    }

    // MARK: Letting go

    /// Takes our finalizer off a session's object, and deletes it.
    func dropObject(_ entry: SessionShelf.Entry, deletes: Bool) async -> StoreError? {
        let key = entry.summary.key
        let resource = Self.resource(entry.kind)
        do {
            try await client.dropFinalizer(ClusterNames.cancelFinalizer, of: resource, key, uid: entry.uid)
            if deletes {
                try await client.delete(
                    resource,
                    name: key.name,
                    namespace: key.namespace,
                    options: DeleteOptions(uid: entry.uid, propagation: .background)
                )
            }
            return nil
        } catch  where error.isNotFound || error.isConflict && deletes {
            // Gone, or another object has its name: either way ours isn't there any more.
            return nil
        } catch {
            return StoreError(description: "can't let go of session \(key): \(error)")
        }
    }

    // MARK: Ledger and schedules

    /// Writes the ConfigMap of locks without objects.
    func writeLedger() async -> StoreError? {
        for _ in 0..<Self.maximumTries {
            let (ledger, epoch) = state.withLock { ($0.ledger, $0.epoch) }
            do {
                let object = try ledger.object(namespace: namespace, epoch: epoch)
                let written =
                    ledger.resourceVersion.isEmpty
                    ? try await client.create(object, as: .configMaps)
                    : try await client.update(object, of: .configMaps, fieldManager: ClusterNames.fieldManager)
                state.withLock { $0.ledger.resourceVersion = written.resourceVersion }
                return nil
            } catch let error as KubernetesError where error.isConflict || error.isAlreadyExists || error.isNotFound {
                if let failure = await lookAtLedger(epoch) { return failure }
            } catch {
                return StoreError(description: "can't store the ledger of locks: \(error)")
            }
        }
        return StoreError(
            description: "can't store the ledger of locks: it changed \(Self.maximumTries) times meanwhile"
        )
    }

    private func lookAtLedger(_ epoch: Int64) async -> StoreError? {
        do {
            let fresh = try await client.get(.configMaps, name: ClusterNames.ledger, namespace: namespace)
            if let failure = fence(LedgerMap.epoch(of: fresh), epoch, "the ledger of locks") { return failure }
            state.withLock { $0.ledger.resourceVersion = fresh.resourceVersion }
            return nil
        } catch  where error.isNotFound {
            state.withLock { $0.ledger.resourceVersion = "" }
            return nil
        } catch {
            return StoreError(description: "can't read the ledger of locks: \(error)")
        }
    }

    /// Writes which run of a schedule was dealt with last, or what became of an object that can't be a session.
    func writeHandled(_ mark: ResourceKey) async -> StoreError? {
        let time = state.withLock { $0.handled[mark] } ?? guards.clock()
        if let declared = DeclaredSession(mark: mark) { return await writeRefused(declared, time) }
        var object = KubernetesObject(.backupConfigurations, name: mark.name, namespace: mark.namespace)
        // Conditions are somebody else's part; that there are some is demanded.
        object["status"] = ["lastScheduleTime": .string(time.description), "conditions": []]
        do {
            // Applied, an object that is gone would be made anew: its status alone can't be.
            try await client.apply(
                object,
                of: .backupConfigurations,
                fieldManager: ClusterNames.scheduleManager,
                subresource: "status"
            )
            return nil
        } catch  where error.isNotFound {
            // Deleted meanwhile: there is no schedule any more.
            return nil
        } catch {
            return StoreError(description: "can't store the schedule of \(mark): \(error)")
        }
    }

    /// An object that asked for a session and gets none: cancelled before it began, or its name is another session's.
    private func writeRefused(_ declared: DeclaredSession, _ time: Timestamp) async -> StoreError? {
        let other = state.withLock { $0.shelf[declared.key]?.kind }
        var status = SessionStatus(phase: other == nil ? .cancelled : .failed)
        status.epoch = state.withLock { $0.epoch }
        status.completionTime = time
        status.conditions.set(
            "Succeeded",
            .no,
            reason: other == nil ? "Cancelled" : "NameTaken",
            message: other == nil
                ? "it was cancelled before it began"
                : "a \(other == .restore ? "RestoreSession" : "BackupSession") of this name exists; give it another name",
            now: time
        )
        do {
            try await client.patch(
                .merge(["status": try JSONTree(encoding: status)]),
                of: Self.resource(declared.kind),
                name: declared.key.name,
                namespace: declared.key.namespace,
                subresource: "status",
                fieldManager: ClusterNames.statusManager
            )
            return nil
        } catch let error as KubernetesError where error.isNotFound {
            return nil
        } catch {
            return StoreError(description: "can't store what became of \(declared.key): \(error)")
        }
    }
}
