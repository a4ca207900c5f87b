import BackupModel

/// What jobs are told.
enum DesiredWork {
    /// The work of one attempt.
    static func make(_ session: SessionState, _ group: GroupState, _ attempt: Attempt) -> JobWork? {
        let plan = session.plan
        let namespace = session.key.namespace
        let place = { (name: String) in
            plan.backend.url(
                below: StorageLayout.group(namespace: namespace, target: plan.repositoryTarget, group: name)
            )
        }
        if var spec = plan.backup {
            spec.consistency = attempt.consistency
            spec.cluster = session.part(of: group)
            return .backup(
                spec,
                repositoryURL: place(group.name),
                snapshotHost: StorageLayout.snapshotHost(namespace: namespace, target: plan.target, group: group.name),
                snapshotTags: ["remora", "session=\(session.key)"]
            )
        }
        guard let restore = plan.restore, let source = group.source else { return nil }
        return .restore(
            RestoreSpec(
                snapshotID: source.snapshotID,
                conflict: restore.conflict,
                selection: restore.selection,
                usersAndRoles: restore.usersAndRoles,
                parallelism: restore.parallelism,
                cluster: session.part(of: group)
            ),
            repositoryURL: place(source.group)
        )
    }

    /// Hash of what is wanted, without the seconds that run by: the same wish has the same revision after a restart.
    static func revision(_ jobs: [DesiredJob]) -> String {
        let timeless = jobs.map { job in
            var job = job
            job.deadlineSeconds = 0
            return job
        }
        // Encoding values made of texts and numbers can't fail; if it did, agents would merely be woken more often.
        let bytes = (try? WireJSON.encode(timeless)) ?? Digest.random(16)
        return String(Digest.hex(Digest.sha256(bytes)).prefix(32))
    }
}
