import BSON
import BackupModel

/// Drops what is in the way and creates collections as they were.
struct CollectionCreator: Sendable {
    let target: RestoreTarget
    let pool: ConnectionPool
    let progress: RestoreProgress

    /// Drops those of the restore's collections that exist, and `doomed`; others are left alone.
    func drop(_ names: [Namespace], existing: TargetCatalog, doomed: [Namespace] = []) async throws {
        let planned = Set(names.filter { existing.entries[$0] != nil })
        let more = doomed.filter { name in
            // Views go with the collection that defines them, buckets with their series.
            name.collection != "system.views" && !planned.contains(name)
                && !(name.timeSeries.map { existing.entries[$0] != nil } ?? false)
        }
        for name in more {
            progress.log(.warning, "dropping \(name), which the target has and this part of the backup hasn't")
        }
        let present = planned.sorted() + more
        guard !present.isEmpty else { return }
        progress.step("drop \(present.count) collections")
        progress.log(.info, "dropping \(planned.count) collections that the backup has too")
        try await pool.forEach(present) { namespace, connection in
            do throws(MongoError) {
                if namespace.collection.hasPrefix("system."), namespace.timeSeries == nil {
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
            let keeps = uuids[collection.dataSource] != nil
            if keeps { keeping.append(collection) } else { plain.append(collection) }
        }
        var kept: Set<[UInt8]> = []
        do {
            try await pool.forEach(keeping) { try await create($0, uuid: uuids[$0.dataSource], on: $1) }
            kept = Set(keeping.compactMap { uuids[$0.dataSource] })
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
        if collection.metadata.kind == .timeSeries {
            try await createSeries(collection, uuid: uuid, on: connection)
        } else {
            try await apply(
                collection.metadata.createCommand(as: collection.target.collection),
                collection.target,
                uuid,
                connection
            )
        }
    }

    /// A time series whose buckets have the UUID that they had: what the server makes of it is made once more by hand.
    ///
    /// Only the server knows how it keeps buckets in this version; it takes those that are there when they fit.
    private func createSeries(_ collection: PlannedCollection, uuid: [UInt8]?, on connection: MongoConnection)
        async throws
    {
        let (name, buckets) = (collection.target, collection.target.buckets)
        try await create(collection, on: connection)
        do {
            let found = try await connection.all(
                name.database,
                ["listCollections": 1, "filter": ["name": .string(buckets.collection)]]
            )
            _ = try await connection.command(name.database, ["drop": .string(name.collection)])
            var metadata = CollectionMetadata.unknown
            metadata.options = found.first?["options"]?.document ?? [:]
            try await apply(metadata.createCommand(as: buckets.collection), buckets, uuid, connection)
        } catch let error as MongoError {
            if error.code == MongoError.ServerCode.unauthorized { throw error }
            throw RestoreFailure.database(error, "create \(buckets)")
        }
        try await create(collection, on: connection)
    }

    private func apply(_ command: BSONDocument, _ name: Namespace, _ uuid: [UInt8]?, _ connection: MongoConnection)
        async throws
    {
        let operation = ReplayOperation(
            kind: .command,
            namespace: Namespace(database: name.database, collection: "$cmd"),
            uuid: uuid,
            object: command.bytes,
            time: ClusterTime(t: 0, i: 0)
        )
        do throws(MongoError) {
            _ = try await connection.reply("admin", commandBytes: ReplayBatch.command([operation]))
        } catch {
            if error.code == MongoError.ServerCode.unauthorized { throw error }
            throw RestoreFailure.database(error, "create \(name)")
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
