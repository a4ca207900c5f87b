import BSON

/// One chunk that a reader has filled: whole documents.
struct FilledChunk: Sendable {
    let memory: ChunkMemory
    let crc: UInt64

    /// Takes the memory over: nothing may be appended any more.
    init(_ memory: ChunkMemory) {
        self.memory = memory
        crc = memory.checksum().value
    }
}

/// How far a batch has been taken: a scan gives back one chunk at a time, so that few of them lie in memory.
struct BatchPlace: Sendable {
    fileprivate var isBegun = false
    /// The partition's boundary is in this batch.
    fileprivate var reaches = false
    /// The last document that was seen.
    fileprivate var last: Range<Int>?
}

/// Cuts a stream of batches into chunks and finds where this partition begins and ends.
///
/// No input or output of its own: it is given batches and gives back chunks, so it can be tested without a server.
struct DumpScan {
    private let chunker: DocumentChunker
    /// The partition's last document is the first strong one beyond this; nil reads to the end.
    private let boundary: PartitionBoundary?
    private let startSeam: DumpSeam?
    private let endSeam: DumpSeam?

    /// Documents are passed over up to the first strong one, which is still the partition's before.
    private var isSkipping: Bool
    /// The boundary has been reached.
    private var isBeyondBoundary = false
    /// The `_id` element of the document that the next one to come may be once more.
    private var passedOver: [UInt8]?
    /// The `_id` element of the last document of the last batch.
    private(set) var lastSeen: [UInt8]?
    private let pool: ChunkPool
    /// The chunk that is being filled.
    private var memory: ChunkMemory?
    private var bufferedDocuments = 0
    /// Where the newest document begins in the memory.
    private var lastStart = 0
    /// Nothing more belongs to this partition.
    private(set) var isFinished = false
    /// Documents that went by, this partition's or not.
    private(set) var seen = 0
    /// Documents that belong to this partition.
    private(set) var documents: Int64 = 0
    private(set) var bytes: Int64 = 0
    /// First and last `_id` element: type byte, name and value.
    private(set) var firstIdentity: [UInt8]?
    private(set) var lastIdentity: [UInt8]?

    /// - Parameters:
    ///   - chunker: Decides where chunks end.
    ///   - startSeam: Where the partition before ends; nil at the start of the collection.
    ///   - boundary: Where the partition ends: behind the first strong document beyond it.
    ///   - endSeam: Where the next one begins; nil at the end of the collection.
    ///   - pool: Memory for chunks.
    init(
        chunker: DocumentChunker,
        startSeam: DumpSeam?,
        boundary: PartitionBoundary?,
        endSeam: DumpSeam?,
        pool: ChunkPool
    ) {
        self.pool = pool
        self.chunker = chunker
        self.startSeam = startSeam
        self.boundary = boundary
        self.endSeam = endSeam
        isSkipping = startSeam != nil
    }

    /// Goes on with one batch up to the end of a chunk, which it returns, or to its own end; then it returns nil.
    ///
    /// - Throws: `BSONError` for bytes that are no documents, `PartitionsDisagree`.
    mutating func take(_ batch: MongoBatch, from place: inout BatchPlace) throws -> FilledChunk? {
        if !place.isBegun {
            place.isBegun = true
            lastSeen = nil
            // Only the batch that holds the boundary is searched for it.
            if case .record(let end, _, _)? = boundary, !isBeyondBoundary {
                guard let token = batch.resumeToken else { throw PartitionsDisagree() }
                if let position = RecordPosition(token) { place.reaches = position >= end }
            }
        }
        var chunk: FilledChunk?
        try batch.withDocuments(from: place.last?.upperBound) { span, walk in
            while chunk == nil, !isFinished, let range = try walk.next() {
                chunk = try take(span, range, reaches: place.reaches)
                place.last = range
            }
            if chunk == nil, let last = place.last,
                let element = try BSONView.idElement(span, documentAt: last.lowerBound)
            {
                lastSeen = BSONDocument.copy(span, element.key.lowerBound - 1..<element.value.upperBound)
            }
        }
        if chunk == nil, place.reaches, !isBeyondBoundary { throw PartitionsDisagree() }
        return chunk
    }

    /// What comes now lies beyond the boundary.
    mutating func passBoundary() { isBeyondBoundary = true }

    /// Leaves the next document out if it has this `_id` element: a read that is taken up again begins with it.
    mutating func passOver(_ identity: [UInt8]?) { passedOver = identity }

    /// Called when the collection has no more documents.
    ///
    /// - Returns: The last chunk, if there is one.
    mutating func finish() throws -> FilledChunk? {
        guard !isFinished else { return nil }
        isFinished = true
        if boundary != nil, !isBeyondBoundary { throw PartitionsDisagree() }
        if isSkipping { try startSeam?.agree(.end) }
        try endSeam?.agree(.end)
        return try cut()
    }

    @inline(__always)
    private mutating func take(
        _ span: RawSpan,
        _ range: Range<Int>,
        reaches: Bool
    ) throws -> FilledChunk? {
        seen += 1
        let element = try BSONView.idElement(span, documentAt: range.lowerBound)
        // Without an `_id` (only possible in odd old collections) the whole document stands for itself.
        let identity = element.map { $0.key.lowerBound - 1..<$0.value.upperBound } ?? range
        if let known = passedOver {
            passedOver = nil
            if BSONDocument.copy(span, identity) == known { return nil }
        }
        let end = chunker.end(span, identity: identity, documentLength: range.count)
        let wasBeyond = isBeyondBoundary
        if reaches, !isBeyondBoundary, case .record(_, _, let known)? = boundary, let element {
            isBeyondBoundary = Self.matches(span, element, known)
        }
        if isSkipping {
            guard case .strong = end else { return nil }
            let place = DumpSeam.Place.document(BSONDocument.copy(span, identity))
            try startSeam?.agree(place)
            isSkipping = false
            if wasBeyond {
                try endSeam?.agree(place)
                isFinished = true
            }
            return nil
        }
        let memory = self.memory ?? pool.take()
        self.memory = memory
        lastStart = memory.count
        span.extracting(range).withUnsafeBytes { memory.append($0) }
        bufferedDocuments += 1
        if documents == 0, bufferedDocuments == 1, element != nil { firstIdentity = BSONDocument.copy(span, identity) }
        let chunk = DocumentChunker.isCut(size: memory.count, end) ? try cut() : nil
        if wasBeyond, endSeam != nil, case .strong = end {
            try endSeam?.agree(.document(BSONDocument.copy(span, identity)))
            isFinished = true
        }
        return chunk
    }

    private static func matches(_ span: RawSpan, _ element: BSONElement, _ identity: [UInt8]) -> Bool {
        guard identity.count == element.value.count + 1, identity.first == element.type.rawValue else { return false }
        return span.extracting(element.value).withUnsafeBytes { $0.elementsEqual(identity.dropFirst()) }
    }

    /// The chunk that has been filled; nil when nothing is in it.
    private mutating func cut() throws -> FilledChunk? {
        guard let memory = memory.take() else { return nil }
        lastIdentity = try memory.withBytes { span in
            let element = try BSONView.idElement(span, documentAt: lastStart)
            return element.map { BSONDocument.copy(span, $0.key.lowerBound - 1..<$0.value.upperBound) }
        }
        documents += Int64(bufferedDocuments)
        bytes += Int64(memory.count)
        bufferedDocuments = 0
        return FilledChunk(memory)
    }
}
