/// The chunks of a file, in order, verified, fetched and decoded some ahead of the reader.
///
/// Memory: `prefetch` plain chunks, and the parts of packs that these came from. Ending the iteration early stops all
/// fetches.
public struct ChunkSequence: AsyncSequence, Sendable {
    /// A chunk's plaintext.
    public typealias Element = [UInt8]

    let repository: Repository
    let content: [BlobID]
    let prefetch: Int

    /// Begins to read.
    public func makeAsyncIterator() -> Iterator {
        Iterator(state: ChunkPipeline(repository, content, Swift.max(1, prefetch)))
    }

    /// Reads one file from its begin to its end.
    public struct Iterator: AsyncIteratorProtocol {
        let state: ChunkPipeline

        /// The next chunk, or nil after the last.
        ///
        /// - Throws: `RepositoryError` for a chunk that is missing or damaged; nothing follows it.
        public mutating func next() async throws -> [UInt8]? { try await state.next() }
    }
}

/// What an iteration has under way.
///
/// Used by one task at a time, like the iterator that owns it.
final class ChunkPipeline {
    /// Chunks that are planned together.
    private static let window = 64

    private let repository: Repository
    private let content: [BlobID]
    private let prefetch: Int
    private var started = 0
    private var pending: [Task<[UInt8], any Error>] = []
    private var plan = FetchPlan([])
    private var planBegin = 0
    private var fetches: [Int: Task<[UInt8], any Error>] = [:]
    private var chunksLeft: [Int] = []

    init(_ repository: Repository, _ content: [BlobID], _ prefetch: Int) {
        self.repository = repository
        self.content = content
        self.prefetch = prefetch
        repository.packCache.beginReading()
    }

    deinit {
        cancel()
        repository.packCache.endReading()
    }

    private func cancel() {
        for task in pending { task.cancel() }
        for task in fetches.values { task.cancel() }
    }

    func next() async throws -> [UInt8]? {
        while pending.count < prefetch, started < content.count { try start() }
        guard !pending.isEmpty else { return nil }
        let task = pending.removeFirst()
        do {
            return try await withTaskCancellationHandler {
                try await task.value
            } onCancel: {
                task.cancel()
            }
        } catch {
            cancel()
            started = content.count
            pending = []
            throw error
        }
    }

    /// Begins to fetch and decode the next chunk.
    private func start() throws {
        if started == planBegin + plan.locations.count {
            let end = min(started + Self.window, content.count)
            planBegin = started
            plan = FetchPlan(try content[started..<end].map { try repository.locate($0, .data) })
            fetches = [:]
            chunksLeft = plan.extents.map(\.chunks)
        }
        let number = plan.extentOfChunk[started - planBegin]
        let location = plan.locations[started - planBegin]
        let extent = plan.extents[number]
        let fetch = fetches[number] ?? Task { [repository] in try await repository.fetch(extent) }
        chunksLeft[number] -= 1
        // The last chunk of an extent holds its bytes alone: they go when it is decoded.
        fetches[number] = chunksLeft[number] == 0 ? nil : fetch
        let begin = extent.range?.lowerBound ?? 0
        pending.append(Task { [repository] in try await repository.decode(location, from: fetch, begin: begin) })
        started += 1
    }
}

extension Repository {
    /// The chunks of a file in order, fetched and decoded ahead.
    ///
    /// The index must be loaded.
    ///
    /// - Parameters:
    ///   - content: the file's chunks.
    ///   - prefetch: chunks that are under way at once; plain chunks have about 1 MiB.
    /// - Returns: the chunks' plaintexts.
    public func chunks(_ content: [BlobID], prefetch: Int = 8) -> ChunkSequence {
        ChunkSequence(repository: self, content: content, prefetch: prefetch)
    }

    @concurrent
    fileprivate func fetch(_ extent: FetchPlan.Extent) async throws -> [UInt8] {
        guard let range = extent.range else { return try await packCache.pack(extent.pack) }
        return try await read(extent.pack, range)
    }

    @concurrent
    fileprivate func decode(
        _ location: BlobLocation,
        from fetch: Task<[UInt8], any Error>,
        begin: Int
    ) async throws -> [UInt8] {
        let bytes = try await withTaskCancellationHandler {
            try await fetch.value
        } onCancel: {
            fetch.cancel()
        }
        try Task.checkCancellation()
        return try decode(location, in: bytes, begin: begin)
    }
}
