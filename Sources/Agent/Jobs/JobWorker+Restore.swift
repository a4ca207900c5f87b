import BackupModel
import Engines
import ObjectStorage
import Repository

extension JobWorker {
    /// Writes a snapshot into the member's group.
    func restore(_ spec: RestoreSpec) async throws -> JobOutcome {
        let repository = try await openRepository()
        let id = try await repository.findSnapshot(spec.snapshotID)
        let reader = try await repository.reader(of: id)
        running.log(.info, "restore", "restoring snapshot \(id.short) of \(repository.store.location)")
        let result = try await engine.restore(spec, from: reader, context: running)
        running.report(step: "done")
        running.log(
            .info,
            "restore",
            spec.command.map { "\($0.program) took \(result.bytes) bytes, which were those of the backup" }
                ?? "restored and compared \(result.namespaces) collections, \(result.documents) documents, "
                + "\(result.bytes) bytes"
        )
        return JobOutcome(restore: result)
    }
}
