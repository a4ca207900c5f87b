import ObjectStorage
import Synchronization

extension Repository {
    /// Reads the index: where every blob is.
    ///
    /// May be called again and then reads only index files that are new. When one of those read before is gone
    /// (somebody pruned), everything is read anew.
    public func loadIndex() async throws {
        let listed = Set(try await store.files(.index).map(\.id))
        let known = index.withLock { $0.files }
        guard known.isSubset(of: listed) else {
            var fresh = RepositoryIndex()
            try await readIndexFiles(listed) { fresh.add(file: $0, $1) }
            let complete = fresh
            index.withLock { $0 = complete }
            return
        }
        try await readIndexFiles(listed.subtracting(known)) { id, packs in
            index.withLock { $0.add(file: id, packs) }
        }
    }

    /// Reads index files, some at once, and hands the packs of each to `body`.
    func readIndexFiles(_ ids: Set<ObjectID>, _ body: (ObjectID, [IndexedPack]) throws -> Void) async throws {
        try await concurrently(ids, limit: 4, work: { try await self.readIndexFile($0) }, consume: body)
    }

    /// The packs in one index file.
    @concurrent
    func readIndexFile(_ id: ObjectID) async throws -> [IndexedPack] {
        let json = try await sealed.read(.index, id)
        var packs: [IndexedPack] = []
        do {
            try IndexFile.read(json) { packs.append($0) }
        } catch let error as JSONError {
            throw RepositoryError(
                .damaged,
                "index file \(FileKind.index.path(id)) in \(store.location) makes no sense",
                cause: error
            )
        }
        return packs
    }

    /// Number of blobs that the loaded index knows.
    public var indexedBlobs: Int { index.withLock { $0.data.count + $0.trees.count } }

    /// Bytes of memory that the loaded index takes.
    public var indexMemory: Int { index.withLock { $0.memory } }

    /// Whether the loaded index knows the blob.
    public func contains(_ id: BlobID, _ type: BlobType) -> Bool {
        index.withLock { $0.contains(id, type) }
    }

    /// Where the loaded index says the blob is.
    func locate(_ id: BlobID, _ type: BlobType) throws -> BlobLocation {
        guard let location = index.withLock({ $0.find(id, type) }) else {
            throw RepositoryError(
                .missing,
                "\(type) blob \(id) is in no index file of the repository in \(store.location): run a check"
            )
        }
        return location
    }
}
