/// A file of a snapshot: a path and the chunks that are its content, in order.
public struct SnapshotFile: Sendable, Equatable {
    /// Where it is in the snapshot: `shop/orders.bson`, without a leading slash.
    public var path: String
    /// Bytes of all chunks together.
    public var size: UInt64
    /// The chunks.
    public var content: [BlobID]
    /// When it changed last.
    ///
    /// Keep it the same for content that is the same, and unchanged trees cost nothing.
    public var modified: Timestamp
    /// POSIX permission bits.
    public var permissions: UInt32

    /// Makes a file.
    public init(
        path: String,
        size: UInt64,
        content: [BlobID],
        modified: Timestamp = .epoch,
        permissions: UInt32 = 0o644
    ) {
        self.path = path
        self.size = size
        self.content = content
        self.modified = modified
        self.permissions = permissions
    }
}

extension SnapshotWriter {
    /// Stores the directories that hold these files, innermost first.
    ///
    /// - Parameters:
    ///   - files: all files of the snapshot, in any order.
    ///   - time: the directories' times; the default never changes, so unchanged directories keep their ids.
    /// - Returns: the root directory's tree.
    /// - Throws: `RepositoryError` with code `.invalidArgument` for a path that is empty, absolute or twice there, and
    ///   `.writerState` for content that was not stored.
    @concurrent
    public func storeTree(_ files: [SnapshotFile], time: Timestamp = .epoch) async throws -> BlobID {
        let root = try failing {
            var root = Directory()
            for file in files {
                for id in file.content where !isKnown(id, .data) {
                    throw RepositoryError(
                        .writerState,
                        "refused to store file \(file.path): its chunk \(id.short) was never stored"
                    )
                }
                try root.add(file)
            }
            return root
        }
        return try await store(root, time: time)
    }

    private func store(_ directory: Directory, time: Timestamp) async throws -> BlobID {
        var nodes: [Node] = []
        for (name, entry) in directory.entries {
            switch entry {
            case .file(let file):
                var node = Node(name: name, kind: .file, mode: file.permissions & 0o777, time: file.modified)
                node.size = file.size
                node.content = file.content
                nodes.append(node)
            case .directory(let child):
                var node = Node(name: name, kind: .directory, mode: Node.directoryBit | 0o755, time: time)
                node.subtree = try await store(child, time: time)
                nodes.append(node)
            }
        }
        return try await store(Tree(nodes: nodes).json, as: .tree).id
    }
}

/// A directory while it is put together.
private struct Directory {
    enum Entry {
        case file(SnapshotFile)
        indirect case directory(Directory)
    }

    var entries: [[UInt8]: Entry] = [:]

    mutating func add(_ file: SnapshotFile) throws {
        let names = file.path.utf8.split(separator: 0x2F, omittingEmptySubsequences: false).map { Array($0) }
        for name in names {
            let isForbidden = name.isEmpty || name == [0x2E] || name == [0x2E, 0x2E] || name.contains(0)
            guard !isForbidden else {
                throw RepositoryError(
                    .invalidArgument,
                    "\"\(file.path)\" is not a path in a snapshot: use names separated by single slashes"
                )
            }
        }
        try add(file, names[...])
    }

    private mutating func add(_ file: SnapshotFile, _ names: ArraySlice<[UInt8]>) throws {
        guard let name = names.first else { return }
        func clash() -> RepositoryError {
            RepositoryError(
                .invalidArgument,
                "path \"\(file.path)\" is twice in the snapshot, or both a file and a directory"
            )
        }
        if names.count == 1 {
            guard entries.updateValue(.file(file), forKey: name) == nil else { throw clash() }
            return
        }
        var child: Directory
        switch entries.removeValue(forKey: name) {
        case nil: child = Directory()
        case .directory(let existing): child = existing
        case .file: throw clash()
        }
        try child.add(file, names.dropFirst())
        entries[name] = .directory(child)
    }
}
