import BSON
import BackupModel

/// One collection, view or time series as `listCollections` and `listIndexes` describe it.
struct CatalogEntry: Sendable, Hashable {
    var namespace: Namespace
    /// `collection`, `view` or `timeseries`.
    var type: String
    /// The options, as they came.
    var options: BSONDocument
    /// 16 bytes, of collections.
    var uuid: [UInt8]?
    /// Of a time series: the UUID of the collection of its buckets, by which a sharded cluster knows it.
    var bucketsUUID: [UInt8]?
    /// The indexes, as they came.
    var indexes: [BSONDocument]
    /// Bytes of data by the server's estimate: for order and progress only.
    var estimatedBytes: Int64 = 0
    /// Bytes of an average document, by the same estimate.
    var averageDocument = 1024

    /// The collection that holds the documents; nil for a view.
    var source: Namespace? {
        switch type {
        case "view": nil
        case "timeseries": namespace.buckets
        default: namespace
        }
    }

    var isCapped: Bool { options["capped"]?.truth == true }
    var isClustered: Bool { options["clusteredIndex"] != nil }

    /// Reads one answer of `listCollections`.
    init(database: String, _ answer: BSONDocument) {
        namespace = Namespace(database: database, collection: answer["name"]?.string ?? "")
        type = answer["type"]?.string ?? "collection"
        options = answer["options"]?.document ?? [:]
        if case .binary(_, let bytes)? = answer[path: "info", "uuid"] { uuid = bytes }
        indexes = []
    }

    /// `.metadata.json`, byte for byte as mongodump writes it: `options` left out when empty, `indexes` never.
    var metadata: [UInt8] {
        var fields: [(String, BSONValue)] = []
        if !options.isEmpty { fields.append(("options", .document(options))) }
        fields.append(("indexes", .array(indexes.map(BSONValue.document))))
        if let uuid { fields.append(("uuid", .string(Hexadecimal.encode(uuid)))) }
        fields.append(("collectionName", .string(namespace.collection)))
        fields.append(("type", .string(type)))
        return ExtendedJSON.canonicalBytes(BSONDocument(fields))
    }

    /// Its files in the dump.
    var dataPath: String? { source.map { DumpPath.data($0.database, $0.collection) } }
    var metadataPath: String { DumpPath.metadata(namespace.database, namespace.collection) }
}

/// Which of a server's collections belong in a dump: mongodump's own rules.
enum CatalogRules {
    /// What a dump of a config server needs, which is all that mongodump takes, and what tells a shard's orphans.
    ///
    /// The others are transient (research: mongodb.md §3.5) or caches, which the servers make anew.
    private static let configCollections: Set<String> = [
        "chunks", "collections", "databases", "rangeDeletions", "settings", "shards", "tags", "version",
    ]
    private static let adminSystemCollections: Set<String> = ["system.users", "system.roles", "system.version"]

    /// Whether anything of this database belongs in a dump.
    static func includes(database: String) -> Bool {
        database != "local" && !database.hasPrefix("__mdb_internal")
    }

    /// Whether this collection belongs in a dump.
    ///
    /// Buckets don't by themselves: they come with their time series.
    static func includes(_ namespace: Namespace) -> Bool {
        let name = namespace.collection
        switch namespace.database {
        case "config": return configCollections.contains(name)
        case "admin" where adminSystemCollections.contains(name): return true
        default: return !name.hasPrefix("system.") || name == "system.js"
        }
    }

    /// Time series of which a catalog has the buckets and not the series.
    ///
    /// A shard that isn't its database's primary is so for a sharded time series; its buckets are dumped as a collection.
    /// Elsewhere nothing would tell of what they are: a server that belongs to no cluster has no business with them.
    static func seriesDefinedElsewhere(_ entries: [CatalogEntry]) -> [Namespace] {
        let series = Set(entries.filter { $0.type == "timeseries" }.map(\.namespace))
        return entries.compactMap(\.namespace.timeSeries).filter { !series.contains($0) }
    }

    /// Whether a selection takes it.
    static func isSelected(_ namespace: Namespace, by selection: NamespaceSelection) -> Bool {
        let name = namespace.description
        let isIncluded =
            selection.include.isEmpty || selection.include.contains { NamespacePattern($0).matches(name) }
        return isIncluded && !selection.exclude.contains { NamespacePattern($0).matches(name) }
    }
}

/// Reads the catalog of one member.
enum CatalogReader {
    /// Everything that the selection takes, by name.
    ///
    /// With `keepsLayout`, a sharded cluster's layout comes along whatever is selected: without it, nothing of the
    /// cluster could be restored.
    static func read(
        _ connection: MongoConnection,
        _ selection: NamespaceSelection,
        keepsLayout: Bool = false
    ) async throws -> [CatalogEntry] {
        let list = try await connection.command("admin", ["listDatabases": 1, "nameOnly": true])
        var entries: [CatalogEntry] = []
        for database in list["databases"]?.array?.compactMap({ $0.document?["name"]?.string }) ?? []
        where CatalogRules.includes(database: database) {
            try Task.checkCancellation()
            let found = try await connection.all(database, ["listCollections": 1]).map {
                CatalogEntry(database: database, $0)
            }
            let parts = CatalogRules.seriesDefinedElsewhere(found)
            if !keepsLayout, let series = parts.first(where: { CatalogRules.isSelected($0, by: selection) }) {
                throw MongoDBFailure.unsupported(
                    "\(series.buckets) holds measurements of a time series that is not defined here, and the member belongs to"
                        + " no sharded cluster that could define it: exclude \(series) from the backup to go on without it"
                )
            }
            let uuids = Dictionary(found.map { ($0.namespace, $0.uuid) }) { first, _ in first }
            for var entry in found {
                if entry.type == "timeseries" { entry.bucketsUUID = uuids[entry.namespace.buckets] ?? nil }
                // A shard that isn't the database's primary has buckets of a sharded time series, and not the series.
                let isPart = entry.namespace.timeSeries.map { parts.contains($0) } ?? false
                guard CatalogRules.includes(entry.namespace) || isPart,
                    CatalogRules.isSelected(entry.namespace.known, by: selection)
                        || keepsLayout && entry.namespace.database == "config"
                else { continue }
                try await complete(&entry, connection)
                entries.append(entry)
            }
        }
        return entries.sorted { $0.namespace < $1.namespace }
    }

    /// Adds indexes and size.
    ///
    /// A collection that has just gone keeps what the list said of it: the oplog, which an
    /// unlocked dump takes along, tells the rest.
    private static func complete(_ entry: inout CatalogEntry, _ connection: MongoConnection) async throws {
        guard let source = entry.source else { return }
        do throws(MongoError) {
            entry.indexes = try await connection.all(
                entry.namespace.database,
                ["listIndexes": .string(entry.namespace.collection)]
            )
            let statistics = try await connection.command(
                source.database,
                ["collStats": .string(source.collection)]
            )
            entry.estimatedBytes = statistics["size"]?.integer ?? 0
            entry.averageDocument = Int(statistics["avgObjSize"]?.integer ?? 1024)
        } catch {
            guard error.code == MongoError.ServerCode.namespaceNotFound else { throw error }
        }
    }
}
