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
                    )
                )
            )
        }
        let guarantees = groups.map(\.result.guarantee)
        // Ordered from the strongest to the weakest promise.
        let weakest = [Guarantee.fuzzy, .node, .groupCut, .clusterCut].first { guarantees.contains($0) }
        return SessionManifest(
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
    }
}
