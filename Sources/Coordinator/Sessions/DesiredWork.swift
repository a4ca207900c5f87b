import BackupModel

/// What jobs are told.
enum DesiredWork {
    /// Everything that one agent is to do: its attempts in the sessions that go on, and releases.
    static func jobs(
        for agentID: String,
        in sessions: some Sequence<SessionState>,
        releases: [(record: LockRecord, release: LockRecord.Release)],
        now: Timestamp,
        timings: SessionTimings
    ) -> [DesiredJob] {
        var jobs: [DesiredJob] = []
        let own = sessions.filter { $0.groups.contains { $0.live?.agentID == agentID } }
        for session in own.sorted(by: { $0.key < $1.key }) {
            for group in session.groups {
                guard let attempt = group.live, attempt.agentID == agentID, let work = make(session, group, attempt)
                else { continue }
                jobs.append(
                    DesiredJob(
                        jobID: attempt.jobID,
                        fence: attempt.fence,
                        desired: attempt.desire,
                        session: session.key.description,
                        work: work,
                        deadlineSeconds: Int(max(0, session.deadline.milliseconds(since: now) / 1000)),
                        directive: session.directive(for: group)
                    )
                )
            }
        }
        for (lock, release) in releases {
            let spec = ReleaseSpec(
                host: lock.host,
                ownerJobID: lock.jobID,
                kind: lock.kind,
                evidence: lock.evidence
            )
            jobs.append(
                DesiredJob(
                    jobID: release.jobID,
                    fence: 1,
                    desired: .run,
                    session: lock.session.description,
                    work: .release(spec),
                    deadlineSeconds: Int(timings.releaseTimeoutMs / 1000)
                )
            )
        }
        return jobs
    }

    /// The work of one attempt.
    private static func make(_ session: SessionState, _ group: GroupState, _ attempt: Attempt) -> JobWork? {
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
                cluster: session.part(of: group),
                command: restore.command
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
