import Glibc

/// What a restore to a directory made.
public struct RestoreReport: Sendable, Equatable {
    /// Regular files.
    public var files = 0
    /// Directories.
    public var directories = 0
    /// Symbolic links.
    public var links = 0
    /// Bytes of all files.
    public var bytes: UInt64 = 0
    /// Paths of devices, pipes and sockets, which are not restored.
    public var skipped: [String] = []
}

extension SnapshotReader {
    /// Restores everything to a directory that doesn't exist yet or is empty.
    ///
    /// - Parameters:
    ///   - directory: where to.
    ///   - progress: called with the bytes written since the last call.
    /// - Returns: what was made.
    /// - Throws: `RepositoryError`; what was restored up to then stays.
    public func restore(
        to directory: String,
        progress: @escaping @Sendable (Int) -> Void = { _ in }
    ) async throws -> RestoreReport {
        let local = RestoreFiles(target: directory)
        let queue = BlockingQueue()
        var report = RestoreReport()
        let entries = tree.entries
        for entry in entries { try entry.demandSafeName() }
        try await queue.run {
            try local.makeTarget()
            for entry in entries where entry.node.kind == .directory { try local.makeDirectory(entry) }
        }
        // One sequence over all files, so that small files that share a pack are fetched together.
        let files = entries.filter { $0.node.kind == .file }
        var chunks = repository.chunks(files.flatMap { $0.node.content ?? [] }).makeAsyncIterator()
        for file in files {
            try Task.checkCancellation()
            report.bytes += try await restore(file, local, queue, &chunks, progress)
            report.files += 1
        }
        for entry in entries {
            switch entry.node.kind {
            case .file: break
            case .directory: report.directories += 1
            case .symlink:
                try await queue.run {
                    try local.makeLink(entry)
                    try local.setMetadata(entry)
                }
                report.links += 1
            default: report.skipped.append(entry.path)
            }
        }
        // Innermost first: making something in a directory changes its time.
        try await queue.run {
            for entry in entries.reversed() where entry.node.kind == .directory { try local.setMetadata(entry) }
        }
        return report
    }

    private func restore(
        _ entry: SnapshotTree.Entry,
        _ local: RestoreFiles,
        _ queue: BlockingQueue,
        _ chunks: inout ChunkSequence.Iterator,
        _ progress: @Sendable (Int) -> Void
    ) async throws -> UInt64 {
        let descriptor = try await queue.run { try local.makeFile(entry) }
        var size: UInt64 = 0
        do {
            for _ in entry.node.content ?? [] {
                guard let chunk = try await chunks.next() else {
                    throw RepositoryError(.damaged, "file \(entry.path) of the snapshot ends early")
                }
                try await queue.run { try LocalFile.writeAll(chunk, to: descriptor, name: entry.path) }
                size += UInt64(chunk.count)
                progress(chunk.count)
            }
        } catch {
            close(descriptor)
            throw error
        }
        // Some file systems tell only here that a write failed.
        guard close(descriptor) == 0 else { throw LocalFile.error("write", entry.path) }
        guard size == entry.node.size else {
            throw RepositoryError(
                .damaged,
                "file \"\(entry.path)\" of the snapshot has \(size) bytes of content, but its size says \(entry.node.size)"
            )
        }
        try await queue.run { try local.setMetadata(entry) }
        return size
    }

    /// Writes the bytes of one file to an open descriptor, which stays open.
    public func dump(_ path: String, to descriptor: Int32) async throws {
        let queue = BlockingQueue()
        try await read(path) { chunk in
            try await queue.run { try LocalFile.writeAll(chunk, to: descriptor, name: "the output") }
        }
    }
}

extension Repository {
    /// Restores a snapshot to a directory that doesn't exist yet or is empty.
    ///
    /// The index must be loaded.
    public func restore(_ snapshot: SnapshotID, to directory: String) async throws -> RestoreReport {
        try await reader(of: snapshot).restore(to: directory)
    }

    /// Writes one file of a snapshot to an open descriptor.
    ///
    /// The index must be loaded.
    public func dump(_ snapshot: SnapshotID, path: String, to descriptor: Int32) async throws {
        try await reader(of: snapshot).dump(path, to: descriptor)
    }
}

extension SnapshotTree.Entry {
    /// Throws for names that would lead somewhere else than into their directory.
    func demandSafeName() throws {
        let name = node.name
        guard !name.isEmpty, name != [0x2E], name != [0x2E, 0x2E], !name.contains(0x2F), !name.contains(0) else {
            throw RepositoryError(.damaged, "the snapshot has an entry with the impossible name \"\(path)\"")
        }
    }
}
