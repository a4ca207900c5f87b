import BSON
public import BackupModel
import Glibc
public import Repository

extension MongoDBEngine {
    /// Dumps the member into `writer` as a mongodump directory with `remora.json`; see `Engine.backUp`.
    ///
    /// - Throws: `JobFailure` with a code of `MongoDBFailure`, `CancellationError`, or what ended the writer. Whatever
    ///   it is: no lock of ours is left, or the failure and a note on disk say so.
    public func backUp(
        _ spec: BackupSpec,
        into writer: SnapshotWriter,
        context: any JobContext
    ) async throws -> BackupOutput {
        let begin = ContinuousClock.now
        let startedAt = unixSeconds()
        for sentence in try await releaseLeftovers() { context.log(.warning, "lock", sentence) }
        let member = try await assess(connect())
        if let obstacle = member.obstacle { throw obstacle }
        if member.facts.isLocked {
            throw MongoDBFailure.foreignLock(member.host, "currentOp shows fsyncLock, and no note of ours names it")
        }
        let plan = try BackupPlan(spec, member)
        let cluster = try spec.cluster.map { try ClusterJob($0, member, self, context) }
        let cores = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        let wanted = spec.parallelism > 0 ? spec.parallelism : DumpRun.defaultReaders(cores: cores)
        let memory = configuration.memory
        let readers = memory.readers(wanted)
        if memory.isReduced {
            context.log(
                .info,
                "backup",
                "the container's memory limit leaves \(memory.bytes >> 20) MiB for buffers: \(readers) of \(wanted) readers,"
                    + " packs of \(memory.packSize >> 20) MiB"
            )
        }
        context.log(
            .info,
            "backup",
            "backing up \(member.host) (\(member.role.rawValue) of \(member.facts.hello["setName"]?.string ?? "nothing"),"
                + " MongoDB \(member.facts.version)), consistency '\(plan.consistency.rawValue)': \(plan.reason);"
                + " \(readers) readers"
        )
        let run = BackupRun(
            engine: self,
            spec: spec,
            context: context,
            member: member,
            plan: plan,
            store: ChunkStore(writer, cores: memory.storing(min(8, cores))),
            progress: DumpProgress(context: context, writer: writer),
            chunkKey: try writer.repository.documentChunkKey,
            readers: readers,
            cluster: cluster
        )
        let reading = try await read(run, cluster)
        let output = try await BackupAssembly(run: run, reading: reading, begin: begin, startedAt: startedAt).output()
        let result = output.result
        context.log(
            .info,
            "backup",
            "read \(result.namespaces) namespaces, \(result.documents) documents, \(result.bytes) bytes in"
                + " \(seconds(begin.duration(to: .now))); "
                + (result.cut.map { "the snapshot restores to \($0)" } ?? "no cut: \(result.guarantee.rawValue)")
        )
        return output
    }

    /// Reads while the balancer is off, on the config server of a cluster; gives it back on every way out.
    ///
    /// Whatever lock the reading took is gone when it ends, so the balancer always comes after it.
    private func read(_ run: BackupRun, _ cluster: ClusterJob?) async throws -> BackupRun.Reading {
        guard let cluster, let balancer = cluster.balancer else { return try await run.read() }
        // Before anything is touched; again when the balancer is off, for what came in between.
        try await cluster.settle()
        try await balancer.stop()
        return try await balancer.guarding("backup") { try await run.read() }
    }
}
