import BSON
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
        let member = try await assess(connect())
        let balancer = BalancerStop(
            self,
            configServer: member.facts.hello["setName"]?.string ?? "",
            hosts: (member.set?.members ?? []).filter { !$0.isArbiter }.map(\.host),
            context: context
        )
        let run = RestoreRun(
            configuration: configuration,
            spec: spec,
            snapshot: snapshot,
            context: context,
            balancer: balancer
        )
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await balancer.watch() }
            defer { group.cancelAll() }
            let result: RestoreResult
            do {
                result = try await run.run()
            } catch {
                let reason = error is CancellationError || Task.isCancelled ? "cancelled" : "restore failed"
                // What ended the restore is what is reported; a balancer that stays off is in the log and has its note.
                await balancer.giveBack(reason: reason)
                throw error
            }
            if let failure = await balancer.giveBack(reason: "restore finished") { throw failure }
            return result
        }
    }
}

extension MongoDBEngine: Engine {}
