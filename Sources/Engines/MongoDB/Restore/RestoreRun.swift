import BSON
import BackupModel
import Repository

/// One restore of one snapshot into one group, from the first look to the last comparison.
///
/// First everything is looked at and every step is rehearsed, and only then is anything written:
/// snapshot → plan → oplog rehearsal → target → checks | drop → create → load → read back → oplog → read back →
/// indexes → options → users and roles → compare. What comes before the bar changes nothing.
struct RestoreRun: Sendable {
    let configuration: MongoDBConfiguration
    let spec: RestoreSpec
    let snapshot: SnapshotReader
    let context: any JobContext
    let progress: RestoreProgress
    /// The part in the restore of a whole sharded cluster; nil for a group by itself.
    let cluster: ClusterRestore?

    init(
        configuration: MongoDBConfiguration,
        spec: RestoreSpec,
        snapshot: SnapshotReader,
        context: any JobContext,
        balancer: BalancerStop? = nil
    ) {
        self.configuration = configuration
        self.spec = spec
        self.snapshot = snapshot
        self.context = context
        progress = RestoreProgress(context)
        cluster = ClusterRestore(spec, balancer, context, progress)
    }

    /// Insert streams at once: two hide the round trips and the journal, more only cost memory (mongodb-live §9).
    private static let defaultStreams = 4
    /// An index build answers when it is done.
    private static let indexTimeoutMilliseconds: Int32 = 24 * 60 * 60 * 1000

    private var streams: Int {
        configuration.memory.streams(spec.parallelism > 0 ? min(spec.parallelism, 32) : Self.defaultStreams)
    }

    /// What is known before anything is written.
    private struct Preparation {
        var contents: SnapshotContents
        var map: NamespaceMap
        var plan: RestorePlan
        var target: RestoreTarget
        var pool: ConnectionPool
        var existing: TargetCatalog
        var privileges: PrivilegeCheck
        /// UUIDs in the backup.
        var uuids: [Namespace: [UInt8]]
        /// Those of them that the target's collections can have.
        var keepable: [Namespace: [UInt8]]
        /// UUIDs of what stays in the target.
        var taken: Set<[UInt8]>
        /// What the plan doesn't name and goes nevertheless, because its whole database is replaced.
        var doomed: [Namespace]
        /// The target's name in its sharded cluster.
        var shard: String?
        var replay: Replay?
        /// Names that are not in the plan, but that the oplog makes.
        var made: [Namespace] = []
        /// Whether inserts can be told to leave zero timestamps alone.
        var sparesZeroTimestamps: Bool
    }

    /// Restores.
    ///
    /// - Throws: `JobFailure`. One that was thrown after the first write says so, and what to do.
    func run() async throws -> RestoreResult {
        let started = ContinuousClock.now
        let preparation: Preparation
        do {
            preparation = try await prepare()
        } catch let error as MongoError {
            throw RestoreFailure.database(error, "look at the target")
        } catch let error as RepositoryError {
            throw RestoreFailure.unreadable(error)
        }
        var result = RestoreResult(host: preparation.target.host)
        do {
            try await write(preparation, &result)
        } catch {
            throw RestoreFailure.partial(error, host: preparation.target.host)
        }
        result.durationMs = (ContinuousClock.now - started).milliseconds
        let milliseconds = max(1, result.durationMs)
        progress.log(
            .info,
            "restored \(result.documents) documents (\(result.bytes) bytes) in \(result.namespaces) collections into "
                + "\(result.host) in \(result.durationMs) ms, \(result.bytes / 1000 / milliseconds) MB/s; everything was "
                + "read back and compared"
        )
        return result
    }

    // MARK: Before anything is written

