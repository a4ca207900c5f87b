import BSON
import BackupModel

/// Drops what is in the way and creates collections as they were.
struct CollectionCreator: Sendable {
    let target: RestoreTarget
    let pool: ConnectionPool
    let progress: RestoreProgress

    /// Drops those of the restore's collections that exist; others are left alone.
    func drop(_ names: [Namespace], existing: TargetCatalog) async throws {
        let present = names.filter { existing.entries[$0] != nil }
        guard !present.isEmpty else { return }
        progress.step("drop \(present.count) collections")
        progress.log(.info, "dropping \(present.count) collections that the backup has too")
        try await pool.forEach(present) { namespace, connection in
            do throws(MongoError) {
                if namespace.collection.hasPrefix("system.") {
                    // The server lets nobody drop it.
                    _ = try await connection.command(
                        namespace.database,
                        [
                            "delete": .string(namespace.collection), "deletes": [["q": [:], "limit": 0]],
                            "writeConcern": ["w": 1],
                        ]
                    )
                } else {
                    _ = try await connection.command(namespace.database, ["drop": .string(namespace.collection)])
                }
            } catch {
                if error.code == MongoError.ServerCode.namespaceNotFound { return }
                throw RestoreFailure.database(error, "drop \(namespace)")
            }
        }
    }

    /// Creates collections and time series, with the UUIDs they had where that is possible.
    ///
    /// - Parameters:
    ///   - plan: what is to be there.
    ///   - existing: what is there already, and could not be dropped.
    ///   - uuids: by name in the backup, the UUIDs that may be kept.
    /// - Returns: those that were kept.
    /// - Throws: `JobFailure` that names the collection which the server refuses.
    func create(_ plan: RestorePlan, existing: TargetCatalog, uuids: [Namespace: [UInt8]]) async throws -> Set<[UInt8]>
    {
        let missing = plan.collections.filter { !($0.isUndroppable && existing.entries[$0.target] != nil) }
        progress.step("create \(missing.count) collections")
        var plain: [PlannedCollection] = []
        var keeping: [PlannedCollection] = []
        for collection in missing {
            let keeps = collection.metadata.kind == .collection && uuids[collection.source] != nil
            if keeps { keeping.append(collection) } else { plain.append(collection) }
        }
        var kept: Set<[UInt8]> = []
        do {
            try await pool.forEach(keeping) { try await create($0, uuid: uuids[$0.source], on: $1) }
            kept = Set(keeping.compactMap { uuids[$0.source] })
        } catch let error as MongoError where error.code == MongoError.ServerCode.unauthorized {
            progress.log(.warning, "not allowed to run applyOps, so collections get new UUIDs: \(error)")
            // Those that had been made already keep what they have.
            let made = try await TargetCatalog.read(pool)
            plain += keeping.filter { made.entries[$0.target] == nil }
        }
        try await pool.forEach(plain) { try await create($0, on: $1) }
        return kept
    }

    /// Each by a command of its own: several in one are for superusers, and save nothing, since the server takes some
    /// 10 ms for each.
    private func create(_ collection: PlannedCollection, uuid: [UInt8]?, on connection: MongoConnection) async throws {
        let operation = ReplayOperation(
            kind: .command,
            namespace: Namespace(database: collection.target.database, collection: "$cmd"),
            uuid: uuid,
            object: collection.metadata.createCommand(as: collection.target.collection).bytes,
            time: ClusterTime(t: 0, i: 0)
        )
        do throws(MongoError) {
            _ = try await connection.reply("admin", commandBytes: ReplayBatch.command([operation]))
        } catch {
            if error.code == MongoError.ServerCode.unauthorized { throw error }
            throw RestoreFailure.database(error, "create \(collection.target)")
        }
    }

    private func create(_ collection: PlannedCollection, on connection: MongoConnection) async throws {
        let command = collection.metadata.createCommand(as: collection.target.collection)
        do throws(MongoError) {
            _ = try await connection.command(collection.target.database, command)
        } catch {
            throw RestoreFailure.database(error, "create \(collection.target)")
        }
    }

    /// Creates views, in the plan's order.
    func createViews(_ views: [PlannedCollection]) async throws {
        guard !views.isEmpty else { return }
        progress.step("create \(views.count) views")
        try await pool.use { connection in
            for view in views { try await create(view, on: connection) }
        }
    }

    /// Sets the option by which the server deletes old documents of a collection: after everything else.
    func setExpiry(_ seconds: BSONValue, of namespace: Namespace) async throws {
        try await pool.use { connection in
            do throws(MongoError) {
                _ = try await connection.command(
                    namespace.database,
                    ["collMod": .string(namespace.collection), "expireAfterSeconds": seconds]
                )
            } catch {
                throw RestoreFailure.database(error, "set expireAfterSeconds of \(namespace)")
            }
        }
    }
}
