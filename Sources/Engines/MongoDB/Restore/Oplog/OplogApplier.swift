import BSON
import BackupModel

/// Sends operations to the server and finds out which of them it doesn't take.
actor OplogApplier {
    private let connection: MongoConnection
    /// Documents that an update did not find: each must be deleted or written anew later, or something is missing.
    private var missing: [Namespace: [[UInt8]: ClusterTime]] = [:]

    /// Update of a document that isn't there, where the server makes none for it.
    private static let updateFailed: Int32 = 218

    init(connection: MongoConnection) {
        self.connection = connection
    }

    /// Applies operations on documents, all of them or, at the first that can't be, none after it.
    func apply(_ operations: [ReplayOperation]) async throws {
        try await apply(operations[...])
        if !missing.isEmpty { for operation in operations { settle(operation) } }
    }

    private func apply(_ operations: ArraySlice<ReplayOperation>, attempt: Int = 1) async throws {
        guard let first = operations.first else { return }
        let failure: MongoError
        do throws(MongoError) {
            _ = try await connection.reply("admin", commandBytes: ReplayBatch.command(operations))
            return
        } catch {
            failure = error
        }
        // Operations of whole documents may be applied twice; only a server's own answer says that one is wrong.
        guard failure.kind == .server, !RestoreFailure.isLostPrimary(failure) else {
            throw RestoreFailure.database(failure, "apply the oplog at \(first.time)")
        }
        if operations.count == 1, failure.isCachePressure, attempt < MongoError.pressedAttempts {
            try await MongoError.waitForRoom(attempt)
            try await apply(operations, attempt: attempt + 1)
            return
        }
        if operations.count == 1 {
            try tolerate(first, failure)
            return
        }
        let middle = operations.startIndex + operations.count / 2
        try await apply(operations[..<middle])
        try await apply(operations[middle...])
    }

    private func tolerate(_ operation: ReplayOperation, _ error: MongoError) throws {
        guard operation.kind == .update, error.code == Self.updateFailed, let key = operation.key else {
            throw RestoreFailure.database(
                error,
                "apply the oplog entry of \(operation.time), \(operation.description)"
            )
        }
        missing[operation.namespace, default: [:]][key] = operation.time
    }

    /// A document that is deleted or inserted needs its updates no more.
    private func settle(_ operation: ReplayOperation) {
        guard operation.kind != .update, var keys = missing[operation.namespace] else { return }
        // The server has taken the same bytes.
        guard let id = (try? BSONDocument(validating: operation.object))?["_id"] else { return }
        keys[BSONDocument([("_id", id)]).bytes] = nil
        missing[operation.namespace] = keys.isEmpty ? nil : keys
    }

    /// Applies a command, or a document that `applyOps` would change.
    func applyAlone(_ operation: ReplayOperation) async throws {
        if operation.isDirect {
            try await run(operation)
            if let gone = operation.droppedCollection {
                missing[gone] = nil
                missing[gone.buckets] = nil
            }
            return
        }
        guard operation.writesZeroTimestamp else {
            try await apply([operation][...])
            if let gone = operation.droppedCollection { missing[gone] = nil }
            return
        }
        do throws(MongoError) {
            let document: BSONDocument
            do throws(BSONError) {
                document = try BSONDocument(validating: operation.object)
            } catch {
                throw MongoError(.badReply, "the document is not valid BSON: \(error)")
            }
            _ = try await connection.writeWhole(document, to: operation.namespace)
        } catch {
            throw RestoreFailure.database(error, "apply the oplog entry of \(operation.time), \(operation.description)")
        }
        settle(operation)
    }

    private func run(_ operation: ReplayOperation) async throws {
        do throws(MongoError) {
            _ = try await connection.reply(operation.namespace.database, commandBytes: operation.object)
        } catch {
            throw RestoreFailure.database(error, "apply the oplog entry of \(operation.time), \(operation.description)")
        }
    }

    /// Throws when an update had no document and nothing later made up for it.
    func finish() throws {
        guard let (namespace, keys) = missing.first, let (key, time) = keys.first else { return }
        let id = (try? BSONDocument(validating: key))?.description ?? "(unreadable)"
        throw RestoreFailure.verification(
            "the oplog updates the document \(id) of \(namespace) at \(time), which is not there"
        )
    }
}

extension ReplayOperation {
    /// The collection that this command drops.
    fileprivate var droppedCollection: Namespace? {
        // The model has validated the same bytes.
        guard kind == .command, let name = (try? BSONDocument(validating: object))?["drop"]?.string else { return nil }
        return Namespace(database: namespace.database, collection: name)
    }
}

extension ReplayOperation: CustomStringConvertible {
    /// What it does, for an error.
    var description: String {
        let word =
            switch kind {
            case .insert: "insert into"
            case .update: "update in"
            case .delete: "delete from"
            case .command: "command in"
            case .note: "note in"
            }
        // Only makes a message better: the error that is being reported is another one.
        let document = try? BSONDocument(validating: kind == .update ? key ?? object : object)
        let subject = kind == .command ? document : document?["_id"].map { BSONDocument([("_id", $0)]) }
        return "\(word) \(namespace) \(subject?.description.prefix(300) ?? "")"
    }
}