    private func prepare() async throws -> Preparation {
        progress.step("read the snapshot's manifest")
        let contents = try await SnapshotContents.open(snapshot, layout: cluster?.isConfigServer == true)
        try cluster?.check(contents.facts)
        let map = try NamespaceMap(spec.selection, moves: cluster?.moves ?? [:])
        var plan = try RestorePlan(
            catalog: contents.catalog,
            map: map,
            usersAndRoles: spec.usersAndRoles,
            mayBeEmpty: cluster != nil
        )
        plan.warnings = ClusterRestore.warnings(contents.facts, plan.warnings, isWhole: cluster != nil)
        try contents.check(plan)
        describe(contents, plan)

        let target = try await RestoreTarget.find(configuration, context: context)
        let pool = try ConnectionPool(configuration, host: target.host, count: streams)
        try target.checkTakes(version: contents.facts.serverVersion, featureVersion: contents.facts.featureVersion)
        let privileges = try await pool.use { try await PrivilegeCheck.read($0) }
        let drops = spec.conflict == .dropCollections
        let spares = try await pool.use { try await $0.knowsBypassEmptyTimestamp() }
        let hasOplog = contents.oplog != nil
        try privileges.check(plan, PrivilegeCheck.Needs(drops: drops, updates: hasOplog || !spares, removes: hasOplog))
        let shard = try await cluster?.check(target, pool, privileges)
        let existing = try await TargetCatalog.read(pool)
        let doomed = drops ? try await cluster?.replaced(existing, pool) ?? [] : []
        if !drops {
            try existing.checkConflicts(with: plan, isEverything: map.isEverything, host: target.host)
        }
        let replaced = Set(plan.all.map(\.dataTarget) + plan.all.map(\.target) + doomed)
        let taken = Set(existing.entries.values.filter { !replaced.contains($0.namespace) }.compactMap(\.uuid))
        let uuids = Self.uuids(contents, plan)
        var preparation = Preparation(
            contents: contents,
            map: map,
            plan: plan,
            target: target,
            pool: pool,
            existing: existing,
            privileges: privileges,
            uuids: uuids,
            // A copy under another name must not have the UUID of what it is a copy of.
            keepable: map.hasRenames ? [:] : uuids.filter { !taken.contains($0.value) },
            taken: taken,
            doomed: doomed,
            shard: shard,
            sparesZeroTimestamps: spares
        )
        // The UUID of its buckets matters to a cluster's routing table alone.
        if cluster == nil {
            for collection in plan.collections where collection.metadata.kind == .timeSeries {
                preparation.keepable[collection.dataSource] = nil
            }
        }
        preparation.replay = try await rehearse(preparation)
        if let model = preparation.replay?.rehearsal.model, let changed = preparation.replay?.rehearsal.changed {
            let views = model.views.keys.compactMap { map.target(of: $0) }
            preparation.made = changed.union(views).subtracting(replaced).sorted()
            // What a name in passing meets there is none of the restore's, whatever may be dropped.
            let inTheWay = preparation.made.filter {
                existing.entries[$0] != nil && (!drops || model.adoptedNames.contains($0))
            }
            if !inTheWay.isEmpty { throw RestoreFailure.targetNotEmpty(target.host, inTheWay) }
        }
        return preparation
    }

    private func describe(_ contents: SnapshotContents, _ plan: RestorePlan) {
        let facts = contents.facts
        let origin = facts.host.map { " of \($0)" } ?? ""
        progress.log(
            .info,
            "snapshot \(snapshot.id)\(origin)\(facts.serverVersion.map { ", MongoDB \($0)" } ?? "")"
                + "\(facts.cut.map { ", as of \($0)" } ?? ""): \(plan.collections.count) collections, \(plan.views.count) views"
        )
        if !facts.hasManifest {
            progress.log(
                .info,
                "the snapshot has no remora.json: counts are compared with what is read, not with a promise"
            )
        }
        for warning in plan.warnings { progress.log(.warning, warning) }
    }

    private func replayer(_ contents: SnapshotContents) -> OplogReplayer? {
        contents.oplog.map {
            OplogReplayer(
                snapshot: snapshot,
                file: $0,
                promised: contents.facts.oplog,
                progress: progress,
                cut: contents.facts.cut
            )
        }
    }

    /// UUIDs in the backup, by name: from the manifest, or from each collection's metadata.
    private static func uuids(_ contents: SnapshotContents, _ plan: RestorePlan) -> [Namespace: [UInt8]] {
        var uuids = contents.facts.uuids
        for collection in plan.collections where collection.metadata.kind == .collection {
            if let uuid = collection.metadata.uuid { uuids[collection.source] = uuids[collection.source] ?? uuid }
        }
        return uuids
    }

    // MARK: Writing

