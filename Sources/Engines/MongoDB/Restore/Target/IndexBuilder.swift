import BSON
import BackupModel

/// Builds indexes: all of a collection in one pass, several collections at once.
struct IndexBuilder: Sendable {
    /// One collection's indexes.
    struct Work: Sendable {
        var namespace: Namespace
        var indexes: [BSONDocument]
    }

    let target: RestoreTarget
    let progress: RestoreProgress

    /// Builds them; returns how many.
    func build(_ work: [Work], on pool: ConnectionPool) async throws -> Int {
        let work = work.filter { !$0.indexes.isEmpty }
        guard !work.isEmpty else { return 0 }
        let count = work.reduce(0) { $0 + $1.indexes.count }
        progress.step("build \(count) indexes")
        progress.log(.info, "building \(count) indexes in \(work.count) collections")
        try await pool.forEach(work) { try await build($0, on: $1) }
        return count
    }

    private func build(_ work: Work, on connection: MongoConnection) async throws {
        let names = work.indexes.map { $0["name"]?.string ?? "?" }.joined(separator: ", ")
        var command: BSONDocument = [
            "createIndexes": .string(work.namespace.collection),
            "indexes": .array(work.indexes.map(BSONValue.document)),
        ]
        // The default waits for every voting member, for ever if one is down; a standalone knows no quorum.
        if target.setName != nil { command = command.appending("commitQuorum", "majority") }
        let reply: BSONDocument
        do throws(MongoError) {
            reply = try await connection.command(work.namespace.database, command)
        } catch {
            throw RestoreFailure.database(error, "build the indexes \(names) of \(work.namespace)")
        }
        if let error = reply["writeConcernError"]?.document {
            throw RestoreFailure.rejected(
                "\(target.host) did not confirm the indexes \(names) of \(work.namespace): \(error)"
            )
        }
    }
}
