import BackupModel
import Engines
import Repository

extension JobWorker {
    /// Dumps the member into its group's repository and publishes the snapshot.
    ///
    /// Order: packs, index (durable after `flush`), permit, snapshot, report. Whatever dies in between leaves data that
    /// nothing refers to, and a snapshot without a manifest is no backup.
    func backUp(_ spec: BackupSpec) async throws -> JobOutcome {
        let summary = SnapshotSummary(backupStart: .now(), backupEnd: .now())
        let repository = try await openRepository()
        var options = WriterOptions()
        options.packSize = min(options.packSize, memory.packSize)
        options.uploads = min(options.uploads, memory.uploads)
        let writer = repository.makeWriter(options)
        running.countUploads { Int64(clamping: writer.statistics.bytesUploaded) }
        // Without this the writer, and all its memory, would live as long as somebody holds the job.
        defer { running.stopCountingUploads() }
        do {
            return try await publish(try await engine.backUp(spec, into: writer, context: running), writer, summary)
        } catch {
            if let failure = error as? JobFailure { await keep(writer, after: failure) }
            // Uploads under way are of no use any more.
            writer.abandon()
            throw error
        }
    }

    /// How long a failed job may take to make known what it has stored.
    private static let keepingTime = Duration.seconds(60)

    /// Makes what was stored known to the next attempt, which then need not store it again: the packs are there, but the
    /// index names them only now and then.
    private func keep(_ writer: SnapshotWriter, after failure: JobFailure) async {
        guard failure.isRetryable, !Task.isCancelled, writer.statistics.newDataBlobs > 0 else { return }
        running.report(step: "keep what is stored")
        let limit = Task {
            try await Task.sleep(for: Self.keepingTime)
            writer.abandon()
        }
        defer { limit.cancel() }
        do {
            try await writer.flush()
            let bytes = writer.statistics.bytesStored
            running.log(.info, "repository", "\(bytes) bytes that were stored are known to the next attempt")
        } catch {
            running.log(.info, "repository", "what was stored is stored again by the next attempt: \(error)")
        }
    }

    private func publish(
        _ output: BackupOutput,
        _ writer: SnapshotWriter,
        _ begun: SnapshotSummary
    ) async throws -> JobOutcome {
        let job = running.job
        var result = output.result
        running.report(step: "upload the rest")
        let tree = try await writer.storeTree(output.files)
        try await writer.flush()
        result.bytesAdded = Int64(clamping: writer.statistics.bytesAdded)
        result.bytesStored = Int64(clamping: writer.statistics.bytesStored)

        running.report(step: "wait for the permit to publish")
        let claim = result
        let permit = try await untilAnswered("ask for the permit to publish") {
            try await client.prepareCommit(
                job.jobID,
                PrepareCommitRequest(epoch: fenced.epoch, fence: job.fence, result: claim)
            )
        }
        running.report(step: "publish")
        var summary = begun
        summary.backupEnd = .now()
        summary.fill(writer.statistics, files: output.files)
        let snapshot = Snapshot(
            time: .now(),
            tree: tree,
            paths: ["/\(engine.name)"],
            hostname: job.work.snapshotHost ?? job.session,
            tags: (job.work.snapshotTags ?? []) + ["permit=\(permit.permit)"],
            programVersion: "remora \(version)",
            summary: summary
        )
        let id = try await writer.commit(snapshot)
        result.snapshotID = id.hex
        running.report(step: "done")
        running.log(
            .info,
            "publish",
            "snapshot \(id.short): \(engine.runsCommands ? "" : "\(result.documents) documents, ")\(result.bytes) bytes, "
                + "\(result.bytesAdded) of them new, \(result.bytesStored) stored"
        )
        return JobOutcome(backup: result)
    }
}

extension SnapshotSummary {
    /// Takes the numbers that stock tools show for a snapshot.
    fileprivate mutating func fill(_ statistics: WriterStatistics, files: [SnapshotFile]) {
        filesNew = UInt64(files.count)
        dataBlobs = statistics.newDataBlobs
        treeBlobs = statistics.newTreeBlobs
        dataAdded = statistics.bytesAdded
        dataAddedPacked = statistics.bytesStored
        totalFilesProcessed = UInt64(files.count)
        totalBytesProcessed = files.reduce(0) { $0 + $1.size }
    }
}