    private func write(_ preparation: Preparation, _ result: inout RestoreResult) async throws {
        let plan = preparation.plan
        let creator = CollectionCreator(target: preparation.target, pool: preparation.pool, progress: progress)
        let replay = preparation.replay
        try await cluster?.begin(preparation.uuids, preparation.existing, preparation.doomed, preparation.pool)
        if spec.conflict == .dropCollections {
            let names = plan.all.map(\.target) + preparation.made
            try await creator.drop(names, existing: preparation.existing, doomed: preparation.doomed)
        }
        let kept = try await creator.create(plan, existing: preparation.existing, uuids: preparation.keepable)
        try cluster?.checkKept(plan, preparation.uuids, kept)
        let users = UserRestorer(pool: preparation.pool, progress: progress)
        if plan.restoresUsers { try await users.prepare() }
        let loaded = try await load(preparation)
        result.documents = loaded.reduce(0) { $0 + $1.content.documents }
        result.bytes = loaded.reduce(0) { $0 + $1.content.bytes }

        let verifier = RestoreVerifier(pool: preparation.pool, progress: progress)
        let final = try FinalState(
            plan: plan,
            map: preparation.map,
            model: replay?.rehearsal.model,
            changed: replay?.rehearsal.changed ?? []
        )
        if let replay {
            let box = TouchedBox(replay.rehearsal.touched)
            let untouched = try await verifier.verifyLoad(loaded, box)
            result.oplogEntries = try await apply(replay, preparation, kept: kept)
            try checkHoles(box.touched, final)
            try await verifier.verifyReplay(box.touched, untouched: untouched, collections: final.dataNames)
        } else {
            _ = try await verifier.verifyLoad(loaded, nil)
        }
        result.indexes = try await finish(final, preparation, creator, verifier, &result)
        try await cluster?.settle(plan, preparation.shard, final.dataNames, preparation.pool)
        if plan.restoresUsers {
            let (count, notes) = try await users.merge(keeping: preparation.privileges.userIDs)
            result.usersAndRoles = count
            for note in notes { progress.log(.info, note) }
            result.warnings += notes
        }
        try await confirm(preparation)
        try await cluster?.end(preparation.pool)
        result.namespaces = final.expected.count
        result.warnings = plan.warnings + result.warnings
    }

    private struct Replay {
        var replayer: OplogReplayer
        var scan: OplogScan
        var rehearsal: OplogReplayer.Rehearsal
    }

    private func rehearse(_ preparation: Preparation) async throws -> Replay? {
        guard let replayer = replayer(preparation.contents) else { return nil }
        progress.step("read the oplog")
        let scan = try await replayer.scan()
        let kept = preparation.plan.collections.compactMap { preparation.keepable[$0.dataSource] }
        let model = model(preparation, scan, kept: Set(kept))
        progress.step("rehearse the oplog")
        let rehearsal = try await replayer.rehearse(model, scan)
        progress.log(
            .info,
            "the oplog has \(scan.entries) entries from \(scan.first.map(String.init(describing:)) ?? "-") to "
                + "\(scan.last.map(String.init(describing:)) ?? "-"), \(rehearsal.operations) operations of which apply here"
        )
        if scan.ledger.unfinished > 0 {
            progress.log(.info, "\(scan.ledger.unfinished) transactions were not committed at the cut and are left out")
        }
        if rehearsal.touched.hasGivenUp {
            progress.log(
                .warning,
                "the oplog touches more than \(TouchedDocuments.limit) documents: what it does is checked by the server's "
                    + "answers, but not by reading back each document"
            )
        }
        return Replay(replayer: replayer, scan: scan, rehearsal: rehearsal)
    }

    private func model(_ preparation: Preparation, _ scan: OplogScan, kept: Set<[UInt8]>) -> ReplayModel {
        ReplayModel(
            plan: preparation.plan,
            map: preparation.map,
            scan: scan,
            uuids: preparation.uuids,
            kept: kept,
            taken: preparation.taken,
            userStores: preparation.plan.restoresUsers ? UserRestorer.stores : nil
        )
    }

