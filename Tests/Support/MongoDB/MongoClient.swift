internal import CMongoC
import Foundation

/// One connection to a MongoDB server, for tests: sends what it is told, returns what came back, hides nothing.
///
/// Independent of the engine under test, so that the one can't repeat the other's mistake. Every call blocks a thread
/// of its own, not one of Swift's pool; make a second client for a second thing at the same time.
public actor MongoClient {
    // Touched by the executor's thread only, and at last by whoever lets go of the actor.
    private nonisolated(unsafe) let client: OpaquePointer
    private let executor: BlockingExecutor

    /// The executor that keeps blocking calls off the cooperative pool.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private static let initialized: Void = mongoc_init()

    /// Makes a client; the first call connects.
    ///
    /// - Parameter uri: a connection string. With `directConnection=true` commands go to that very server, whatever its
    ///   role.
    /// - Throws: `TestSupportError` for what isn't a connection string, `MongoError` for options that don't fit together.
    public init(_ uri: String) throws {
        _ = Self.initialized
        var error = bson_error_t()
        guard let parsed = mongoc_uri_new_with_error(uri, &error) else {
            throw TestSupportError("not a MongoDB connection string: \(error.text)")
        }
        defer { mongoc_uri_destroy(parsed) }
        guard let client = mongoc_client_new_from_uri_with_error(parsed, &error) else { throw MongoError(error) }
        mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2)
        self.client = client
        executor = BlockingExecutor("test-mongo-client")
    }

    deinit {
        // Forgets its sessions instead of ending them on the server, which a test has often killed by now.
        mongoc_client_reset(client)
        mongoc_client_destroy(client)
    }

    /// Runs a command given as extended JSON and returns its reply.
    ///
    /// - Throws: `MongoError` when it doesn't answer `ok: 1`, also for write errors and write concern errors.
    @discardableResult public func command(_ json: String, on database: String = "admin") throws -> TestDocument {
        try command(TestDocument(json: json), on: database)
    }

    /// Runs a command given as raw BSON and returns its reply; see the other form.
    @discardableResult public func command(
        _ command: TestDocument,
        on database: String = "admin"
    ) throws -> TestDocument {
        var error = bson_error_t()
        let client = client
        let (succeeded, reply) = withBSON(command) { command in
            withReply { reply in
                let succeeded = mongoc_client_command_simple(client, database, command, nil, reply, &error)
                return (succeeded, TestDocument(bytes: bytesOfBSON(reply)))
            }
        }
        guard succeeded else { throw MongoError(error, reply: reply) }
        if let failed = reply["writeErrors"]?.documents?.first ?? reply["writeConcernError"]?.document {
            throw MongoError(
                code: failed["code"]?.int ?? 0,
                message: failed["errmsg"]?.string ?? reply.json,
                reply: reply
            )
        }
        return reply
    }

    /// Inserts documents by as few messages as the protocol allows, unordered and past any validator.
    ///
    /// - Parameters:
    ///   - documents: as they are, whatever they hold.
    ///   - collection: also a hidden one such as `system.buckets.x`.
    ///   - database: the database.
    ///   - isMajority: waits until a majority of the members has them; otherwise the primary's word is enough.
    /// - Throws: `MongoError` of the first document that was refused.
    public func insert(
        _ documents: [TestDocument],
        into collection: String,
        of database: String,
        isMajority: Bool = true
    ) throws {
        try insert(documents, into: collection, of: database, isMajority: isMajority, attempt: 1)
    }

    private func insert(
        _ documents: [TestDocument],
        into collection: String,
        of database: String,
        isMajority: Bool,
        attempt: Int
    ) throws {
        guard !documents.isEmpty else { return }
        let concern = isMajority ? #"{"w": "majority"}"# : #"{"w": 1}"#
        let options = try TestDocument(
            json: """
                {"ordered": false, "validate": false, "bypassDocumentValidation": true, "writeConcern": \(concern)}
                """
        )
        // One buffer for all bytes, one for all `bson_t`: both must stay where they are until the call is over.
        let bytes = documents.flatMap(\.bytes)
        let views = UnsafeMutableRawPointer.allocate(byteCount: documents.count * 128, alignment: 128)
        defer { views.deallocate() }
        let handle = mongoc_client_get_collection(client, database, collection)
        defer { mongoc_collection_destroy(handle) }
        var error = bson_error_t()
        let (succeeded, reply) = bytes.withUnsafeBufferPointer { bytes in
            var position = 0
            var pointers: [OpaquePointer?] = []
            pointers.reserveCapacity(documents.count)
            for (index, document) in documents.enumerated() {
                let view = OpaquePointer(views + index * 128)
                bson_init_static(view, bytes.baseAddress.map { $0 + position }, document.bytes.count)
                pointers.append(view)
                position += document.bytes.count
            }
            return withBSON(options) { options in
                withReply { reply in
                    let succeeded = mongoc_collection_insert_many(
                        handle,
                        &pointers,
                        pointers.count,
                        options,
                        reply,
                        &error
                    )
                    return (succeeded, TestDocument(bytes: bytesOfBSON(reply)))
                }
            }
        }
        guard !succeeded else { return }
        guard attempt < 12, let refused = Self.refusedForRoom(reply) else { throw MongoError(error, reply: reply) }
        // A small cache that other tests' servers slow down: what did not fit does so when it was written out.
        Thread.sleep(forTimeInterval: min(8, 0.1 * Double(1 << attempt)))
        for index in refused where documents.indices.contains(index) {
            try insert([documents[index]], into: collection, of: database, isMajority: isMajority, attempt: attempt + 1)
        }
    }

    /// The places of documents that the server's cache had no room for just then (388, 365), if nothing else went wrong.
    private static func refusedForRoom(_ reply: TestDocument) -> [Int]? {
        guard let errors = reply["writeErrors"]?.documents, !errors.isEmpty else { return nil }
        var places: [Int] = []
        for error in errors {
            guard let code = error["code"]?.int, code == 388 || code == 365, let index = error["index"]?.int
            else { return nil }
            places.append(index)
        }
        return places
    }

    /// Hands every document of a query to `body`, as raw bytes that are valid only during the call.
    ///
    /// - Parameters:
    ///   - collection: also a hidden one such as `system.buckets.x`.
    ///   - database: the database.
    ///   - filter: extended JSON.
    ///   - options: those of `find` as extended JSON: `sort`, `hint`, `projection`, `batchSize` ….
    ///   - body: called in the cursor's order.
    /// - Throws: `MongoError`, or what `body` throws.
    public func forEachDocument(
        in collection: String,
        of database: String,
        filter: String = "{}",
        options: String = "{}",
        _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let handle = mongoc_client_get_collection(client, database, collection)
        defer { mongoc_collection_destroy(handle) }
        let (filter, options) = (try TestDocument(json: filter), try TestDocument(json: options))
        let cursor = withBSON(filter) { filter in
            withBSON(options) { mongoc_collection_find_with_opts(handle, filter, $0, nil) }
        }
        defer { mongoc_cursor_destroy(cursor) }
        var document: OpaquePointer?
        while mongoc_cursor_next(cursor, &document), let found = document {
            guard let data = bson_get_data(found) else { continue }
            try body(UnsafeRawBufferPointer(start: data, count: lengthOfBSON(data)))
        }
        var error = bson_error_t()
        if mongoc_cursor_error(cursor, &error) { throw MongoError(error) }
    }

    /// All documents of a query, raw.
    public func find(
        in collection: String,
        of database: String,
        filter: String = "{}",
        options: String = "{}"
    ) throws -> [TestDocument] {
        var result: [TestDocument] = []
        try forEachDocument(in: collection, of: database, filter: filter, options: options) {
            result.append(TestDocument(bytes: Array($0)))
        }
        return result
    }

    /// The documents that match, counted one by one (not the collection's own estimate).
    public func count(_ collection: String, of database: String, filter: String = "{}") throws -> Int {
        let pipeline = #"[{"$match": \#(filter)}, {"$count": "n"}]"#
        let reply = try command(
            #"{"aggregate": \#(quoted(collection)), "pipeline": \#(pipeline), "cursor": {}}"#,
            on: database
        )
        return reply["cursor.firstBatch.0.n"]?.int ?? 0
    }

    /// Runs commands as one transaction.
    ///
    /// - Throws: the first error; the transaction is then aborted.
    public func transaction(_ commands: [(database: String, command: TestDocument)]) throws {
        var error = bson_error_t()
        guard let session = mongoc_client_start_session(client, nil, &error) else { throw MongoError(error) }
        defer { mongoc_client_session_destroy(session) }
        guard let options = bson_new() else { throw TestSupportError("no memory for a document") }
        defer { bson_destroy(options) }
        guard mongoc_client_session_append(session, options, &error),
            mongoc_client_session_start_transaction(session, nil, &error)
        else { throw MongoError(error) }
        for (database, command) in commands {
            let (succeeded, reply) = withBSON(command) { command in
                withReply { reply in
                    let succeeded = mongoc_client_write_command_with_opts(
                        client,
                        database,
                        command,
                        options,
                        reply,
                        &error
                    )
                    return (succeeded, TestDocument(bytes: bytesOfBSON(reply)))
                }
            }
            guard succeeded, reply["writeErrors"] == nil else {
                // The first error is the one to show; a transaction that can't be aborted ends with its session.
                mongoc_client_session_abort_transaction(session, nil)
                throw MongoError(error, reply: reply)
            }
        }
        let (succeeded, reply) = withReply { reply in
            let succeeded = mongoc_client_session_commit_transaction(session, reply, &error)
            return (succeeded, TestDocument(bytes: bytesOfBSON(reply)))
        }
        guard succeeded else { throw MongoError(error, reply: reply) }
    }
}

/// A string as JSON writes it.
public func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": result += "\\\""
        case "\\": result += "\\\\"
        case _ where scalar.value < 0x20:
            result += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}
