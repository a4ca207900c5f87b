import Repository
import Synchronization

/// A chunk that is in the repository, and its checksum.
struct StoredChunk: Sendable {
    var id: BlobID
    var bytes: Int
    var crc: UInt64
}

extension Sequence<StoredChunk> {
    /// The checksum of all chunks laid end to end.
    var checksum: CRC64 {
        var crc = CRC64()
        for chunk in self { crc.append(chunk.crc, length: chunk.bytes) }
        return crc
    }
}

/// Stores chunks for those who read, on as many cores as there are and in bounded memory.
final class ChunkStore: Sendable {
    /// Memory for the chunks of all readers.
    let pool: ChunkPool
    private let writer: SnapshotWriter
    private let slots: StoreSlots
    /// What ended the writer: seen by readers at their next chunk instead of at the end of their collection.
    private let failure = Mutex<(any Error)?>(nil)

    /// - Parameters:
    ///   - writer: Where chunks go.
    ///   - cores: How many chunks are hashed, compressed and sealed at once.
    init(_ writer: SnapshotWriter, cores: Int) {
        self.writer = writer
        slots = StoreSlots(cores, bytes: cores * DocumentChunker.maximum)
        pool = ChunkPool(mostSpare: 2 * cores)
    }

    /// Chunks by their place in their file; tasks finish in any order.
    private final class Places: Sendable {
        private let chunks = Mutex<[StoredChunk?]>([])

        func next() -> Int {
            chunks.withLock { chunks in
                chunks.append(nil)
                return chunks.count - 1
            }
        }

        func put(_ chunk: StoredChunk, at place: Int) { chunks.withLock { $0[place] = chunk } }

        var all: [StoredChunk] { chunks.withLock { $0.compactMap(\.self) } }
    }

    /// Runs `produce`, storing what it puts, and returns the chunks in the order they were put.
    func storing<Result: Sendable>(
        _ produce: ((FilledChunk) async throws -> Void) async throws -> Result
    ) async throws -> (Result, [StoredChunk]) {
        let places = Places()
        slots.enter()
        defer { slots.leave() }
        // A discarding group: the tasks of a large collection's chunks would otherwise all be kept until its end.
        let result = try await withThrowingDiscardingTaskGroup { group in
            try await produce { chunk in
                if let failure = self.failure.withLock({ $0 }) { throw failure }
                let (place, bytes) = (places.next(), chunk.memory.count)
                if self.slots.take(bytes) {
                    group.addTask {
                        defer { self.slots.give(bytes) }
                        places.put(try await self.store(chunk), at: place)
                    }
                } else {
                    places.put(try await self.store(chunk), at: place)
                }
            }
        }
        return (result, places.all)
    }

    /// Hash, compression and sealing of one chunk, on the pool's threads.
    @concurrent
    private func store(_ chunk: FilledChunk) async throws -> StoredChunk {
        do {
            let blob = try await writer.store(chunk.memory, as: .data)
            return StoredChunk(id: blob.id, bytes: chunk.memory.count, crc: chunk.crc)
        } catch {
            failure.withLock { $0 = $0 ?? error }
            throw error
        }
    }

    /// A small file in one chunk, or in none when it is empty.
    func file(_ path: String, _ bytes: [UInt8]) async throws -> SnapshotFile {
        let chunks = try await stored(bytes)
        return SnapshotFile(path: path, size: UInt64(bytes.count), content: chunks.map(\.id))
    }

    /// Stores these bytes in one chunk, or in none when there are none.
    func stored(_ bytes: [UInt8]) async throws -> [StoredChunk] {
        guard !bytes.isEmpty else { return [] }
        let memory = pool.take()
        bytes.withUnsafeBytes { memory.append($0) }
        let (_, chunks) = try await storing { try await $0(FilledChunk(memory)) }
        return chunks
    }
}
