public import BSON

/// One batch of a cursor: raw documents in the reply that brought them.
public struct MongoBatch: Sendable {
    /// The reply that holds the documents.
    public private(set) var reply: MongoReply
    /// Place of the array of documents in the reply.
    public let arrayOffset: Int
    /// The cursor on the server; 0 when this was the last batch.
    public let cursorID: Int64
    /// Database and collection for `getMore`: the server's answer, since a find by UUID learns its name here.
    public let namespace: String
    /// The record after which a scan may go on (`$_requestResumeToken`), a document `{$recordId: …}`.
    public let resumeToken: BSONDocument?
    /// The point of history that a snapshot read is of; only the first batch has it, and not that of a collection that
    /// isn't there.
    public let readTime: UInt64?
    /// Bytes of the whole reply.
    public let byteCount: Int

    /// Calls `body` with the reply's bytes and a walk over its documents, from the first one or from behind the one that
    /// ends at `place`.
    public func withDocuments<Failure: Error>(
        from place: Int? = nil,
        _ body: (RawSpan, inout BSONDocumentArray) throws(Failure) -> Void
    ) throws -> Void {
        try reply.withBytes { (span: RawSpan) throws in
            var documents = try BSONDocumentArray(span, at: arrayOffset)
            if let place { try documents.skip(to: place) }
            try body(span, &documents)
        }
    }

    /// The documents, copied: for small results.
    public func documents() throws(BSONError) -> [BSONDocument] {
        try reply.withBytes { (span: RawSpan) throws(BSONError) in
            var result: [BSONDocument] = []
            var documents = try BSONDocumentArray(span, at: arrayOffset)
            while let range = try documents.next() {
                result.append(try BSONDocument(copying: span, range))
            }
            return result
        }
    }

    /// Lets go of the documents: what is left serves to go on, or to close the cursor.
    mutating func forgetDocuments() { reply = .empty }

    init(_ reply: MongoReply, host: String) throws(MongoError) {
        do throws(BSONError) {
            var array: Int?
            var identifier: Int64?
            var name = ""
            var token: BSONDocument?
            var time: UInt64?
            var total = 0
            try reply.withBytes { (span: RawSpan) throws(BSONError) in
                total = span.byteCount
                guard let cursor = try BSONView.element("cursor", span), cursor.type == .document else { return }
                var elements = try BSONElements(span, at: cursor.value.lowerBound)
                while let element = try elements.next() {
                    let key = BSONDocument.copy(span, element.key)
                    switch String(decoding: key, as: UTF8.self) {
                    case "firstBatch", "nextBatch":
                        if element.type == .array { array = element.value.lowerBound }
                    case "id" where element.type == .int64:
                        let bits = span.unsafeLoadUnaligned(fromByteOffset: element.value.lowerBound, as: Int64.self)
                        identifier = Int64(littleEndian: bits)
                    case "ns" where element.type == .string:
                        let text = BSONDocument.copy(span, element.value)
                        name = String(decoding: text.dropFirst(4).dropLast(), as: UTF8.self)
                    case "atClusterTime" where element.type == .timestamp:
                        let bits = span.unsafeLoadUnaligned(fromByteOffset: element.value.lowerBound, as: UInt64.self)
                        time = UInt64(littleEndian: bits)
                    case "postBatchResumeToken" where element.type == .document:
                        token = try BSONDocument(copying: span, element.value)
                    default: break
                    }
                }
            }
            guard let array, let identifier else {
                throw BSONError(.unexpectedValue, "the reply has no cursor with a batch")
            }
            self.reply = reply
            arrayOffset = array
            cursorID = identifier
            namespace = name
            resumeToken = token
            readTime = time
            byteCount = total
        } catch {
            throw MongoError(.badReply, "\(host) sent a batch that can't be read: \(error)")
        }
    }
}

extension MongoConnection {
    /// Runs a command that answers with a cursor: `find`, `aggregate`, `listCollections`, `listIndexes`.
    public func open(_ database: String, _ command: BSONDocument) throws(MongoError) -> MongoBatch {
        try MongoBatch(reply(database, command), host: host)
    }

    /// The next batch of a cursor that this connection opened.
    ///
    /// - Parameters:
    ///   - batch: The batch before, whose `cursorID` isn't 0.
    ///   - batchSize: Most documents to send; a batch ends at 16 MiB anyway.
    ///   - maxTimeMilliseconds: How long an awaiting cursor may wait.
    /// - Returns: The batch, empty only when the cursor awaits or is at its end.
    /// - Throws: `MongoError`; of kind `.server` with code 43 when the cursor is gone.
    public func next(
        after batch: MongoBatch,
        batchSize: Int? = nil,
        maxTimeMilliseconds: Int? = nil
    ) throws(MongoError) -> MongoBatch {
        let (database, collection) = Self.split(batch.namespace)
        var elements: [(String, BSONValue)] = [
            ("getMore", .int64(batch.cursorID)), ("collection", .string(collection)),
        ]
        if let batchSize { elements.append(("batchSize", .integer(batchSize))) }
        if let maxTimeMilliseconds { elements.append(("maxTimeMS", .integer(maxTimeMilliseconds))) }
        return try MongoBatch(reply(database, BSONDocument(elements)), host: host)
    }

    /// Tells the server to forget a cursor; needless when its last batch has been read.
    public func close(_ batch: MongoBatch) throws(MongoError) {
        guard batch.cursorID != 0 else { return }
        let (database, collection) = Self.split(batch.namespace)
        _ = try command(
            database,
            ["killCursors": .string(collection), "cursors": [.int64(batch.cursorID)]]
        )
    }

    /// Everything a cursor has, copied: for small results.
    public func all(_ database: String, _ command: BSONDocument) throws(MongoError) -> [BSONDocument] {
        var batch = try open(database, command)
        var result = try documents(batch)
        while batch.cursorID != 0 {
            batch = try next(after: batch)
            result += try documents(batch)
        }
        return result
    }

    private func documents(_ batch: MongoBatch) throws(MongoError) -> [BSONDocument] {
        do throws(BSONError) {
            return try batch.documents()
        } catch {
            throw MongoError(.badReply, "\(host) sent a batch that can't be read: \(error)")
        }
    }

    /// Database and collection of a full name; a collection's name may hold dots.
    static func split(_ namespace: String) -> (database: String, collection: String) {
        guard let dot = namespace.firstIndex(of: ".") else { return (namespace, "") }
        return (String(namespace[..<dot]), String(namespace[namespace.index(after: dot)...]))
    }
}
