/// The chunks of a file, in order, verified, fetched and decoded some ahead of the reader.
///
/// Memory: `prefetch` plain chunks of the usual sizes, and the parts of packs that these came from; of larger ones fewer
/// are fetched ahead. Ending the iteration early stops all fetches.
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
    /// Plain bytes that each chunk fetched ahead may have on average: the largest usual chunk's.
    ///
    /// A chunk is larger only when it is a single large document.
    private static let bytesAhead = 4 << 20

    private let repository: Repository
    private let content: [BlobID]
    private let prefetch: Int
    private var started = 0
    private var pending: [(chunk: Task<[UInt8], any Error>, bytes: Int)] = []
    private var pendingBytes = 0
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
        for next in pending { next.chunk.cancel() }
        for task in fetches.values { task.cancel() }
    }

    func next() async throws -> [UInt8]? {
        while pending.count < prefetch, started < content.count {
            try planAhead()
            let bytes = plan.locations[started - planBegin].size
            guard pending.isEmpty || pendingBytes + bytes <= prefetch * Self.bytesAhead else { break }
            start(bytes)
        }
        guard !pending.isEmpty else { return nil }
        let (task, bytes) = pending.removeFirst()
        pendingBytes -= bytes
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

    /// Makes a plan for the next chunk and those behind it, unless there is one.
    private func planAhead() throws {
        guard started == planBegin + plan.locations.count else { return }
        let end = min(started + Self.window, content.count)
        planBegin = started
        plan = FetchPlan(try content[started..<end].map { try repository.locate($0, .data) })
        fetches = [:]
        chunksLeft = plan.extents.map(\.chunks)
    }

    /// Begins to fetch and decode the next chunk, which has so many plain bytes.
    private func start(_ bytes: Int) {
        let number = plan.extentOfChunk[started - planBegin]
        let location = plan.locations[started - planBegin]
        let extent = plan.extents[number]
        let fetch = fetches[number] ?? Task { [repository] in try await repository.fetch(extent) }
        chunksLeft[number] -= 1
        // The last chunk of an extent holds its bytes alone: they go when it is decoded.
        fetches[number] = chunksLeft[number] == 0 ? nil : fetch
        let begin = extent.range?.lowerBound ?? 0
        let chunk = Task { [repository] in try await repository.decode(location, from: fetch, begin: begin) }
        pending.append((chunk, bytes))
        pendingBytes += bytes
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
