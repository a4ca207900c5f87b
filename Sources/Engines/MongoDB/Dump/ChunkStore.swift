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

/// Stores chunks in child tasks of whoever reads, a bounded number of bytes at once.
final class ChunkStore: Sendable {
    private let writer: SnapshotWriter
    private let budget: ByteBudget
    /// What ended the writer: seen by readers at their next chunk instead of at the end of their collection.
    private let failure = Mutex<(any Error)?>(nil)

    init(_ writer: SnapshotWriter, budget: ByteBudget) {
        self.writer = writer
        self.budget = budget
    }

    /// Runs `produce`, storing what it puts while it goes on, and returns the chunks in the order they were put.
    func storing<Result>(
        _ produce: ((FilledChunk) async throws -> Void) async throws -> Result
    ) async throws -> (Result, [StoredChunk]) {
        try await withThrowingTaskGroup(of: (Int, StoredChunk).self) { group in
            var count = 0
            let result = try await produce { chunk in
                if let failure = self.failure.withLock({ $0 }) { throw failure }
                try await self.budget.take(chunk.bytes.count)
                let (index, bytes) = (count, chunk.bytes)
                count += 1
                group.addTask { (index, try await self.store(bytes)) }
            }
            var chunks = [StoredChunk?](repeating: nil, count: count)
            for try await (index, chunk) in group { chunks[index] = chunk }
            return (result, chunks.compactMap(\.self))
        }
    }

    /// Checksum, hash, compression and sealing of one chunk, on the pool's threads.
    @concurrent
    private func store(_ bytes: [UInt8]) async throws -> StoredChunk {
        defer { budget.give(bytes.count) }
        do {
            let crc = CRC64(bytes.span.bytes).value
            let blob = try await writer.store(bytes, as: .data)
            return StoredChunk(id: blob.id, bytes: bytes.count, crc: crc)
        } catch {
            failure.withLock { $0 = $0 ?? error }
            throw error
        }
    }

    /// A small file in one chunk, or in none when it is empty.
    func file(_ path: String, _ bytes: [UInt8]) async throws -> SnapshotFile {
        let (_, chunks) = try await storing { put in
            if !bytes.isEmpty { try await put(FilledChunk(bytes: bytes, documents: 0)) }
        }
        return SnapshotFile(path: path, size: UInt64(bytes.count), content: chunks.map(\.id))
    }
}
