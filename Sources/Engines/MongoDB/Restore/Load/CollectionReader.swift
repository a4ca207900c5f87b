import BSON
import BackupModel

/// Reads a collection back, in the order of its records.
struct CollectionReader {
    let connection: MongoConnection
    let namespace: Namespace

    /// Replies of this size cost least (swift.md §B4), and they bound the memory.
    private static let batchBytes: Int64 = 2 << 20

    /// Hands every batch of documents to `body`.
    ///
    /// - Parameters:
    ///   - averageBytes: what a document has, to ask for batches of a good size.
    ///   - body: gets the reply's bytes and a walk over its documents.
    /// - Throws: `JobFailure` that names the collection, or what `body` throws.
    func forEachBatch(averageBytes: Int64, _ body: (RawSpan, inout BSONDocumentArray) throws -> Void) async throws {
        let size = Int(min(100_000, max(1, Self.batchBytes / max(1, averageBytes))))
        do {
            var batch = try await connection.open(
                namespace.database,
                [
                    "find": .string(namespace.collection), "hint": ["$natural": 1], "batchSize": .integer(size),
                    "readConcern": ["level": "local"],
                ]
            )
            while true {
                try batch.withDocuments(body)
                if batch.cursorID == 0 { return }
                try Task.checkCancellation()
                batch = try await connection.next(after: batch, batchSize: size)
            }
        } catch let error as MongoError {
            throw RestoreFailure.database(error, "read back \(namespace)")
        } catch let error as BSONError {
            throw RestoreFailure.verification("\(namespace) can't be read back: \(error)")
        }
    }
}
