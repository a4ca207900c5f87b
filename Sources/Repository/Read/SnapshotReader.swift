/// Reads one snapshot: what is in it, and the bytes of its files.
public struct SnapshotReader: Sendable {
    /// The repository that it is in.
    public let repository: Repository
    /// The snapshot's id.
    public let id: SnapshotID
    /// The snapshot.
    public let snapshot: Snapshot
    /// All that is in it.
    public let tree: SnapshotTree

    /// The regular files.
    public var files: [SnapshotFile] { tree.files }

    /// The regular file at a path.
    ///
    /// - Throws: `RepositoryError` with code `.notFound` when there is none.
    public func file(at path: String) throws -> SnapshotFile { try tree.file(at: path) }

    /// The chunks of a file in order, fetched and decoded ahead of the reader.
    ///
    /// - Parameters:
    ///   - file: a file of this snapshot.
    ///   - prefetch: chunks that are under way at once; plain chunks have about 1 MiB.
    /// - Returns: the chunks' plaintexts.
    public func chunks(of file: SnapshotFile, prefetch: Int = 8) -> ChunkSequence {
        repository.chunks(file.content, prefetch: prefetch)
    }

    /// One chunk, verified.
    public func blob(_ id: BlobID) async throws -> [UInt8] { try await repository.blob(id, .data) }

    /// The whole of a file that is small enough for memory.
    ///
    /// - Parameters:
    ///   - path: where the file is.
    ///   - limit: the largest size that is taken.
    /// - Returns: the file's bytes.
    /// - Throws: `RepositoryError` when it isn't there, is larger, or is damaged.
    public func read(_ path: String, limit: Int = 64 << 20) async throws -> [UInt8] {
        let file = try file(at: path)
        var bytes: [UInt8] = []
        for try await chunk in chunks(of: file, prefetch: 4) {
            bytes += chunk
            guard bytes.count <= limit else {
                throw RepositoryError(
                    .invalidArgument,
                    "file \"\(path)\" of the snapshot is longer than \(limit) bytes"
                )
            }
        }
        try file.demandSize(UInt64(bytes.count))
        return bytes
    }

    /// Hands the bytes of a file to `body` in order, chunk by chunk.
    public func read(_ path: String, into body: ([UInt8]) async throws -> Void) async throws {
        let file = try file(at: path)
        var size: UInt64 = 0
        for try await chunk in chunks(of: file) {
            size += UInt64(chunk.count)
            try await body(chunk)
        }
        try file.demandSize(size)
    }
}

extension SnapshotFile {
    /// Throws unless all chunks together have the size that the tree names.
    func demandSize(_ actual: UInt64) throws {
        guard actual == size else {
            throw RepositoryError(
                .damaged,
                "file \"\(path)\" of the snapshot has \(actual) bytes of content, but its size says \(size)"
            )
        }
    }
}

extension Repository {
    /// Opens a snapshot for reading.
    ///
    /// The index must be loaded.
    public func reader(of id: SnapshotID) async throws -> SnapshotReader {
        let snapshot = try await self.snapshot(id)
        return SnapshotReader(repository: self, id: id, snapshot: snapshot, tree: try await tree(snapshot.tree))
    }
}
