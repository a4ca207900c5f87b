import BSON
import BackupModel

/// Writes one run of documents over one connection, and knows what to make of every refusal.
struct RunWriter {
    let connection: MongoConnection
    let target: RestoreTarget
    let namespace: Namespace
    let run: PreparedRun
    let isFuzzy: Bool
    let sparesZeroTimestamps: Bool

    /// A broken connection is mended this often before the restore gives up.
    private static let attempts = 4
    private static let duplicateKey: Int32 = 11000

    private var options: BSONDocument {
        let options: BSONDocument = ["writeConcern": ["w": 1]]
        return sparesZeroTimestamps ? options.appending("bypassEmptyTsReplacement", true) : options
    }

    /// Inserts the documents at `range`; each that is refused must be there already, for a reason that is known.
    func insert(_ range: Range<Int>, _ loaded: inout LoadedRun) async throws {
        try await insert(range, &loaded, attempt: 1)
    }

    private func insert(_ range: Range<Int>, _ loaded: inout LoadedRun, attempt: Int) async throws {
        let documents = range == 0..<run.bytes.count ? run.bytes : [UInt8](run.bytes[range])
        let options = options
        let (result, isRepeated) = try await repeating("insert into \(namespace)") { () throws(MongoError) in
            try await connection.insert(
                namespace.database,
                namespace.collection,
                documents: documents,
                isOrdered: false,
                bypassValidation: true,
                extra: options
            )
        }
        if let error = result.writeConcernError {
            throw RestoreFailure.rejected("\(target.host) did not confirm an insert into \(namespace): \(error)")
        }
        let places = try run.documents(in: range)
        var postponed: [Range<Int>] = []
        for failure in result.failures {
            guard places.indices.contains(failure.index) else {
                throw RestoreFailure.rejected("\(target.host) refused a document of \(namespace): \(failure.message)")
            }
            // A primary that steps down in the middle says so for every document that is left.
            if RestoreFailure.isLostPrimary(code: failure.code) { throw target.lostReign }
            let place = places[failure.index]
            if MongoError.isCachePressure(code: failure.code), attempt < MongoError.pressedAttempts {
                postponed.append(place)
                continue
            }
            if failure.code == Self.duplicateKey {
                if isRepeated, try await isThere(place) { continue }
                if isFuzzy {
                    supersede(place, &loaded)
                    continue
                }
            }
            throw RestoreFailure.rejected(
                "\(target.host) refused the document of \(namespace) with _id \(id(place)): \(failure.message)"
            )
        }
        guard result.count + result.failures.count == places.count else {
            throw RestoreFailure.verification(
                "\(target.host) confirmed \(result.count) of \(places.count) documents inserted into \(namespace) "
                    + "and refused \(result.failures.count)"
            )
        }
        guard !postponed.isEmpty else { return }
        try await MongoError.waitForRoom(attempt)
        // Each by itself: what did not fit beside others may fit alone.
        for place in postponed { try await insert(place, &loaded, attempt: attempt + 1) }
    }

    /// Writes documents with a zero timestamp at their top by the one way that keeps it: an upsert by pipeline.
    func writeWithZeroTimestamps(_ range: Range<Int>, _ loaded: inout LoadedRun) async throws {
        for place in try run.documents(in: range) {
            let document = try BSONDocument(copying: run.bytes.span.bytes, place)
            if isFuzzy, try await stored(place) != nil {
                supersede(place, &loaded)
                continue
            }
            let connection = connection
            let namespace = namespace
            let (isNew, isRepeated) = try await repeating("write to \(namespace)") { () throws(MongoError) in
                try await connection.writeWhole(document, to: namespace)
            }
            guard isNew || isRepeated else {
                throw RestoreFailure.rejected(
                    "\(target.host) has two documents of \(namespace) with _id \(id(place)) in the backup"
                )
            }
        }
    }

    /// The document is there in another version, and the oplog decides which one it becomes.
    private func supersede(_ place: Range<Int>, _ loaded: inout LoadedRun) {
        var document = DocumentChecksum()
        document.add(run.bytes.span.bytes.extracting(place))
        loaded.content.remove(document)
        loaded.superseded += 1
    }

    /// Runs `body` again after the connection broke, as long as the same primary goes on, or while its cache is full.
    ///
    /// Of what was sent in several messages the first ones may have been carried out: that is a repetition too.
    private func repeating<Result: Sendable>(
        _ attempt: String,
        _ body: () async throws(MongoError) -> Result
    ) async throws -> (Result, isRepeated: Bool) {
        var broken = 0
        var pressed = 0
        while true {
            do throws(MongoError) {
                return (try await body(), broken + pressed > 0)
            } catch {
                if error.isCachePressure, pressed + 1 < MongoError.pressedAttempts {
                    pressed += 1
                    try await MongoError.waitForRoom(pressed)
                    continue
                }
                guard error.kind == .connection || error.kind == .unreachable, broken < Self.attempts else {
                    throw RestoreFailure.database(error, attempt)
                }
                broken += 1
            }
            try await Task.sleep(for: .milliseconds(200 << broken))
            let hello: BSONDocument
            do throws(MongoError) {
                hello = try await connection.command("admin", ["hello": 1])
            } catch {
                if broken == Self.attempts { throw RestoreFailure.database(error, attempt) }
                continue
            }
            guard RestoreTarget.reign(hello) == target.reign else { throw target.lostReign }
        }
    }

    private func stored(_ place: Range<Int>) async throws -> [UInt8]? {
        guard let element = try BSONView.idElement(run.bytes.span.bytes, documentAt: place.lowerBound) else {
            return nil
        }
        var equals = BSONWriter()
        equals.beginDocument()
        equals.append("$eq", type: element.type, raw: run.bytes[element.value])
        equals.end()
        let found: [BSONDocument]
        do throws(MongoError) {
            found = try await connection.all(
                namespace.database,
                [
                    "find": .string(namespace.collection), "filter": ["_id": .document(BSONDocument(equals))],
                    "limit": 1, "singleBatch": true,
                ]
            )
        } catch {
            throw RestoreFailure.database(error, "read \(namespace)")
        }
        return found.first?.bytes
    }

    /// Whether the very document is there, by an insert of ours whose answer was lost.
    private func isThere(_ place: Range<Int>) async throws -> Bool {
        try await stored(place) == [UInt8](run.bytes[place])
    }

    private func id(_ place: Range<Int>) -> String {
        // Only makes a message better: the error that is being reported is another one.
        guard let document = try? BSONDocument(copying: run.bytes.span.bytes, place), let id = document["_id"] else {
            return "(none)"
        }
        return BSONDocument([("_id", id)]).description
    }
}

extension MongoConnection {
    /// Writes a document as it is, zero timestamps too; true when it is new, false when it replaced one of its `_id`.
    func writeWhole(_ document: BSONDocument, to namespace: Namespace) throws(MongoError) -> Bool {
        let update: BSONDocument = [
            "q": ["_id": ["$eq": document["_id"] ?? .null]],
            "u": [["$replaceWith": ["$literal": .document(document)]]],
            "upsert": true,
        ]
        let reply = try command(
            namespace.database,
            [
                "update": .string(namespace.collection), "updates": [.document(update)],
                "bypassDocumentValidation": true, "writeConcern": ["w": 1],
            ]
        )
        if let error = reply["writeErrors"]?.array?.first?.document {
            throw MongoError(
                .server,
                code: Int32(truncatingIfNeeded: error["code"]?.integer ?? 0),
                error["errmsg"]?.string ?? "a document was refused"
            )
        }
        return reply["upserted"] != nil
    }
}
