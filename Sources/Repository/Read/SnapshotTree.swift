import ObjectStorage

/// All that is in a snapshot: directories, files with their chunk lists, links.
public struct SnapshotTree: Sendable {
    /// One entry with its path.
    public struct Entry: Sendable {
        /// The path's raw bytes from the snapshot's root, without a leading slash.
        public var rawPath: [UInt8]
        /// What is there.
        public var node: Node

        /// The path as text; bytes that are not UTF-8 show as U+FFFD.
        public var path: String { String(decoding: rawPath, as: UTF8.self) }
    }

    /// The root directory's tree.
    public let root: BlobID
    /// Everything, a directory before what is in it, otherwise by the bytes of the names.
    public let entries: [Entry]

    /// The regular files.
    public var files: [SnapshotFile] { entries.compactMap { file($0) } }

    /// The entry at a path; a leading slash makes no difference.
    public func entry(at path: String) -> Entry? {
        let wanted = Array(path.utf8.drop { $0 == 0x2F })
        return entries.first { $0.rawPath == wanted }
    }

    /// The regular file at a path.
    ///
    /// - Throws: `RepositoryError` with code `.notFound` when there is none.
    public func file(at path: String) throws -> SnapshotFile {
        guard let entry = entry(at: path), let file = file(entry) else {
            throw RepositoryError(.notFound, "there is no file \"\(path)\" in the snapshot: list it to see its files")
        }
        return file
    }

    private func file(_ entry: Entry) -> SnapshotFile? {
        guard entry.node.kind == .file else { return nil }
        return SnapshotFile(
            path: entry.path,
            size: entry.node.size,
            content: entry.node.content ?? [],
            modified: entry.node.modified,
            permissions: entry.node.permissions
        )
    }
}

extension Repository {
    /// Everything that is in a snapshot.
    ///
    /// The index must be loaded.
    public func files(of snapshot: SnapshotID) async throws -> SnapshotTree {
        try await tree(try await self.snapshot(snapshot).tree)
    }

    /// Everything below a tree.
    func tree(_ root: BlobID) async throws -> SnapshotTree {
        var entries: [SnapshotTree.Entry] = []
        try await walk(root, path: [], depth: 0, into: &entries)
        return SnapshotTree(root: root, entries: entries)
    }

    /// One directory.
    @concurrent
    func readTree(_ location: BlobLocation) async throws -> Tree {
        let id = location.id
        let json = try await blob(at: location)
        do {
            return try Tree(json: json)
        } catch let error as JSONError {
            throw RepositoryError(.damaged, "tree \(id) in \(store.location) makes no sense", cause: error)
        }
    }

    private func walk(_ id: BlobID, path: [UInt8], depth: Int, into entries: inout [SnapshotTree.Entry]) async throws {
        guard depth < 1000 else {
            throw RepositoryError(
                .damaged,
                "the directories of a snapshot in \(store.location) are nested deeper than 1000"
            )
        }
        for node in try await readTree(try locate(id, .tree)).nodes {
            let full = path.isEmpty ? node.name : path + [0x2F] + node.name
            entries.append(SnapshotTree.Entry(rawPath: full, node: node))
            if node.kind == .directory {
                guard let subtree = node.subtree else {
                    throw RepositoryError(
                        .damaged,
                        "directory \(String(decoding: full, as: UTF8.self)) of a snapshot has no tree"
                    )
                }
                try await walk(subtree, path: full, depth: depth + 1, into: &entries)
            }
        }
    }
}
