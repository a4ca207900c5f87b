import BSON
import BackupModel
import Repository

/// Reads the snapshot's oplog and applies it: thrice read, once written.
///
/// The first reading learns what became of transactions and collections, the second rehearses every step without a
/// server, so that what can't be applied fails before anything is written. The third applies.
struct OplogReplayer: Sendable {
    let snapshot: SnapshotReader
    let file: SnapshotFile
    let promised: SnapshotFacts.Oplog?
    let progress: RestoreProgress
    /// The point to which it is applied; nil applies all.
    let cut: ClusterTime?

    private static let prefetch = 4

    /// What a rehearsal found.
    struct Rehearsal: Sendable {
        /// The state in the end.
        var model: ReplayModel
        /// The documents that are touched.
        var touched = TouchedDocuments()
        /// Operations to apply.
        var operations: Int64 = 0
        /// Collections whose options are changed, by their names in the target.
        var changed: Set<Namespace> = []
    }

    /// Reads it for the first time, comparing it with what the manifest says.
    func scan() async throws -> OplogScan {
        var scan = OplogScan(cut: cut)
        var crc = CRC64()
        try await forEachRun { run in
            crc.update(run.span.bytes)
            var documents = BSONDocumentSequence(run.span.bytes)
            while let place = try documents.next() { try scan.take(run.span.bytes, at: place) }
        }
        if let promised {
            guard scan.entries == promised.entries, promised.crc64.map({ $0 == crc.value }) ?? true else {
                throw RestoreFailure.damagedSnapshot(
                    "\(file.path) has \(scan.entries) entries and CRC-64 \(String(crc.value, radix: 16)), and the manifest "
                        + "says \(promised.entries) and \(promised.crc64.map { String($0, radix: 16) } ?? "none")"
                )
            }
        }
        return scan
    }

    /// Goes through every step without a server.
    func rehearse(_ model: ReplayModel, _ scan: OplogScan) async throws -> Rehearsal {
        var rehearsal = Rehearsal(model: model)
        try await forEachOperation(scan) { operation in
            for step in try rehearsal.model.steps(for: operation) {
                rehearsal.operations += 1
                try rehearsal.touched.note(step)
                if step.isBarrier, let name = try Self.subject(step) { rehearsal.changed.insert(name) }
            }
        }
        return rehearsal
    }

    /// Applies it over one connection; the next batch is put together while the server is at the last.
    func apply(_ model: ReplayModel, _ scan: OplogScan, on connection: MongoConnection) async throws -> Int64 {
        progress.step("apply the oplog")
        let applier = OplogApplier(connection: connection)
        var model = model
        var batch = ReplayBatch()
        var applied: Int64 = 0
        try await withThrowingTaskGroup(of: Void.self) { group in
            func send() async throws {
                guard !batch.isEmpty else { return }
                let operations = batch.operations
                batch = ReplayBatch()
                try await group.next()
                group.addTask { try await applier.apply(operations) }
                applied += Int64(operations.count)
            }
            try await forEachOperation(scan) { operation in
                for step in try model.steps(for: operation) {
                    if step.isBarrier || step.writesZeroTimestamp {
                        try await send()
                        try await group.next()
                        try await applier.applyAlone(step)
                        applied += 1
                    } else if !batch.add(step) {
                        try await send()
                        _ = batch.add(step)
                    }
                }
            }
            try await send()
            try await group.next()
        }
        try await applier.finish()
        return applied
    }

    /// What a command is about, by its name in the target.
    private static func subject(_ step: ReplayOperation) throws -> Namespace? {
        // The model has validated the same bytes.
        guard let command = try? BSONDocument(validating: step.object), let verb = command.keys.first,
            let name = command[verb]?.string
        else { return nil }
        if verb == "renameCollection" { return command["to"]?.string.flatMap { Namespace($0) } }
        return Namespace(database: step.namespace.database, collection: name)
    }

    // MARK: Reading

    private func forEachOperation(_ scan: OplogScan, _ body: (OplogOperation) async throws -> Void) async throws {
        try await forEachRun { run in
            for operation in try Self.operations(run, scan) { try await body(operation) }
        }
    }

    /// The operations of a run of entries that had happened at the cut, those of transactions unpacked.
    private static func operations(_ run: [UInt8], _ scan: OplogScan) throws -> [OplogOperation] {
        var operations: [OplogOperation] = []
        let span = run.span.bytes
        var places: [Range<Int>] = []
        var documents = BSONDocumentSequence(span)
        while let place = try documents.next() { places.append(place) }
        for place in places {
            let entry = try OplogEntry(span, at: place.lowerBound)
            guard scan.isInside(entry.operation.time) else { continue }
            guard entry.operation.kind == .command else {
                if entry.operation.kind != .note { operations.append(entry.operation) }
                continue
            }
            if case .operations(let packed) = try OplogCommand(entry.operation) {
                guard scan.ledger.happened(entry) else { continue }
                operations += try OplogCommand.unpack(packed.array, time: entry.operation.time)
            } else {
                operations.append(entry.operation)
            }
        }
        return operations
    }

    private func forEachRun(_ body: ([UInt8]) async throws -> Void) async throws {
        var framer = DocumentFramer()
        do {
            for try await chunk in snapshot.chunks(of: file, prefetch: Self.prefetch) {
                let run = try framer.push(chunk)
                if !run.isEmpty { try await body(run) }
            }
            try framer.finish()
        } catch let error as BSONError {
            throw RestoreFailure.damagedSnapshot("\(file.path): \(error)")
        } catch let error as RepositoryError {
            throw RestoreFailure.unreadable(error, file.path)
        }
    }
}
