import BSON
import BackupModel

extension BackupRun {
    /// Leads what was read on to the cluster's cut, and proves that the cut falls into no change of the layout.
    ///
    /// - Throws: `JobFailure` `cutNotReached`, `oplogOverflow`, `layoutChanged`, `schemaChanged`, `rolledBack`.
    func complete(_ reading: inout Reading, _ cluster: ClusterJob) async throws {
        guard let point = reading.cut, let position = reading.position else {
            throw MongoDBFailure.badSpec("a dump without a cut of its own has no place in a cluster's backup")
        }
        await engine.tuning.pause("finished")
        let cut = try await cluster.cut(after: point, oplogFrom: reading.oplog == nil ? position.start : point)
        await engine.tuning.pause("cut")
        progress.step("wait for the group to reach \(cut)")
        try await cluster.reach(cut)
        let slice = try await oplogDump.extend(reading.oplog, from: position, to: cut)
        if let change = slice.inspection.layout.changes.first {
            throw MongoDBFailure.layoutChanged(member.host, "the cut \(cut) falls into \(change)")
        }
        if let unknown = slice.inspection.unknown.first { throw MongoDBFailure.schemaChanged(unknown) }
        try await checkRollback(engine.connect(), since: reading.rollbacks)
        if cluster.part.role == .configServer {
            try await cluster.checkShards()
            await cluster.tellChanges()
        }
        await tellBalancer(cluster, &reading)
        reading.oplog = slice
        reading.cut = cut
        reading.guarantee = .clusterCut
        reading.cluster = MongoDBManifest.Cluster(
            clusterID: cluster.identity.clusterID,
            role: cluster.part.role,
            shard: cluster.identity.shard,
            shards: cluster.part.shards,
            balancerWasOn: await cluster.balancer?.wasOn,
            autoSplitWasOn: await cluster.balancer?.autoSplitWasOn,
            pendingRangeDeletions: await cluster.pendingRangeDeletions
        )
        if let count = await cluster.pendingRangeDeletions, count > 0 {
            reading.warnings.append(
                "\(count) ranges of \(member.host) were still to be deleted: their documents are in the dump, and"
                    + " config.rangeDeletions tells a restore which they are"
            )
        }
        log(.info, "the oplog of \(member.host) is stored up to the cluster's cut \(cut)")
    }

    /// A balancer that somebody turned on meanwhile moves chunks; the cut has been shown to fall into no move.
    private func tellBalancer(_ cluster: ClusterJob, _ reading: inout Reading) async {
        guard let balancer = cluster.balancer else { return }
        do {
            if try await balancer.isOff() { return }
            reading.warnings.append(
                "the balancer was turned on before the backup had ended; no move of a chunk was under way at the cut"
            )
        } catch {
            log(.warning, "whether the balancer was still off could not be asked: \(error)")
        }
    }

    /// What is said of a shard, or a config server, that is backed up by itself.
    func tellLoneliness(_ reading: inout Reading) {
        guard let identity = member.facts.sharding else { return }
        let name = identity.shard.map { "the shard \($0)" } ?? "the config server"
        reading.warnings.append(
            "\(member.host) belongs to \(name) of a sharded cluster, and only this group was backed up: it restores to"
                + " a point of its own, which no other group shares"
        )
        reading.cluster = MongoDBManifest.Cluster(
            clusterID: identity.clusterID,
            role: identity.isConfigServer ? .configServer : .shard,
            shard: identity.shard,
            shards: []
        )
    }
}
