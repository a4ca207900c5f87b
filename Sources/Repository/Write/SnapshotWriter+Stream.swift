extension SnapshotWriter {
    /// Stores a stream of bytes, cut by its content, as one file.
    ///
    /// - Parameters:
    ///   - stream: parts of any size.
    ///   - path: where the file is to be in the snapshot.
    ///   - parallelism: chunks that are hashed, compressed and sealed at once; each has up to 4 MiB.
    ///   - modified: the file's time.
    /// - Returns: the file, for `storeTree`.
    /// - Throws: the error that ended this writer, or that of the stream.
    @concurrent
    public func storeStream<Stream: AsyncSequence & Sendable>(
        _ stream: Stream,
        path: String,
        parallelism: Int = 2,
        modified: Timestamp = .epoch
    ) async throws -> SnapshotFile where Stream.Element == [UInt8] {
        let chunker = try failing { try StreamChunker(key: try repository.streamChunkKey) }
        var content: [BlobID] = []
        var size: UInt64 = 0
        try await withThrowingTaskGroup(of: (Int, BlobID).self) { group in
            var started = 0
            var finished = 0
            func receive() async throws {
                guard let (number, id) = try await group.next() else { return }
                content[number] = id
                finished += 1
            }
            func begin(_ chunk: [UInt8]) async throws {
                while started - finished >= max(1, parallelism) { try await receive() }
                let number = started
                started += 1
                size += UInt64(chunk.count)
                content.append(.zero)
                group.addTask { (number, try await self.store(chunk, as: .data).id) }
            }
            var buffer = StreamBuffer()
            for try await part in stream {
                buffer.append(part)
                while let chunk = buffer.next(chunker, isEnd: false) { try await begin(chunk) }
            }
            while let chunk = buffer.next(chunker, isEnd: true) { try await begin(chunk) }
            while finished < started { try await receive() }
        }
        return SnapshotFile(path: path, size: size, content: content, modified: modified)
    }
}

/// Bytes of a stream that are not in a chunk yet.
struct StreamBuffer {
    private var bytes: [UInt8] = []
    private var begin = 0

    mutating func append(_ part: [UInt8]) {
        // What was cut off is dropped now and then, so that each byte moves once at most.
        if begin >= 8 << 20 || begin == bytes.count {
            bytes.removeFirst(begin)
            begin = 0
        }
        bytes += part
    }

    /// The next chunk, or nil until more bytes are there.
    mutating func next(_ chunker: StreamChunker, isEnd: Bool) -> [UInt8]? {
        let count = bytes.count - begin
        guard count > 0, isEnd || count >= chunker.maximum else { return nil }
        let length = bytes.withUnsafeBytes { chunker.cut(UnsafeRawBufferPointer(rebasing: $0[begin...])) }
        defer { begin += length }
        return Array(bytes[begin..<begin + length])
    }
}
