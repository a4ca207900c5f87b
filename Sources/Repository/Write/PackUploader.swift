import ObjectStorage
import Synchronization

/// Stores finished packs in the background, a few at once, and the index files that name them afterwards.
///
/// Order: a pack is in `durable` only when the store has it, an index file names only durable packs, and only when the
/// index file is durable too do others learn of its blobs. The first failure ends everything for good.
final class PackUploader: Sendable {
    private struct State {
        var queue: [FinishedPack] = []
        /// Durable packs that no index file names.
        var durable: [IndexedPack] = []
        var durableBlobs = 0
        var lastIndex = ContinuousClock.now
        var workers: [Int: Task<Void, Never>] = [:]
        var nextWorker = 0
        var failure: (any Error)?
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
        var nextWaiter = 0
        /// Memory of stored packs, for the next ones: fresh pages cost a fault for each 4 KiB.
        var spare: [[UInt8]] = []
        var bytesUploaded: UInt64 = 0
        var packsUploaded: UInt64 = 0
        var indexFiles: UInt64 = 0
    }

    private enum Work {
        case pack(FinishedPack)
        case index([IndexedPack])
    }

    /// As in stock index files, which have about 10 MB of JSON then.
    private static let blobsPerIndex = 50_000

    private let files: SealedFiles
    private let options: WriterOptions
    private let claims: Claims
    /// Comes to its end when files may be stored; ends with this writer at the latest.
    private let permission: Task<Void, any Error>?
    private let state = Mutex(State())

    init(
        _ files: SealedFiles,
        _ options: WriterOptions,
        _ claims: Claims,
        after permission: (@Sendable () async throws -> Void)?
    ) {
        self.files = files
        self.options = options
        self.claims = claims
        self.permission = permission.map { permission in Task { try await permission() } }
    }

    deinit { permission?.cancel() }

    // MARK: For tasks that store

    /// Throws the error that ended this writer.
    func throwIfFailed() throws {
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }

    /// Ends this writer with `error`, unless it ended before; gives back the error that it ended with.
    @discardableResult
    func fail(_ error: any Error) -> any Error {
        let (failure, workers) = state.withLock { state in
            let failure = state.failure ?? error
            state.failure = failure
            state.queue = []
            state.spare = []
            return (failure, Array(state.workers.values))
        }
        permission?.cancel()
        for worker in workers { worker.cancel() }
        wakeWaiters()
        return failure
    }

    /// Waits until files may be stored; throws when they must not.
    func waitForPermission() async throws { try await permission?.value }

    /// Waits while a pack waits for its upload.
    func waitForRoom() async throws {
        try await wait { $0.queue.isEmpty }
    }

    /// Memory for a new pack.
    func spareMemory() -> [UInt8] {
        state.withLock { $0.spare.popLast() ?? [] }
    }

    /// Takes a pack over.
    ///
    /// Never waits: who filled it may be cancelled, others rely on the blobs in it.
    func enqueue(_ pack: FinishedPack) {
        state.withLock { state in
            guard state.failure == nil else { return }
            state.queue.append(pack)
            startWorker(&state)
        }
    }

    /// Has an index file written if the last one is too long ago.
    func writeIndexIfDue() {
        state.withLock { state in
            if state.failure == nil, isIndexDue(state) { startWorker(&state) }
        }
    }

    /// Adds what this counted.
    func count(into statistics: inout WriterStatistics) {
        state.withLock { state in
            statistics.bytesUploaded = state.bytesUploaded
            statistics.packsUploaded = state.packsUploaded
            statistics.indexFiles = state.indexFiles
        }
    }

    // MARK: For the end

    /// Waits until all packs are durable, then makes an index file of those that have none.
    func finish() async throws {
        try await wait { $0.workers.isEmpty && $0.queue.isEmpty }
        let packs = takeDurable()
        guard !packs.isEmpty else { return }
        do {
            try await writeIndex(packs)
        } catch {
            throw fail(error)
        }
    }

