import BSON
import BackupModel
import Repository
import Synchronization

/// Reads all collections of a catalog, several at once and large ones in partitions, largest first.
struct DumpRun: Sendable {
    /// One collection with its content.
    struct Collection: Sendable {
        var entry: CatalogEntry
        var partitions: [DumpReader.Content]
        /// Some of it was read without the lock.
        var isFuzzy: Bool
        var duration: Duration
    }

    let engine: MongoDBEngine
    let store: ChunkStore
    let progress: DumpProgress
    let context: any JobContext
    let chunkKey: [UInt8]
    let readers: Int
    /// Whether what is read now is protected from changes.
    let isLocked: @Sendable () async -> Bool
    /// Whether an oplog will tell what changes meanwhile.
    let hasOplog: Bool

    /// How many readers a member beside this agent bears: as many as there are cores for them to use.
    static func defaultReaders(cores: Int) -> Int { max(2, min(8, cores)) }

    private struct Item: Sendable {
        var collection: Int
        var partition: Int
        var job: DumpReader.Job
        var weight: Int64
    }

    private struct State {
        var queue: [Item]
        var content: [[DumpReader.Content?]]
        var isBroken: [Bool]
        var isFuzzy: [Bool]
        var begin: [ContinuousClock.Instant?]
        var duration: [Duration]
        var next = 0
    }

    /// What the readers of one pass share.
    private final class Work: Sendable {
        let state: Mutex<State>
        init(_ state: State) { self.state = Mutex(state) }
    }

    /// Reads everything.
    ///
    /// - Throws: `JobFailure`, or what ended the writer.
    func run(_ entries: [CatalogEntry]) async throws -> [Collection] {
        var rest = entries
        var collections: [Collection] = []
        var mayPart = true
        for attempt in 0... {
            let (done, broken) = try await pass(rest, mayPart: mayPart)
            collections += done
            if broken.isEmpty { break }
            guard attempt < engine.tuning.cursorRetries else {
                throw MongoDBFailure.schemaChanged(
                    "\(broken.map(\.namespace.description).joined(separator: ", ")) could not be read in one go"
                )
            }
            for entry in broken {
                log(.warning, "\(entry.namespace) changed under its readers: it is read again in one piece")
            }
            rest = broken
            mayPart = false
        }
        return collections.sorted { $0.entry.namespace < $1.entry.namespace }
    }

    private func log(_ level: JobLogLevel, _ message: String) { context.log(level, "dump", message) }

    private func pass(_ entries: [CatalogEntry], mayPart: Bool) async throws -> ([Collection], [CatalogEntry]) {
        var items: [Item] = []
        var content: [[DumpReader.Content?]] = []
        let planner = try engine.connect(timeout: engine.configuration.socketTimeoutMilliseconds)
        for (index, entry) in entries.enumerated() {
            let jobs = try await plan(entry, planner, mayPart: mayPart)
            content.append(Array(repeating: nil, count: jobs.count))
            for (partition, job) in jobs.enumerated() {
                let weight = entry.estimatedBytes / Int64(jobs.count)
                items.append(Item(collection: index, partition: partition, job: job, weight: weight))
            }
        }
        // Largest first, so that no large one is left over at the end; partitions of one collection in their order.
        items.sort { ($1.weight, $0.collection, $0.partition) < ($0.weight, $1.collection, $1.partition) }
        let state = Work(
            State(
                queue: items,
                content: content,
                isBroken: Array(repeating: false, count: entries.count),
                isFuzzy: Array(repeating: false, count: entries.count),
                begin: Array(repeating: nil, count: entries.count),
                duration: Array(repeating: .zero, count: entries.count)
            )
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<max(1, min(readers, items.count)) {
                group.addTask { try await self.work(state) }
            }
            try await group.waitForAll()
        }
        return finish(entries, state)
    }

    private func finish(_ entries: [CatalogEntry], _ state: Work) -> ([Collection], [CatalogEntry]) {
        state.state.withLock { state in
            var done: [Collection] = []
            var broken: [CatalogEntry] = []
            for (index, entry) in entries.enumerated() {
                if state.isBroken[index] {
                    broken.append(entry)
                } else {
                    done.append(
                        Collection(
                            entry: entry,
                            partitions: state.content[index].compactMap(\.self),
                            isFuzzy: state.isFuzzy[index],
                            duration: state.duration[index]
                        )
                    )
                }
            }
            return (done, broken)
        }
    }

    /// Where a collection is parted; one job when it isn't, none for a view.
    private func plan(_ entry: CatalogEntry, _ connection: MongoConnection, mayPart: Bool) async throws
        -> [DumpReader.Job]
    {
        guard let source = entry.source else { return [] }
        var job = DumpReader.Job(source: source, averageDocument: entry.averageDocument)
        let count = PartitionPlanner.count(
            bytes: entry.estimatedBytes,
            readers: readers,
            partitionBytes: engine.tuning.partitionBytes
        )
        guard mayPart, count > 1 else { return [job] }
        let boundaries: [PartitionBoundary]
        do throws(MongoError) {
            boundaries = try await PartitionPlanner.boundaries(source, partitions: count, connection)
        } catch {
            log(.warning, "\(entry.namespace) is read in one piece, because it could not be sampled: \(error)")
            return [job]
        }
        let seams = boundaries.map { _ in DumpSeam() }
        var jobs: [DumpReader.Job] = []
        for index in 0...boundaries.count {
            job.start = index > 0 ? boundaries[index - 1] : nil
            job.startSeam = index > 0 ? seams[index - 1] : nil
            job.end = index < boundaries.count ? boundaries[index] : nil
            job.endSeam = index < boundaries.count ? seams[index] : nil
            jobs.append(job)
        }
        return jobs
    }

    private func work(_ state: Work) async throws {
        var reader = try DumpReader(
            engine: engine,
            store: store,
            progress: progress,
            chunkKey: chunkKey,
            toleratesDrops: { [isLocked, hasOplog] in
                let locked = await isLocked()
                return hasOplog && !locked
            },
            log: { [context] in context.log($0, "dump", $1) }
        )
        while let item = next(state) {
            try Task.checkCancellation()
            do {
                let content = try await reader.read(item.job)
                let isFuzzy = await !isLocked()
                finish(item, content, isFuzzy: isFuzzy, state)
            } catch is PartitionsDisagree {
                state.state.withLock { $0.isBroken[item.collection] = true }
            }
        }
    }

    private func next(_ state: Work) -> Item? {
        state.state.withLock { state in
            while state.next < state.queue.count {
                let item = state.queue[state.next]
                state.next += 1
                guard !state.isBroken[item.collection] else { continue }
                state.begin[item.collection] = state.begin[item.collection] ?? .now
                return item
            }
            return nil
        }
    }

    private func finish(
        _ item: Item,
        _ content: DumpReader.Content,
        isFuzzy: Bool,
        _ state: Work
    ) {
        let duration = state.state.withLock { state -> Duration? in
            state.content[item.collection][item.partition] = content
            if isFuzzy { state.isFuzzy[item.collection] = true }
            guard state.content[item.collection].allSatisfy({ $0 != nil }) else { return nil }
            let duration = state.begin[item.collection].map { $0.duration(to: .now) } ?? .zero
            state.duration[item.collection] = duration
            return duration
        }
        guard let duration else { return }
        // Thousands of small collections would drown what matters.
        let level: JobLogLevel = content.bytes >= 16 << 20 || item.partition > 0 ? .info : .debug
        log(level, "read \(item.job.source) in \(seconds(duration))")
    }
}
