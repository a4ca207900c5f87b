public import BackupModel
public import Repository

extension CommandEngine {
    /// Feeds the stored stream to the function's program; see `Engine.restore`.
    ///
    /// Everything is read back from the repository and compared with the manifest before the program gets the last
    /// chunk: what is damaged is never loaded to its end and called good.
    ///
    /// - Throws: `JobFailure`; one that was thrown after the program began says that the database is partially restored.
    public func restore(
        _ spec: RestoreSpec,
        from snapshot: SnapshotReader,
        context: any JobContext
    ) async throws -> RestoreResult {
        let recipe = try recipe(spec.command, for: .restore)
        guard spec.cluster == nil, spec.selection.isEverything else {
            throw CommandFailure.unsupported(
                "can't restore: Function \(recipe.function) takes a backup as a whole only"
            )
        }
        guard spec.conflict == .dropCollections else {
            throw CommandFailure.mayOverwrite(configuration.database, recipe.function)
        }
        let begin = ContinuousClock.now
        let manifest = try await CommandManifest.read(from: snapshot, engine: name)
        guard manifest.file == recipe.file else {
            throw CommandFailure.configuration(
                recipe.function,
                "it restores the file '\(recipe.file)', and the backup's is '\(manifest.file)' (made by Function "
                    + "\(manifest.function)): the file of both must be the same"
            )
        }
        let file: SnapshotFile
        do {
            file = try snapshot.file(at: manifest.file)
        } catch let error as RepositoryError {
            throw RestoreFailure.unreadable(error, "the file \(manifest.file)")
        }
        let run = try makeRun(recipe, context)
        do {
            try await run.feeding { input in
                try await feed(file, of: snapshot, manifest, to: input, context)
            }
        } catch {
            throw RestoreFailure.partial(error, host: configuration.endpoint.description)
        }
        var result = RestoreResult(host: configuration.endpoint.description)
        result.bytes = manifest.bytes
        result.warnings = [
            "the bytes are those of the backup; whether \(recipe.program) made the same data of them is not compared"
        ]
        result.durationMs = Int64(milliseconds(begin.duration(to: .now)))
        return result
    }

    /// Writes all chunks but the last, compares, and writes that too.
    ///
    /// - Returns: false when the program ended in between.
    private func feed(
        _ file: SnapshotFile,
        of snapshot: SnapshotReader,
        _ manifest: CommandManifest,
        to input: PipeWriter,
        _ context: any JobContext
    ) async throws -> Bool {
        var progress = JobProgress(step: "restore \(manifest.file)", bytesTotal: manifest.bytes)
        var crc = CRC64()
        var size: Int64 = 0
        var held: [UInt8]?
        for try await chunk in snapshot.chunks(of: file, prefetch: configuration.memory.isReduced ? 2 : 8) {
            if let held {
                guard try await input.write(held) else { return false }
                progress.bytesDone += Int64(held.count)
                context.report(progress)
            }
            crc.update(chunk.span.bytes)
            size += Int64(chunk.count)
            held = chunk
        }
        guard size == manifest.bytes, crc.description == manifest.crc64, let held else {
            throw RestoreFailure.damagedSnapshot(
                "file \(manifest.file) of the snapshot has \(size) bytes with checksum \(crc), and the backup was "
                    + "\(manifest.bytes) bytes with \(manifest.crc64): the end of it was held back"
            )
        }
        guard try await input.write(held) else { return false }
        progress.bytesDone = size
        context.report(progress)
        return true
    }
}
