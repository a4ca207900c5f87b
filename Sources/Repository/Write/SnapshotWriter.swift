import ObjectStorage
import Synchronization

/// Stores blobs, then the trees that name them, then a snapshot: the one way in which data gets into a repository.
///
/// Made to be called from many tasks at once; hashing, compressing and sealing run in the caller's task, packs are
/// uploaded in the background. Memory is bounded by `uploads` + 3 packs and a blob for each calling task.
///
/// A failure is final: after it every call throws the same error, so nothing that rests on lost bytes is committed.
/// What was stored up to then is only garbage that a prune finds, or that the next run uses.
public final class SnapshotWriter: Sendable {
    /// The repository that this writes to.
    public let repository: Repository
    private let options: WriterOptions
    private let contexts: ContextPool
    private let claims: Claims
    private let uploader: PackUploader

    private struct State {
        /// Packs being filled.
        var data: PackBuilder?
        var trees: PackBuilder?
        var statistics = WriterStatistics()
    }

    private let state = Mutex(State())

    init(
        _ repository: Repository,
        _ options: WriterOptions,
        after permission: (@Sendable () async throws -> Void)? = nil
    ) {
        self.repository = repository
        let options = options.sensible
        self.options = options
        contexts = ContextPool(repository.key, level: options.compressionLevel)
        claims = Claims(repository)
        uploader = PackUploader(repository.sealed, options, claims, after: permission)
    }

    /// Counters, at any time.
    public var statistics: WriterStatistics {
        var statistics = state.withLock { $0.statistics }
        uploader.count(into: &statistics)
        return statistics
    }

    /// Stores a blob if nobody has it: hash → known? → compress → seal → pack.
    ///
    /// Returns when the blob has its place in a pack; waits before that while too many packs wait for upload.
    /// Two tasks that bring the same new blob at once store it once.
    ///
    /// - Throws: the error that ended this writer, now or before; or `CancellationError` while it waits.
    @concurrent
    public func store<Bytes: BlobBytes>(_ plaintext: Bytes, as type: BlobType) async throws -> StoredBlob {
        try uploader.throwIfFailed()
        let id = try failing { try hash(plaintext) }
        let key = Claims.Key(id: id, type: type)
        if !claims.isKnown(key) {
            try await uploader.waitForRoom()
            // From the claim to the pack nothing waits, so no cancellation can lose a blob that others rely on.
            if claims.claim(key) {
                let stored = try failing { try place(plaintext, key) }
                uploader.writeIndexIfDue()
                return StoredBlob(id: id, isNew: true, storedBytes: stored)
            }
        }
        state.withLock { state in
            state.statistics.knownBlobs += 1
            state.statistics.bytesIn += UInt64(plaintext.count)
        }
        return StoredBlob(id: id, isNew: false, storedBytes: 0)
    }

    /// Makes all blobs durable and known: closes the open packs, waits for the uploads, writes the rest of the index.
    ///
    /// Everything but the snapshot file is in the store after this.
    @concurrent
    public func flush() async throws {
        try uploader.throwIfFailed()
        try failing {
            let (data, trees) = state.withLock { state in
                let open = (state.data, state.trees)
                state.data = nil
                state.trees = nil
                return open
            }
            try contexts.withContext { context in
                for pack in [data, trees] {
                    if let pack { uploader.enqueue(try pack.finish(context)) }
                }
            }
        }
        try await uploader.finish()
    }

    /// Writes the snapshot: from here on the backup exists.
    ///
    /// - Throws: `RepositoryError` with code `.writerState` unless `flush()` came after the last blob, or when the
    ///   snapshot's tree is not in the repository.
    @concurrent
    public func commit(_ snapshot: Snapshot) async throws -> SnapshotID {
        try uploader.throwIfFailed()
        let isFlushed = state.withLock { $0.data == nil && $0.trees == nil } && uploader.isFinished && claims.isEmpty
        guard isFlushed else {
            throw RepositoryError(
                .writerState,
                "refused to write a snapshot to \(repository.store.location) before its data was flushed"
            )
        }
        guard repository.contains(snapshot.tree, .tree) else {
            throw RepositoryError(
                .writerState,
                "refused to write a snapshot to \(repository.store.location) whose tree \(snapshot.tree.short) is not stored there"
            )
        }
        do {
            try await uploader.waitForPermission()
            return try await repository.sealed.write(.snapshot, snapshot.json)
        } catch {
            throw uploader.fail(error)
        }
    }

    /// Stops all uploads; every later call throws.
    ///
    /// Not needed after an error, harmless after `commit`.
    public func abandon() {
        uploader.fail(RepositoryError(.writerState, "the writer was abandoned: begin a new one"))
    }

