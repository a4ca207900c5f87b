public import BSON

/// What a write command did.
public struct MongoWriteResult: Sendable, Hashable {
    /// One document that could not be written.
    public struct Failure: Sendable, Hashable {
        /// Its place among the documents of the call.
        public var index: Int
        /// The server's error number, 11000 for a duplicate key.
        public var code: Int32
        /// What the server said.
        public var message: String
    }

    /// Documents written.
    public var count: Int = 0
    /// Documents not written.
    public var failures: [Failure] = []
    /// What became of the write concern, if it was not met.
    public var writeConcernError: String?
}

extension MongoConnection {
    /// Documents' bytes in one message.
    ///
    /// The command is itself a document, which may have 16 MiB and 16 KiB.
    private static let largestInsert = 16 * 1024 * 1024
    /// The server's `maxWriteBatchSize`.
    private static let mostDocuments = 100_000

    /// Inserts documents that lie one after the other, as they are: one copy into the message, no decoding.
    ///
    /// - Parameters:
    ///   - database: The database.
    ///   - collection: The collection in it.
    ///   - documents: Concatenated BSON documents, of any number and size: split into messages as needed.
    ///   - isOrdered: Whether the server stops at the first failure and keeps the order.
    ///   - bypassValidation: Whether documents that break the collection's validator are let in.
    ///   - extra: Further options of the command, like `writeConcern` or `bypassEmptyTsReplacement`.
    /// - Returns: How many were written, and which were not.
    /// - Throws: `MongoError` when a message as a whole failed; single documents' failures are in the result.
    public func insert(
        _ database: String,
        _ collection: String,
        documents: [UInt8],
        isOrdered: Bool = false,
        bypassValidation: Bool = true,
        extra: BSONDocument = [:]
    ) throws(MongoError) -> MongoWriteResult {
        var result = MongoWriteResult()
        var rest = 0
        var index = 0
        while rest < documents.count {
            var writer = InsertWriter(capacity: min(documents.count - rest, Self.largestInsert) * 17 / 16 + 4096)
            writer.head(collection, isOrdered: isOrdered, bypassValidation: bypassValidation, extra: extra)
            var end = rest
            var count = 0
            do throws(BSONError) {
                var walk = BSONDocumentSequence(documents.span.bytes.extracting(rest..<documents.count))
                while let range = try walk.next() {
                    // Each document brings its place in the array along: a type, some digits, a NUL.
                    let size = writer.size + range.count + 16
                    if count > 0, count == Self.mostDocuments || size > Self.largestInsert { break }
                    writer.document(count, documents, rest + range.lowerBound..<rest + range.upperBound)
                    end = rest + range.upperBound
                    count += 1
                }
            } catch {
                throw MongoError(.configuration, "what is to be inserted into \(collection) isn't BSON: \(error)")
            }
            let answer = try decode(reply(database, commandBytes: writer.finish()))
            result.add(answer, firstIndex: index)
            if isOrdered, !result.failures.isEmpty { return result }
            rest = end
            index += count
        }
        return result
    }

    private func decode(_ reply: MongoReply) throws(MongoError) -> BSONDocument {
        do throws(BSONError) {
            return try reply.document()
        } catch {
            throw MongoError(.badReply, "\(host) sent a reply that isn't BSON: \(error)")
        }
    }
}

extension MongoWriteResult {
    /// Adds what one reply to a write command says.
    mutating func add(_ reply: BSONDocument, firstIndex: Int) {
        count += Int(reply["n"]?.integer ?? 0)
        for failure in reply["writeErrors"]?.array?.compactMap(\.document) ?? [] {
            failures.append(
                Failure(
                    index: firstIndex + Int(failure["index"]?.integer ?? 0),
                    code: Int32(truncatingIfNeeded: failure["code"]?.integer ?? 0),
                    message: failure["errmsg"]?.string ?? "no reason given"
                )
            )
        }
        if let error = reply["writeConcernError"]?.document {
            writeConcernError = error["errmsg"]?.string ?? error.description
        }
    }
}

/// Builds an insert command around raw documents.
private struct InsertWriter {
    private var writer: BSONWriter

    init(capacity: Int) { writer = BSONWriter(capacity: capacity) }

    var size: Int { writer.count }

    mutating func head(_ collection: String, isOrdered: Bool, bypassValidation: Bool, extra: BSONDocument) {
        writer.beginDocument()
        writer.append("insert", .string(collection))
        writer.append("ordered", .bool(isOrdered))
        if bypassValidation { writer.append("bypassDocumentValidation", true) }
        writer.append(rawElements: extra.bytes.dropFirst(4).dropLast())
        writer.begin("documents", array: true)
    }

    mutating func document(_ index: Int, _ source: [UInt8], _ range: Range<Int>) {
        writer.append(String(index), type: .document, raw: source[range])
    }

    mutating func finish() -> [UInt8] {
        writer.end()
        writer.end()
        return writer.bytes
    }
}