    private func apply(_ replay: Replay, _ preparation: Preparation, kept: Set<[UInt8]>) async throws -> Int64 {
        let model = model(preparation, replay.scan, kept: kept)
        return try await preparation.pool.use { try await replay.replayer.apply(model, replay.scan, on: $0) }
    }

    /// An update of a document that was neither in the data nor inserted shows that the snapshot has a hole.
    private func checkHoles(_ touched: TouchedDocuments, _ final: FinalState) throws {
        for namespace in touched.namespaces where final.dataNames.contains(namespace) {
            guard !touched.unpredictable.contains(namespace) else { continue }
            let holes = touched.holes(in: namespace)
            if holes > 0 {
                throw RestoreFailure.verification(
                    "the oplog updates \(holes) documents of \(namespace) that are neither in the snapshot nor inserted by it"
                )
            }
        }
    }

    private func load(_ preparation: Preparation) async throws -> [RestoreVerifier.Loaded] {
        let plan = preparation.plan
        let total = plan.collections.reduce(Int64(0)) { $0 + ($1.promised?.bytes ?? 0) }
        progress.expect(bytes: total)
        progress.step("load \(plan.collections.count) collections")
        let loader = CollectionLoader(
            snapshot: snapshot,
            pool: preparation.pool,
            target: preparation.target,
            progress: progress,
            isFuzzy: preparation.contents.oplog != nil,
            sparesZeroTimestamps: preparation.sparesZeroTimestamps,
            // Two hide the round trips of one collection; several collections share the connections.
            streams: max(2, streams / 2)
        )
        var work: [(PlannedCollection, SnapshotFile)] = []
        for collection in plan.collections + userStores(plan) {
            guard let path = collection.dataPath else { continue }
            work.append((collection, try preparation.contents.file(path)))
        }
        // The largest first, or it would be left to a single stream in the end.
        work.sort { $0.1.size > $1.1.size }
        var loaded: [RestoreVerifier.Loaded] = []
        try await withThrowingTaskGroup(of: RestoreVerifier.Loaded.self) { group in
            var rest = work[...]
            var underWay = 0
            while let (collection, file) = rest.popFirst() {
                if underWay == streams, let done = try await group.next() {
                    loaded.append(done)
                    underWay -= 1
                }
                group.addTask {
                    let content = try await loader.load(collection, from: file)
                    try check(content, collection, file)
                    return RestoreVerifier.Loaded(collection: collection, content: content.content)
                }
                underWay += 1
            }
            while let done = try await group.next() { loaded.append(done) }
        }
        let filled = Set(loaded.map(\.collection.target))
        for collection in plan.collections where !filled.contains(collection.target) {
            loaded.append(RestoreVerifier.Loaded(collection: collection, content: DocumentChecksum()))
        }
        return loaded
    }

    private func finish(
        _ final: FinalState,
        _ preparation: Preparation,
        _ creator: CollectionCreator,
        _ verifier: RestoreVerifier,
        _ result: inout RestoreResult
    ) async throws -> Int {
        // Not the loading pool: an index build may take longer than any insert.
        let slow = try ConnectionPool(
            configuration,
            host: preparation.target.host,
            count: 8,
            socketTimeoutMilliseconds: Self.indexTimeoutMilliseconds
        )
        let builder = IndexBuilder(target: preparation.target, progress: progress)
        let built = try await builder.build(final.indexWork, on: slow)
        try await creator.createViews(final.views)
        for (namespace, seconds) in final.expiries { try await creator.setExpiry(seconds, of: namespace) }
        let backup = preparation.contents.facts
        let isSameRelease = backup.hasManifest && backup.serverVersion?.release == preparation.target.version.release
        let differences = try await verifier.verifyCatalog(final.expected, isSameRelease: isSameRelease)
        for difference in differences { progress.log(.warning, difference) }
        result.warnings += differences
        return built
    }

    /// Waits until a majority has everything, and makes sure that nobody else became primary meanwhile.
    private func confirm(_ preparation: Preparation) async throws {
        progress.step("wait for the majority")
        try await preparation.pool.use { connection in
            if preparation.target.setName != nil { try await MajorityBarrier(progress: progress).pass(connection) }
            try await preparation.target.checkReign(connection)
        }
    }
}

extension Duration {
    /// Whole milliseconds.
    fileprivate var milliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}