    /// Whether the blob is in the repository or on its way by this writer.
    public func isKnown(_ id: BlobID, _ type: BlobType) -> Bool {
        claims.isKnown(Claims.Key(id: id, type: type))
    }

    /// Runs `body`; an error in it ends this writer.
    func failing<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch {
            throw uploader.fail(error)
        }
    }

    private func hash(_ plaintext: some BlobBytes) throws -> BlobID {
        guard plaintext.count > 0, plaintext.count < 1 << 31 else {
            throw RepositoryError(
                .invalidArgument,
                "can't store a blob of \(plaintext.count) bytes: 1 byte to 2 GiB go"
            )
        }
        return try contexts.withContext { context in try plaintext.withUnsafeBytes { try context.sha256($0) } }
    }

    /// Compresses and seals in the caller's task, appends to the shared pack, and closes that when it is full.
    private func place(_ plaintext: some BlobBytes, _ key: Claims.Key) throws -> Int {
        try contexts.withContext { context in
            try plaintext.withUnsafeBytes { plain in
                let room = context.sealed.reserve(plain.count + CryptoContext.overhead)
                guard let base = room.baseAddress else { throw cryptoFailure("memory") }
                let compressed = compress(plain, into: room, context)
                let content = compressed ?? plain
                let length = content.count + CryptoContext.overhead
                try context.seal(content, into: base)
                let blob = UnsafeRawBufferPointer(start: base, count: length)
                var full = append(blob, key, plainLength: plain.count, isCompressed: compressed != nil)
                while let pack = full.popLast() { uploader.enqueue(try pack.finish(context)) }
                return length
            }
        }
    }

    /// The compressed form if it is smaller, at that place of `room` where its ciphertext will be.
    private func compress(
        _ plain: UnsafeRawBufferPointer,
        into room: UnsafeMutableRawBufferPointer,
        _ context: CryptoContext
    ) -> UnsafeRawBufferPointer? {
        guard repository.version >= 2 else { return nil }
        // Room for one byte less than the plaintext: zstd gives up as soon as it can't gain anything.
        let output = UnsafeMutableRawBufferPointer(rebasing: room[CryptoContext.nonceLength...].prefix(plain.count - 1))
        guard let size = context.compressor.compress(plain, into: output) else { return nil }
        return UnsafeRawBufferPointer(rebasing: output[..<size])
    }

    /// Appends a sealed blob to the open pack of its type; gives back packs that are full now.
    private func append(
        _ sealed: UnsafeRawBufferPointer,
        _ key: Claims.Key,
        plainLength: Int,
        isCompressed: Bool
    ) -> [PackBuilder] {
        state.withLock { state in
            state.statistics.bytesIn += UInt64(plainLength)
            state.statistics.bytesAdded += UInt64(plainLength)
            state.statistics.bytesStored += UInt64(sealed.count)
            let length = isCompressed ? plainLength : nil
            if key.type == .data {
                state.statistics.newDataBlobs += 1
                return append(sealed, key, plainLength: length, to: &state.data)
            }
            state.statistics.newTreeBlobs += 1
            return append(sealed, key, plainLength: length, to: &state.trees)
        }
    }

    private func append(
        _ sealed: UnsafeRawBufferPointer,
        _ key: Claims.Key,
        plainLength: Int?,
        to open: inout PackBuilder?
    ) -> [PackBuilder] {
        var full: [PackBuilder] = []
        // Memory is reserved for a pack's size and a usual chunk; a larger one begins a pack of its own.
        let room = options.packSize + PackBuilder.slack
        if (open?.bytes.count ?? 0) + sealed.count > room, let pack = open.take() { full.append(pack) }
        if open == nil {
            // Trees are few and small mostly: their pack grows as it must.
            let isData = key.type == .data
            var storage = isData ? uploader.spareMemory() : []
            open = PackBuilder(type: key.type, storage: &storage, capacity: isData ? room : sealed.count)
        }
        open?.append(sealed, id: key.id, plainLength: plainLength)
        if let filling = open?.isFull(options.packSize), filling, let pack = open.take() { full.append(pack) }
        return full
    }
}

extension Repository {
    /// Makes a writer.
    ///
    /// Take a lock and load the index before.
    ///
    /// - Parameters:
    ///   - options: how it works.
    ///   - permission: returns when this writer may write, and throws when it must not: for a lock that is written but not
    ///     confirmed. Blobs are hashed, compressed and sealed meanwhile; nothing is stored before it has returned.
    /// - Returns: the writer.
    public func makeWriter(
        _ options: WriterOptions = WriterOptions(),
        after permission: (@Sendable () async throws -> Void)? = nil
    ) -> SnapshotWriter {
        SnapshotWriter(self, options, after: permission)
    }
}
