import BSON
import BackupModel

/// What is in the target.
struct TargetCatalog: Sendable {
    /// One collection or view.
    struct Entry: Sendable, Hashable {
        var namespace: Namespace
        /// `collection`, `view` or `timeseries`.
        var type: String
        var options: BSONDocument
        /// 16 bytes; views have none.
        var uuid: [UInt8]?
    }

    /// By name.
    private(set) var entries: [Namespace: Entry] = [:]

    /// Asks for every database, or those given.
    static func read(_ pool: ConnectionPool, databases: [String]? = nil) async throws -> TargetCatalog {
        let names =
            if let databases {
                databases
            } else {
                try await pool.use { connection in
                    let reply = try await connection.command("admin", ["listDatabases": 1, "nameOnly": true])
                    return reply["databases"]?.array?.compactMap { $0.document?["name"]?.string } ?? []
                }
            }
        var catalog = TargetCatalog()
        for database in names where database != "local" && database != "config" {
            let documents = try await pool.use { try await $0.all(database, ["listCollections": 1]) }
            for document in documents { catalog.add(document, database) }
        }
        return catalog
    }

    private mutating func add(_ document: BSONDocument, _ database: String) {
        guard let name = document["name"]?.string else { return }
        let namespace = Namespace(database: database, collection: name)
        var uuid: [UInt8]?
        if case .binary(_, let bytes)? = document[path: "info", "uuid"] { uuid = bytes }
        entries[namespace] = Entry(
            namespace: namespace,
            type: document["type"]?.string ?? "collection",
            options: document["options"]?.document ?? [:],
            uuid: uuid
        )
    }

    /// What people put there: nothing of the server's own.
    var ofPeople: [Namespace] {
        entries.keys.filter {
            !Namespace.systemDatabases.contains($0.database)
                && (!$0.collection.hasPrefix("system.") || $0.collection == "system.js"
                    || ($0.timeSeries.map { entries[$0] == nil } ?? false))
        }.sorted()
    }

    /// Throws when the restore would touch what it may not.
    ///
    /// A whole backup goes into an empty server. A part of one, or one under other names, goes beside what is there,
    /// as long as nothing has the same name.
    func checkConflicts(with plan: RestorePlan, isEverything: Bool, host: String) throws {
        let named = plan.all.filter { entries[$0.target] != nil }
        // In the server's own databases only what has the same name is in the way; what we keep there for a while isn't.
        let own = named.filter { collection in
            Namespace.systemDatabases.contains(collection.target.database) && !collection.isUndroppable
                && !collection.target.collection.hasPrefix(Namespace.restorePrefix)
        }
        let found = (isEverything ? ofPeople + own.map(\.target) : named.map(\.target)).sorted()
        if !found.isEmpty { throw RestoreFailure.targetNotEmpty(host, found) }
    }
}
