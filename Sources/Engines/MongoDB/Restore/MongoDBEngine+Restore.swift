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
        guard spec.cluster == nil else {
            throw MongoDBFailure.unsupported(
                "a whole sharded cluster can't be restored in one session by this version: restore each group alone into"
                    + " a replica set (remora restore TARGET --source CLUSTER --group GROUP)"
            )
        }
        return try await RestoreRun(configuration: configuration, spec: spec, snapshot: snapshot, context: context)
            .run()
    }
}

extension MongoDBEngine: Engine {}
