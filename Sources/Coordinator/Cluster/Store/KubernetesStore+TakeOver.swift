import BackupModel
import Kubernetes
import Logging
import Synchronization

// The beginning of a leader's term.
extension KubernetesStore {
    /// The next epoch, by which everything is taken over that earlier leaders left.
    ///
    /// Order: the epoch is counted up → all objects are read → every session under way and the ledger are written with
    /// the new epoch. After that an earlier leader, should it still think that it leads, meets a conflict and a greater
    /// epoch with its next write; and nothing that it wrote before is lost, because a conflict of ours is read again.
    func nextEpoch(atLeast minimum: Int64) throws -> Int64 {
        let taken: Result<Int64, StoreError> = Blocking.wait {
            do {
                let epoch = try await self.client.nextEpoch(
                    name: ClusterNames.state,
                    namespace: self.namespace,
                    floor: minimum - 1
                )
                self.state.withLock { $0.epoch = epoch }
                try await self.takeOverAll(epoch)
                return .success(epoch)
            } catch let error as StoreError {
                return .failure(error)
            } catch {
                return .failure(StoreError(description: "can't take over from the leader before: \(error)"))
            }
        }
        return try taken.get()
    }

    private func takeOverAll(_ epoch: Int64) async throws {
        for kind in [SessionView.Kind.backup, .restore] {
            for object in try await client.list(Self.resource(kind)).items { _ = load(object, kind) }
        }
        for object in try await client.list(.backupConfigurations).items {
            let time = object[path: "status", "lastScheduleTime"]?.string.flatMap { Timestamp($0) }
            state.withLock { $0.handled[ResourceKey(namespace: object.namespace, name: object.name)] = time }
        }
        do {
            let map = try await client.get(.configMaps, name: ClusterNames.ledger, namespace: namespace)
            if let failure = fence(LedgerMap.epoch(of: map), epoch, "the ledger of locks") { throw failure }
            var problems: [String] = []
            let ledger = LedgerMap(map, problems: &problems)
            for problem in problems { logger.error("\(problem)") }
            state.withLock { $0.ledger = ledger }
            try await claimLedger(epoch)
        } catch let error as KubernetesError where error.isNotFound {
            // No lock was ever left without its object.
        }
        let open = state.withLock { state in
            state.shelf.entries.filter { !$0.value.summary.isOver || $0.value.summary.hasOpenLocks }.map(\.key)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, key) in open.enumerated() {
                if index >= Self.parallelWrites { try await group.next() }
                group.addTask { try await self.claim(key, epoch) }
            }
            try await group.waitForAll()
        }
    }

    /// Puts an object's record on the shelf; nil when it has none, or none that can be read.
    @discardableResult func load(_ object: KubernetesObject, _ kind: SessionView.Kind) -> SessionRecord? {
        guard let text = object[path: "status", "record"]?.string, !text.isEmpty else { return nil }
        let key = ResourceKey(namespace: object.namespace, name: object.name)
        do {
            let record = try SessionRecord(text: text)
            guard record.session.key == key, record.session.kind == kind else {
                throw StoreError(description: "it is that of \(record.session.kind.rawValue) \(record.session.key)")
            }
            state.withLock { state in
                state.shelf[key] = SessionShelf.Entry(
                    kind: kind,
                    uid: object.uid,
                    resourceVersion: object.resourceVersion,
                    generation: object.generation,
                    record: record
                )
            }
            return record
        } catch {
            logger.error("\(kind.rawValue) session \(key): its status.record can't be read, it is left alone: \(error)")
            return nil
        }
    }

    /// Writes a session anew as its newest record says, so that no earlier leader can write it any more.
    private func claim(_ key: ResourceKey, _ epoch: Int64) async throws {
        for _ in 0..<2 * Self.maximumTries {
            guard let entry = state.withLock({ $0.shelf[key] }) else { return }
            let resource = Self.resource(entry.kind)
            do {
                let written = try await client.update(
                    try statusObject(entry, epoch: epoch),
                    of: resource,
                    subresource: "status",
                    fieldManager: ClusterNames.statusManager
                )
                state.withLock { $0.shelf.change(key) { $0.resourceVersion = written.resourceVersion } }
                return
            } catch let error as KubernetesError where error.isConflict || error.isNotFound {
                do {
                    let fresh = try await client.get(resource, name: key.name, namespace: key.namespace)
                    if let failure = fence(Self.epoch(of: fresh), epoch, "session \(key)") { throw failure }
                    if load(fresh, entry.kind) == nil { state.withLock { $0.shelf[key] = nil } }
                } catch let error as KubernetesError where error.isNotFound {
                    for lock in try entry.record.openLocks { state.withLock { $0.ledger.keep(lock) } }
                    if let failure = await writeLedger() { throw failure }
                    state.withLock { $0.shelf[key] = nil }
                }
            }
        }
        throw StoreError(description: "session \(key) can't be taken over: its object keeps changing")
    }

    private func claimLedger(_ epoch: Int64) async throws {
        for _ in 0..<2 * Self.maximumTries {
            let ledger = state.withLock { $0.ledger }
            do {
                let written = try await client.update(
                    try ledger.object(namespace: namespace, epoch: epoch),
                    of: .configMaps,
                    fieldManager: ClusterNames.fieldManager
                )
                state.withLock { $0.ledger.resourceVersion = written.resourceVersion }
                return
            } catch let error as KubernetesError where error.isConflict {
                let fresh = try await client.get(.configMaps, name: ClusterNames.ledger, namespace: namespace)
                if let failure = fence(LedgerMap.epoch(of: fresh), epoch, "the ledger of locks") { throw failure }
                var problems: [String] = []
                let newer = LedgerMap(fresh, problems: &problems)
                state.withLock { $0.ledger = newer }
            }
        }
        throw StoreError(description: "the ledger of locks can't be taken over: it keeps changing")
    }

    /// Takes in a session that this leader doesn't know although its object has a record: an earlier leader made it in
    /// its last moment.
    ///
    /// - Returns: its state, when it is to go on.
    func takeUp(_ object: KubernetesObject, _ kind: SessionView.Kind) throws -> SessionState? {
        let key = ResourceKey(namespace: object.namespace, name: object.name)
        let (isKnown, epoch) = state.withLock { ($0.shelf[key] != nil || $0.removed.contains(object.uid), $0.epoch) }
        guard !isKnown else { return nil }
        if let failure = fence(Self.epoch(of: object), epoch, "session \(key)") { throw failure }
        guard load(object, kind) != nil else { return nil }
        let failure: StoreError? = Blocking.wait {
            do {
                try await self.claim(key, epoch)
                return nil
            } catch let error as StoreError {
                return error
            } catch {
                return StoreError(description: "\(error)")
            }
        }
        if let failure {
            state.withLock { $0.shelf[key] = nil }
            throw failure
        }
        return try session(key)
    }

    // MARK: Keys

    func secretKey(_ name: String, make: () -> [UInt8]) throws -> [UInt8] {
        let fresh = make()
        let key: Result<[UInt8], StoreError> = Blocking.wait {
            do {
                return .success(try await self.key(name, fresh))
            } catch {
                return .failure(StoreError(description: "can't read key \(name): \(error)"))
            }
        }
        return try key.get()
    }

    private func key(_ name: String, _ fresh: [UInt8]) async throws -> [UInt8] {
        for _ in 0..<Self.maximumTries {
            do {
                if let key = try await keptKey(name, fresh) { return key }
            } catch {
                // Another replica was quicker: its key counts.
                guard error.isConflict || error.isAlreadyExists else { throw error }
            }
        }
        throw StoreError(description: "Secret \(namespace)/\(ClusterNames.keys) keeps changing")
    }

    private func keptKey(_ name: String, _ fresh: [UInt8]) async throws(KubernetesError) -> [UInt8]? {
        var secret: KubernetesObject
        do {
            secret = try await client.get(.secrets, name: ClusterNames.keys, namespace: namespace)
        } catch {
            guard error.isNotFound else { throw error }
            secret = KubernetesObject(.secrets, name: ClusterNames.keys, namespace: namespace)
            secret.labels = [ClusterNames.managedBy: ClusterNames.fieldManager]
            secret["type"] = "Opaque"
            secret["data"] = .object([name: .string(SecretText.text(fresh))])
            try await client.create(secret, as: .secrets)
            return fresh
        }
        if let text = secret[path: "data", name]?.string, let key = SecretText.bytes(text), !key.isEmpty { return key }
        var data = secret["data"] ?? .object([:])
        data[name] = .string(SecretText.text(fresh))
        secret["data"] = data
        try await client.update(secret, of: .secrets, fieldManager: ClusterNames.fieldManager)
        return fresh
    }
}
