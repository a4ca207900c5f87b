public import BackupModel
public import Repository
import Synchronization

extension CommandEngine {
    /// Stores what the function's program writes, as one file with `remora.json` beside it; see `Engine.backUp`.
    ///
    /// - Throws: `JobFailure` of `CommandFailure`, `CancellationError`, or what ended the writer. Whatever it is: the
    ///   program and all that it started are gone.
    public func backUp(
        _ spec: BackupSpec,
        into writer: SnapshotWriter,
        context: any JobContext
    ) async throws -> BackupOutput {
        let recipe = try recipe(spec.command, for: .backup)
        guard spec.cluster == nil, spec.consistency == nil || spec.consistency == Consistency.none else {
            throw CommandFailure.unsupported(
                "\(name) is backed up as Function \(recipe.function) does it, and no other way"
            )
        }
        let (begin, startedAt) = (ContinuousClock.now, unixSeconds())
        let run = try makeRun(recipe, context)
        let meter = StreamMeter()
        let progress = DumpProgress(context: context, writer: writer)
        let parallelism = configuration.memory.storing(2)
        var file = SnapshotFile(path: recipe.file, size: 0, content: [])
        let said = try await run.reading { output in
            file = try await writer.storeStream(
                MeteredOutput(output: output, meter: meter, progress: progress, step: "dump \(recipe.file)"),
                path: recipe.file,
                parallelism: parallelism
            )
        }
        let content = meter.content
        guard content.bytes > 0 else { throw CommandFailure.empty(recipe.program, said: said) }
        if let check = recipe.check, !content.ends(with: check) {
            throw CommandFailure.withoutEnd(recipe.program, check: check)
        }
        let manifest = CommandManifest(
            formatVersion: CommandManifest.currentFormatVersion,
            engine: name,
            toolVersion: RemoraVersion.current,
            function: recipe.function,
            program: recipe.program,
            host: configuration.endpoint.description,
            consistency: CommandManifest.consistency,
            file: recipe.file,
            bytes: content.bytes,
            crc64: content.crc.description,
            check: recipe.check,
            startedAt: startedAt,
            finishedAt: unixSeconds()
        )
        let record = try WireJSON.encode(manifest)
        let stored = try await writer.store(record, as: .data)
        var result = BackupResult(
            engine: name,
            group: Self.group,
            host: manifest.host,
            serverVersion: "unknown",
            guarantee: .node,
            consistency: .none,
            namespaces: 0,
            documents: 0,
            bytes: content.bytes
        )
        result.warnings = [
            "the consistency is the function's: the backup is what \(recipe.program) makes of \(configuration.database) "
                + "with the options of Function \(recipe.function)"
        ]
        result.durationMs = Int64(milliseconds(begin.duration(to: .now)))
        context.log(
            .info,
            "backup",
            "\(recipe.program) wrote \(content.bytes) bytes in \(seconds(begin.duration(to: .now)))"
        )
        return BackupOutput(
            files: [
                file,
                SnapshotFile(path: CommandManifest.fileName, size: UInt64(record.count), content: [stored.id]),
            ],
            result: result
        )
    }
}

/// Counts and sums up a stream as it passes.
final class StreamMeter: Sendable {
    /// What has passed.
    struct Content: Sendable {
        var bytes: Int64 = 0
        var crc = CRC64()
        /// The last bytes, at most as many as a check looks at.
        var tail: [UInt8] = []

        mutating func add(_ part: [UInt8]) {
            bytes += Int64(part.count)
            crc.update(part.span.bytes)
            tail += part.suffix(CommandRecipe.checkedBytes)
            if tail.count > CommandRecipe.checkedBytes { tail.removeFirst(tail.count - CommandRecipe.checkedBytes) }
        }

        /// Whether the last bytes contain a text, byte for byte.
        func ends(with text: String) -> Bool { tail.firstRange(of: Array(text.utf8)) != nil }
    }

    private let state = Mutex(Content())

    var content: Content { state.withLock { $0 } }

    func add(_ part: [UInt8]) { state.withLock { $0.add(part) } }
}

/// A program's output, measured on its way into the repository.
struct MeteredOutput: AsyncSequence, Sendable {
    let output: PipeReader
    let meter: StreamMeter
    let progress: DumpProgress
    let step: String

    struct Iterator: AsyncIteratorProtocol {
        let stream: MeteredOutput

        mutating func next() async throws -> [UInt8]? {
            guard let part = try await stream.output.next() else { return nil }
            stream.meter.add(part)
            stream.progress.add(stream.step, bytes: Int64(part.count), documents: 0)
            return part
        }
    }

    func makeAsyncIterator() -> Iterator { Iterator(stream: self) }
}
