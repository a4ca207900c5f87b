public import BackupModel
public import Repository

extension MongoDBEngine {
    /// Writes a snapshot into the member's group and compares what is there afterwards; see `Engine.restore`.
    ///
    /// The snapshot is one of ours, or a mongodump directory that any restic stored. A whole backup goes into an empty
    /// server; a selection, or a copy under other names, goes beside what is there. The user needs the roles
    /// `backup`, `restore` and `readWriteAnyDatabase`.
    ///
    /// - Throws: `JobFailure`; one that was thrown after the first write says that the target is partially restored.
    public func restore(
        _ spec: RestoreSpec,
        from snapshot: SnapshotReader,
        context: any JobContext
    ) async throws -> RestoreResult {
        guard spec.cluster?.role == .configServer else {
            return try await RestoreRun(configuration: configuration, spec: spec, snapshot: snapshot, context: context)
                .run()
        }
        return try await restoreConfigServer(spec, snapshot, context)
    }

    /// Restores while the balancer is off; gives it back on every way out.
    private func restoreConfigServer(_ spec: RestoreSpec, _ snapshot: SnapshotReader, _ context: any JobContext)
        async throws -> RestoreResult
    {
        let balancer = BalancerStop(self, of: try await assess(connect()), context: context)
        let run = RestoreRun(
            configuration: configuration,
            spec: spec,
            snapshot: snapshot,
            context: context,
            balancer: balancer
        )
        return try await balancer.guarding("restore") { try await run.run() }
    }
}

extension MongoDBEngine: Engine {}
