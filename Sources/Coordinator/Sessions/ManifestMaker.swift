import BackupModel

/// Makes a session's manifest from its state: the same state gives the same bytes.
enum ManifestMaker {
    /// The manifest, or nil while a group has no snapshot.
    static func make(_ session: SessionState, writtenBy: String) -> SessionManifest? {
        guard session.kind == .backup, let endTime = session.dataCompleteAt, !session.groups.isEmpty else { return nil }
        var groups: [SessionManifest.Group] = []
        for group in session.groups.sorted(by: { $0.name < $1.name }) {
            guard let attempt = group.attempts.last, attempt.phase == .succeeded, let permit = attempt.permit,
                let result = attempt.outcome?.backup, let snapshotID = result.snapshotID
            else { return nil }
            groups.append(
                SessionManifest.Group(
                    group: group.name,
                    pod: attempt.pod,
                    jobID: attempt.jobID,
                    fence: attempt.fence,
                    permit: permit,
                    snapshotID: snapshotID,
                    result: result,
                    log: StorageLayout.log(
                        namespace: session.key.namespace,
                        target: session.plan.target,
                        session: session.key.name,
                        pod: attempt.pod
                    ),
                    role: group.role,
                    shard: group.shard
                )
            )
        }
        if let cluster = session.cluster {
            // Refused long before; a manifest must not depend on that.
            guard let cut = cluster.cut, groups.allSatisfy({ $0.result.cut == cut }) else { return nil }
        }
        let guarantees = groups.map(\.result.guarantee)
        // Ordered from the strongest to the weakest promise.
        let weakest = [Guarantee.fuzzy, .node, .groupCut, .clusterCut].first { guarantees.contains($0) }
        var manifest = SessionManifest(
            session: session.key,
            configuration: session.plan.configuration ?? "",
            target: session.plan.target,
            engine: session.plan.engine,
            startTime: session.created,
            endTime: endTime,
            // A single group's cut is the backup's; several have one only if all agree.
            cut: Set(groups.map(\.result.cut)).count == 1 ? groups[0].result.cut : nil,
            guarantee: weakest ?? .fuzzy,
            groups: groups,
            writtenBy: writtenBy,
            requestedBy: session.plan.requestedBy
        )
        manifest.cluster = session.cluster.map { describe($0, session) }
        return manifest
    }

    private static func describe(_ cluster: ClusterState, _ session: SessionState) -> SessionManifest.Cluster {
        var result = SessionManifest.Cluster(id: cluster.id, shards: cluster.shards, rounds: cluster.round)
        let attempts = session.groups.compactMap(\.attempts.last)
        let locks = attempts.compactMap { $0.outcome?.backup?.lock ?? $0.lock }
        result.longestLockMs = locks.map(\.heldMs).max()
        let points = locks.compactMap(\.point?.t)
        if points.count == session.groups.count, let least = points.min(), let greatest = points.max() {
            result.lockSpreadSeconds = Int(greatest - least)
        }
        let moments = attempts.compactMap(\.lockedAt)
        if moments.count == session.groups.count, let first = moments.min(), let last = moments.max() {
            result.lockSpreadMs = last.milliseconds(since: first)
        }
        return result
    }
}
