import BSON
import BackupModel

/// One job's part in the restore of a whole sharded cluster, at the places of a restore where it matters.
///
/// The config server's job writes the routing table and is *ready*; the shards' jobs begin then, write their data, delete
/// what they don't own by that table, and are *finished*; the config server's goes on to zones, settings, users and roles,
/// is *finished*, and gives the balancer back. Orphans go before anybody may move a chunk again: a document that arrives
/// with a chunk would look like one.
struct ClusterRestore: Sendable {
    private let spec: RestoreSpec
    private let part: ClusterPart
    private let context: any JobContext
    private let config: ConfigRestore?
    private let shard: ShardRestore

    /// Nil for a group by itself.
    init?(_ spec: RestoreSpec, _ balancer: BalancerStop?, _ context: any JobContext, _ progress: RestoreProgress) {
        guard let part = spec.cluster else { return nil }
        self.spec = spec
        self.part = part
        self.context = context
        config = balancer.map {
            ConfigRestore(
                part: part,
                balancer: $0,
                context: context,
                progress: progress,
                drops: spec.conflict == .dropCollections
            )
        }
        shard = ShardRestore(part: part, progress: progress)
    }

    var isConfigServer: Bool { part.role == .configServer }

    /// Where the routing table is put while it is brought to the cut.
    var moves: [Namespace: Namespace] {
        guard isConfigServer else { return [:] }
        return Dictionary(
            uniqueKeysWithValues: StoredRouting.collections.map {
                (Namespace(database: "config", collection: $0), StoredRouting.store($0))
            }
        )
    }

    /// What is to be known of a snapshot from a sharded cluster.
    static func warnings(_ facts: SnapshotFacts, _ warnings: [String], isWhole: Bool) -> [String] {
        guard isWhole || facts.cluster != nil else { return warnings }
        // What is left out of config by a whole restore is written in another way, or made anew.
        let others = warnings.filter { !$0.hasPrefix("config.") }
        guard let cluster = facts.cluster, !isWhole else { return others }
        let whose = cluster.shard.map { "of the shard \($0)" } ?? "of the config server"
        let sentence =
            "the snapshot is the part \(whose) of a sharded cluster: what the other groups hold is not in it, the routing "
            + "table is left out"
            + (cluster.shard == nil ? "" : ", and documents that waited to be deleted (orphans) come along")
        return [sentence] + others
    }

    /// Checks what can be checked without the target.
    func check(_ facts: SnapshotFacts) throws {
        guard spec.selection.isEverything else {
            throw RestoreFailure.badSelection(
                "a sharded cluster is restored as a whole: leave the selection out, or restore one group by itself"
            )
        }
        guard let names = part.shardNames else {
            throw ClusterRestoreFailure.topology("the session doesn't say which shard of the backup becomes which")
        }
        guard let cluster = facts.cluster else { return }
        guard (cluster.role == .configServer) == isConfigServer else {
            throw ClusterRestoreFailure.topology(
                "the snapshot is that of a \(cluster.role == .configServer ? "config server" : "shard"), and the session "
                    + "gives it to a \(isConfigServer ? "config server" : "shard")"
            )
        }
        for shard in cluster.shards where !names.keys.contains(where: { $0.isExactly(shard.name) }) {
            throw ClusterRestoreFailure.unmapped(shard.name, "a part of the data")
        }
        if let name = cluster.shard, !names.keys.contains(where: { $0.isExactly(name) }) {
            throw ClusterRestoreFailure.unmapped(name, "this snapshot")
        }
    }

    /// Checks what the target is to its cluster; returns the shard's name.
    func check(_ target: RestoreTarget, _ pool: ConnectionPool, _ privileges: PrivilegeCheck) async throws -> String? {
        guard isConfigServer else { return try await shard.check(target, pool, privileges) }
        guard let config else { return nil }
        try await config.check(target, pool, privileges)
        return nil
    }

    /// Collections that go with their database.
    func replaced(_ existing: TargetCatalog, _ pool: ConnectionPool) async throws -> [Namespace] {
        isConfigServer ? [] : try await shard.replaced(existing, pool)
    }

    /// The first writes of all.
    func begin(
        _ uuids: [Namespace: [UInt8]],
        _ existing: TargetCatalog,
        _ doomed: [Namespace],
        _ pool: ConnectionPool
    ) async throws {
        if let config { return try await config.begin(pool) }
        let old = doomed.compactMap { existing.entries[$0]?.uuid }
        try await shard.forgetRangeDeletions(Set(old).union(uuids.values), pool)
    }

    /// Fails unless every collection has the UUID by which the routing table knows it.
    func checkKept(_ plan: RestorePlan, _ uuids: [Namespace: [UInt8]], _ kept: Set<[UInt8]>) throws {
        guard !isConfigServer else { return }
        for collection in plan.collections {
            guard let uuid = uuids[collection.dataSource], !kept.contains(uuid), !collection.isUndroppable else {
                continue
            }
            throw RestoreFailure.unsuitableServer(
                "\(collection.target) can't have the UUID that the routing table knows it by: something else in the target "
                    + "has it, or the user lacks the role restore"
            )
        }
    }

    /// When all documents and indexes are there.
    func settle(_ plan: RestorePlan, _ name: String?, _ collections: Set<Namespace>, _ pool: ConnectionPool)
        async throws
    {
        if let config { return try await config.establish(plan, pool) }
        guard let name else { return }
        try await shard.settle(name, collections, pool)
    }

    /// When a majority has everything: meets the others.
    func end(_ pool: ConnectionPool) async throws {
        if let config {
            try await config.removeStores(pool)
            context.reach(JobMilestone(.finished))
            return
        }
        context.reach(JobMilestone(.ready))
        context.reach(JobMilestone(.finished))
        // Nothing is left to do here: until then a failure of any group can still be told by all.
        _ = try await context.directive { $0.othersFinished }
    }
}