    /// Whether nothing is on its way and every durable pack is indexed.
    var isFinished: Bool {
        state.withLock { $0.workers.isEmpty && $0.queue.isEmpty && $0.durable.isEmpty && $0.failure == nil }
    }

    // MARK: Workers

    private func startWorker(_ state: inout State) {
        guard state.workers.count < options.uploads else { return }
        let number = state.nextWorker
        state.nextWorker += 1
        state.workers[number] = Task { await self.work(number) }
    }

    @concurrent
    private func work(_ number: Int) async {
        while let next = nextWork(number) {
            wakeWaiters()  // the queue is shorter now
            do {
                switch next {
                case .pack(let pack): try await upload(pack)
                case .index(let packs): try await writeIndex(packs)
                }
            } catch {
                fail(error)
            }
        }
        wakeWaiters()
    }

    private func nextWork(_ number: Int) -> Work? {
        state.withLock { state in
            if state.failure == nil {
                if isIndexDue(state) { return .index(takeDurable(&state)) }
                if !state.queue.isEmpty { return .pack(state.queue.removeFirst()) }
            }
            state.workers[number] = nil
            return nil
        }
    }

    private func upload(_ pack: consuming FinishedPack) async throws {
        let count = pack.bytes.count
        try await waitForPermission()
        try await files.store.write(.pack, pack.index.id, pack.bytes)
        let index = pack.index
        let memory = pack.bytes
        state.withLock { state in
            state.durable.append(index)
            state.durableBlobs += index.blobs.count
            state.bytesUploaded += UInt64(count)
            state.packsUploaded += 1
            // With those that wait or are stored at the same moment, never more than without spare ones.
            let isWanted = state.spare.count + state.queue.count + state.workers.count <= options.uploads
            if state.failure == nil, isWanted, count >= options.packSize { state.spare.append(memory) }
        }
    }

    private func writeIndex(_ packs: [IndexedPack]) async throws {
        let (id, sealed) = try files.encode(IndexFile.write(packs))
        try await waitForPermission()
        try await files.store.write(.index, id, sealed)
        claims.indexed(id, packs)
        state.withLock { state in
            state.bytesUploaded += UInt64(sealed.count)
            state.indexFiles += 1
        }
    }

    private func isIndexDue(_ state: State) -> Bool {
        if state.durable.isEmpty { return false }
        return state.durable.count >= options.packsPerIndex || state.durableBlobs >= Self.blobsPerIndex
            || ContinuousClock.now - state.lastIndex >= options.indexInterval
    }

    private func takeDurable(_ state: inout State) -> [IndexedPack] {
        defer {
            state.durable = []
            state.durableBlobs = 0
            state.lastIndex = .now
        }
        return state.durable
    }

    private func takeDurable() -> [IndexedPack] { state.withLock { takeDurable(&$0) } }

    // MARK: Waiting

    /// Waits until `isReady`, or throws the error that ended this writer, or that the task was cancelled.
    private func wait(until isReady: @Sendable (borrowing State) -> Bool) async throws {
        while true {
            try Task.checkCancellation()
            let ticket: Int? = try state.withLock { state in
                if let failure = state.failure { throw failure }
                if isReady(state) { return nil }
                state.nextWaiter += 1
                return state.nextWaiter
            }
            guard let ticket else { return }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    // What was waited for may have come, or the task been cancelled, since the look above.
                    let isOver = state.withLock { state in
                        if state.failure != nil || isReady(state) || Task.isCancelled { return true }
                        state.waiters[ticket] = continuation
                        return false
                    }
                    if isOver { continuation.resume() }
                }
            } onCancel: {
                state.withLock { $0.waiters.removeValue(forKey: ticket) }?.resume()
            }
        }
    }

    private func wakeWaiters() {
        let waiters = state.withLock { state in
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.resume() }
    }
}
