import BSON

/// One chunk that a reader has filled: whole documents.
struct FilledChunk: Sendable {
    var bytes: [UInt8]
    var documents: Int
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
    private var buffer: [UInt8] = []
    private var bufferedDocuments = 0
    /// Where the newest document begins in the buffer.
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
    init(chunker: DocumentChunker, startSeam: DumpSeam?, boundary: PartitionBoundary?, endSeam: DumpSeam?) {
        self.chunker = chunker
        self.startSeam = startSeam
        self.boundary = boundary
        self.endSeam = endSeam
        isSkipping = startSeam != nil
    }

    /// Takes one batch and returns the chunks that it completed.
    ///
    /// - Throws: `BSONError` for bytes that are no documents, `PartitionsDisagree`.
    mutating func take(_ batch: MongoBatch) throws -> [FilledChunk] {
        // Only the batch that holds the boundary is searched for it.
        var reaches = false
        if case .record(let place, _, _)? = boundary, !isBeyondBoundary {
            guard let token = batch.resumeToken else { throw PartitionsDisagree() }
            if let position = RecordPosition(token) { reaches = position >= place }
        }
        lastSeen = nil
        var chunks: [FilledChunk] = []
        try batch.withDocuments { span, walk in
            var last: Int?
            while !isFinished, let range = try walk.next() {
                try take(span, range, reaches: reaches, &chunks)
                last = range.lowerBound
            }
            if let last, let element = try BSONView.idElement(span, documentAt: last) {
                lastSeen = BSONDocument.copy(span, element.key.lowerBound - 1..<element.value.upperBound)
            }
        }
        if reaches, !isBeyondBoundary { throw PartitionsDisagree() }
        return chunks
    }

    /// What comes now lies beyond the boundary.
    mutating func passBoundary() { isBeyondBoundary = true }

    /// Leaves the next document out if it has this `_id` element: a read that is taken up again begins with it.
    mutating func passOver(_ identity: [UInt8]?) { passedOver = identity }

    /// Called when the collection has no more documents.
    mutating func finish() throws -> [FilledChunk] {
        guard !isFinished else { return [] }
        isFinished = true
        if boundary != nil, !isBeyondBoundary { throw PartitionsDisagree() }
        if isSkipping { try startSeam?.agree(.end) }
        try endSeam?.agree(.end)
        var chunks: [FilledChunk] = []
        if !buffer.isEmpty { try cut(&chunks) }
        return chunks
    }

    @inline(__always)
    private mutating func take(
        _ span: RawSpan,
        _ range: Range<Int>,
        reaches: Bool,
        _ chunks: inout [FilledChunk]
    ) throws {
        seen += 1
        let element = try BSONView.idElement(span, documentAt: range.lowerBound)
        // Without an `_id` (only possible in odd old collections) the whole document stands for itself.
        let identity = element.map { $0.key.lowerBound - 1..<$0.value.upperBound } ?? range
        if let known = passedOver {
            passedOver = nil
            if BSONDocument.copy(span, identity) == known { return }
        }
        let end = chunker.end(span, identity: identity, documentLength: range.count)
        let wasBeyond = isBeyondBoundary
        if reaches, !isBeyondBoundary, case .record(_, _, let known)? = boundary, let element {
            isBeyondBoundary = Self.matches(span, element, known)
        }
        if isSkipping {
            guard case .strong = end else { return }
            let place = DumpSeam.Place.document(BSONDocument.copy(span, identity))
            try startSeam?.agree(place)
            isSkipping = false
            if wasBeyond {
                try endSeam?.agree(place)
                isFinished = true
            }
            return
        }
        lastStart = buffer.count
        span.extracting(range).withUnsafeBytes { buffer.append(contentsOf: $0) }
        bufferedDocuments += 1
        if documents == 0, bufferedDocuments == 1, element != nil { firstIdentity = BSONDocument.copy(span, identity) }
        if DocumentChunker.isCut(size: buffer.count, end) { try cut(&chunks) }
        if wasBeyond, endSeam != nil, case .strong = end {
            try endSeam?.agree(.document(BSONDocument.copy(span, identity)))
            isFinished = true
        }
    }

    private static func matches(_ span: RawSpan, _ element: BSONElement, _ identity: [UInt8]) -> Bool {
        guard identity.count == element.value.count + 1, identity.first == element.type.rawValue else { return false }
        return span.extracting(element.value).withUnsafeBytes { $0.elementsEqual(identity.dropFirst()) }
    }

    private mutating func cut(_ chunks: inout [FilledChunk]) throws {
        let element = try BSONView.idElement(buffer.span.bytes, documentAt: lastStart)
        lastIdentity = element.map { BSONDocument.copy(buffer.span.bytes, $0.key.lowerBound - 1..<$0.value.upperBound) }
        documents += Int64(bufferedDocuments)
        bytes += Int64(buffer.count)
        chunks.append(FilledChunk(bytes: buffer, documents: bufferedDocuments))
        buffer = []
        buffer.reserveCapacity(DocumentChunker.target + DocumentChunker.target / 2)
        bufferedDocuments = 0
    }
}
