/// What was written into one collection.
struct LoadedContent: Sendable {
    /// The documents that are there now.
    var content = DocumentChecksum()
    /// The documents in the file, those that are not there included.
    var read = DocumentChecksum()
    /// Documents of the file whose `_id` was there already, in a snapshot whose oplog decides between them.
    var superseded: Int64 = 0
    /// CRC64 of the file as far as it is known without a gap.
    private(set) var crc = CRC64()
    private var nextRun = 0
    private var laterRuns: [Int: (crc: UInt64, length: Int)] = [:]

    /// Adds what became of a run of the file's documents; runs may come in any order.
    mutating func add(_ run: LoadedRun) {
        content.add(run.content)
        read.add(run.read)
        superseded += run.superseded
        laterRuns[run.index] = (run.crc, Int(run.read.bytes))
        while let next = laterRuns.removeValue(forKey: nextRun) {
            crc.append(next.crc, length: next.length)
            nextRun += 1
        }
    }
}

/// What became of one run of documents.
struct LoadedRun: Sendable {
    /// Its place in the file.
    var index: Int
    /// CRC64 of its bytes.
    var crc: UInt64
    /// All its documents.
    var read = DocumentChecksum()
    /// Those that were written.
    var content = DocumentChecksum()
    /// Those whose `_id` was there already.
    var superseded: Int64 = 0
}
