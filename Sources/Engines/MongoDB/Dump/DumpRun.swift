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
    /// Read what there was at this time; nil reads what there is.
    var time: ClusterTime?
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

    /// One collection that is still to be read.
    private struct Reading {
        var entry: CatalogEntry
        var order: ScanOrder
        var mayPart = true
    }

    /// Why a collection must be read again.
    private enum Obstacle {
        case changed
        case refused(String)
    }

    /// What is still to be read, in this order.
    private struct Queue {
        var items: [Item]
        var next = 0

        mutating func take(where isWanted: (Item) -> Bool) -> Item? {
            while next < items.count {
                next += 1
                if isWanted(items[next - 1]) { return items[next - 1] }
            }
            return nil
        }
    }

    private struct State {
        var queue: Queue
        /// Items with large documents, and how many of them are being read.
        var large: Queue
        var largeUnderWay = 0
        var content: [[DumpReader.Content?]]
        var obstacles: [Obstacle?]
        var isFuzzy: [Bool]
        var begin: [ContinuousClock.Instant?]
        var duration: [Duration]
    }

    /// Readers of large documents at once: each takes several times such a document, of up to 16 MiB.
    private static let mostLarge = 2

    /// What the readers of one pass share.
    private final class Work: Sendable {
        let state: Mutex<State>
        init(_ state: State) { self.state = Mutex(state) }
    }

    /// Reads everything.
    ///
    /// - Throws: `JobFailure`, or what ended the writer; `SnapshotLost` when the time can't be read any more.
    func run(_ entries: [CatalogEntry]) async throws -> [Collection] {
        var rest = entries.map { entry in
            Reading(entry: entry, order: engine.tuning.usesRecordIDs ? .records : ScanOrder(withoutRecordsOf: entry))
        }
        var collections: [Collection] = []
        for attempt in 0... {
            let (done, broken) = try await pass(rest)
            collections += done
            if broken.isEmpty { break }
            guard attempt < engine.tuning.cursorRetries else {
                throw MongoDBFailure.schemaChanged(
                    "\(broken.map(\.0.entry.namespace.description).joined(separator: ", ")) could not be read in one go"
                )
            }
            rest = broken.map { again($0, because: $1) }
        }
        return collections.sorted { $0.entry.namespace < $1.entry.namespace }
    }

    private func again(_ reading: Reading, because obstacle: Obstacle) -> Reading {
        var reading = reading
        let namespace = reading.entry.namespace
        switch obstacle {
        case .changed:
            log(.warning, "\(namespace) changed under its readers: it is read again in one piece")
            reading.mayPart = false
        case .refused(let reason):
            reading.order = ScanOrder(withoutRecordsOf: reading.entry)
            let other = reading.order == .identifiers ? "in the order of its _id" : "in one piece"
            log(.info, "\(namespace) is read \(other), because the server doesn't scan it by record ids: \(reason)")
        }
        return reading
    }

    private func log(_ level: JobLogLevel, _ message: String) { context.log(level, "dump", message) }

    private func pass(_ readings: [Reading]) async throws -> ([Collection], [(Reading, Obstacle)]) {
        var items: [Item] = []
        var content: [[DumpReader.Content?]] = []
        let planner = try engine.connect(timeout: engine.configuration.socketTimeoutMilliseconds)
        for (index, reading) in readings.enumerated() {
            let jobs = try await plan(reading, planner)
            content.append(Array(repeating: nil, count: jobs.count))
            for (partition, job) in jobs.enumerated() {
                let weight = reading.entry.estimatedBytes / Int64(jobs.count)
                items.append(Item(collection: index, partition: partition, job: job, weight: weight))
            }
        }
        // Largest first, so that no large one is left over at the end; partitions of one collection in their order.
        items.sort { ($1.weight, $0.collection, $0.partition) < ($0.weight, $1.collection, $1.partition) }
        let state = Work(
            State(
                queue: Queue(items: items.filter { !$0.job.hasLargeDocuments }),
                large: Queue(items: items.filter(\.job.hasLargeDocuments)),
                content: content,
                obstacles: Array(repeating: nil, count: readings.count),
                isFuzzy: Array(repeating: false, count: readings.count),
                begin: Array(repeating: nil, count: readings.count),
                duration: Array(repeating: .zero, count: readings.count)
            )
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<max(1, min(readers, items.count)) {
                group.addTask { try await self.work(state) }
            }
            try await group.waitForAll()
        }
        return finish(readings, state)
    }

    private func finish(_ readings: [Reading], _ state: Work) -> ([Collection], [(Reading, Obstacle)]) {
        state.state.withLock { state in
            var done: [Collection] = []
            var broken: [(Reading, Obstacle)] = []
            for (index, reading) in readings.enumerated() {
                if let obstacle = state.obstacles[index] {
                    broken.append((reading, obstacle))
                } else {
                    done.append(
                        Collection(
                            entry: reading.entry,
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
    private func plan(_ reading: Reading, _ connection: MongoConnection) async throws -> [DumpReader.Job] {
        let entry = reading.entry
        guard let source = entry.source else { return [] }
        var job = DumpReader.Job(
            source: source,
            averageDocument: entry.averageDocument,
            order: reading.order,
            time: time
        )
        let count = PartitionPlanner.count(
            bytes: entry.estimatedBytes,
            readers: readers,
            partitionBytes: engine.tuning.partitionBytes
        )
        guard reading.mayPart, count > 1 else { return [job] }
        let boundaries: [PartitionBoundary]
        do throws(MongoError) {
            boundaries = try await PartitionPlanner.boundaries(
                source,
                reading.order,
                partitions: count,
                at: time,
                connection
            )
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
                state.state.withLock { $0.obstacles[item.collection] = .changed }
            } catch let error as RecordsRefused {
                state.state.withLock { $0.obstacles[item.collection] = .refused(error.reason) }
            }
            if item.job.hasLargeDocuments { state.state.withLock { $0.largeUnderWay -= 1 } }
        }
    }

    private func next(_ state: Work) -> Item? {
        state.state.withLock { state in
            let obstacles = state.obstacles
            func isWanted(_ item: Item) -> Bool { obstacles[item.collection] == nil }
            var item: Item?
            if state.largeUnderWay < Self.mostLarge, let large = state.large.take(where: isWanted) {
                state.largeUnderWay += 1
                item = large
            }
            // Who finds nothing here has no more to do: the readers of large documents go on with those.
            guard let item = item ?? state.queue.take(where: isWanted) else { return nil }
            state.begin[item.collection] = state.begin[item.collection] ?? .now
            return item
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
