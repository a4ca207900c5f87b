/// Objects as files below a directory, in the layout that restic's local back end has.
///
/// A put writes a temporary file beside its target, syncs it, renames it and syncs the directory, in this order: a reader
/// sees the whole object or none, whatever moment the writer or the machine dies at. What a dead writer left behind is
/// a temporary file that `list` doesn't show and that a later writer into the same directory removes.
///
/// A put that must find nothing there gives the finished file its name by `link`, or by a rename that doesn't replace;
/// on file systems that have neither (some FUSE and network ones) by a plain rename under a lock on a file beside it,
/// which decides among writers on one machine, and among several only where the file system shares its locks.
///
/// Files are made readable for their owner only (mode 0600, directories 0700). File calls block, so they run on up to
/// eight threads of the store's own, eight puts at a time.
public struct DirectoryStore: ObjectStore {
    /// The directory.
    public let path: String
    private let files: DirectoryFiles
    private let work: BlockingWork

    /// Makes a store; creates nothing until the first put.
    ///
    /// - Parameter path: the directory, absolute or relative to the working directory.
    /// - Throws: `ObjectStorageError` with code `.invalidConfiguration` for a path that no directory can have.
    public init(path: String) throws {
        try self.init(path: path, claims: NameClaim.allCases)
    }

    init(path: String, claims: [NameClaim]) throws {
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw ObjectStorageError(
                .invalidConfiguration,
                "cannot open a directory as object store: the path is empty or holds a NUL byte; give a path such as /var/backups"
            )
        }
        var trimmed = path
        while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
        self.path = trimmed
        files = DirectoryFiles(root: trimmed, claims: claims)
        work = BlockingWork(label: "directory-store", limit: 8)
    }

    /// Where this is, for people.
    public var location: String { path }

    /// Stores `bytes` under `key`; it is on stable storage when this returns.
    public func put(_ key: String, _ bytes: [UInt8], options: PutOptions) async throws {
        try ObjectKey.validate(key)
        try await work.run { [files] in
            try files.write(key, bytes, ifAbsent: options.ifAbsent)
        }
    }

    /// The object's bytes, or those of `range`.
    public func get(_ key: String, range: Range<Int>?) async throws -> [UInt8] {
        try ObjectKey.validate(key)
        return try await work.run { [files] in
            try files.read(key, range: range)
        }
    }

    /// Size of one object.
    public func stat(_ key: String) async throws -> ObjectInfo {
        try ObjectKey.validate(key)
        return try await work.run { [files] in
            ObjectInfo(key: key, size: try files.size(of: key))
        }
    }

    /// All objects whose key begins with `prefix`; none when the directory doesn't exist.
    public func list(prefix: String) async throws -> [ObjectInfo] {
        try ObjectKey.validate(prefix: prefix)
        return try await work.run { [files] in
            try files.list(prefix: prefix)
        }
    }

    /// Removes an object; succeeds when there is none.
    ///
    /// The removal itself isn't synced: an object that comes back after a power failure is garbage that `prune` finds.
    public func delete(_ key: String) async throws {
        try ObjectKey.validate(key)
        try await work.run { [files] in
            try files.remove(key)
        }
    }
}
