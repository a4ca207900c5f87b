import BSON
import BackupModel

/// A sharded cluster's routing table as a backup has it at its cut, and what it becomes in another cluster.
///
/// Pure. Names of shards are mapped wherever they stand; databases, collections and chunks get a new generation, because
/// routers and shards never go back to an older one: with that of the backup, a router that has seen the target before
/// would know better than the config server until it is restarted. UUIDs, keys, bounds, zones and everything else stay.
struct StoredRouting: Sendable {
    /// The collections in `config` that make up the routing table and what belongs to it.
    static let collections = ["databases", "collections", "chunks", "tags", "shards", "settings"]

    /// Where a collection of `config` is put while it is loaded and brought to the cut by the oplog.
    ///
    /// In `admin`, which the config server's user may write to; the target's own `config` is not touched by it.
    static func store(_ name: String) -> Namespace {
        Namespace(database: "admin", collection: Namespace.restorePrefix + "config_\(name)")
    }

    /// What tells the restored routing table from all before it.
    struct Generation: Sendable, Hashable {
        /// A cluster time of the target: later than any that its servers have cached.
        var time: ClusterTime
        /// Of which session it is: the version of every database that it brings carries this as its UUID.
        var marker: [UInt8]

        /// The session's marker, the same for all of its jobs.
        static func marker(_ part: ClusterPart) -> [UInt8] {
            let time = UInt64(bitPattern: part.begunMs)
            return Array("remora".utf8) + [0x40, 0, 0x80, 0]
                + (0..<6).map { UInt8(truncatingIfNeeded: time >> (40 - 8 * $0)) }
        }
    }

    /// Documents by collection.
    private let documents: [String: [BSONDocument]]

    /// Takes the documents of each collection at the cut.
    init(_ documents: [String: [BSONDocument]]) { self.documents = documents }

    /// Everything that is written into the target's `config`.
    struct Mapped: Sendable {
        var databases: [BSONDocument] = []
        var collections: [BSONDocument] = []
        var chunks: [BSONDocument] = []
        var tags: [BSONDocument] = []
        /// Zones of shards by their names in the target.
        var zones: [(shard: String, zones: [String])] = []
        var settings: [BSONDocument] = []

        /// Names of the databases: whatever the target has of them gives way.
        var replaced: Set<ExactText> { Set(databases.compactMap { $0["_id"]?.string }.map(ExactText.init)) }
    }

    /// Makes it fit the target.
    ///
    /// - Parameters:
    ///   - names: shards in the backup → in the target.
    ///   - generation: of the target.
    /// - Returns: what to write.
    /// - Throws: `JobFailure` when a shard has no counterpart, or the table contradicts itself.
    func mapped(_ names: [String: String], _ generation: Generation) throws -> Mapped {
        let names = Dictionary(names.map { (ExactText($0.key), $0.value) }) { first, _ in first }
        func target(_ value: BSONValue?, _ what: String) throws -> BSONValue {
            guard let name = value?.string, let target = names[ExactText(name)] else {
                throw ClusterRestoreFailure.unmapped(value?.string ?? "?", what)
            }
            return .string(target)
        }
        var result = Mapped()
        for database in documents["databases"] ?? [] {
            guard let name = database["_id"]?.string, !Namespace.systemDatabases.contains(name) else { continue }
            let version: BSONDocument = [
                "uuid": .binary(subtype: 4, bytes: generation.marker), "timestamp": .timestamp(generation.time.bits),
                "lastMod": 1,
            ]
            result.databases.append(
                database.replacing("primary", with: try target(database["primary"], "database \(name)"))
                    .replacing("version", with: .document(version))
            )
        }
        var owners: [[UInt8]: String] = [:]
        for collection in documents["collections"] ?? [] {
            guard let name = collection["_id"]?.string, let namespace = Namespace(name),
                !Namespace.systemDatabases.contains(namespace.database), collection["dropped"]?.truth != true
            else { continue }
            guard let uuid = collection["uuid"]?.uuid else {
                throw RestoreFailure.unsuitableServer(
                    "\(name) is sharded as MongoDB before 5.0 did it, which is not supported"
                )
            }
            guard collection["reshardingFields"] == nil else {
                throw RestoreFailure.damagedSnapshot("\(name) was being resharded at the cut")
            }
            owners[uuid] = name
            let epoch = (0..<12).map { _ in UInt8.random(in: 0...255) }
            result.collections.append(
                collection.replacing("lastmodEpoch", with: BSONObjectID(epoch).map(BSONValue.objectID) ?? .null)
                    .replacing("timestamp", with: .timestamp(generation.time.bits))
            )
        }
        var covered: Set<[UInt8]> = []
        for chunk in documents["chunks"] ?? [] {
            guard let uuid = chunk["uuid"]?.uuid, let name = owners[uuid] else { continue }
            covered.insert(uuid)
            let shard = try target(chunk["shard"], "a chunk of \(name)")
            let since = BSONValue.timestamp(generation.time.bits)
            var mapped = chunk.replacing("shard", with: shard).replacing(
                "history",
                with: .array([.document(["validAfter": since, "shard": shard])])
            )
            if chunk["onCurrentShardSince"] != nil { mapped = mapped.replacing("onCurrentShardSince", with: since) }
            result.chunks.append(mapped)
        }
        if let empty = owners.first(where: { !covered.contains($0.key) }) {
            throw RestoreFailure.damagedSnapshot("config.chunks in the snapshot has no chunk of \(empty.value)")
        }
        result.tags = (documents["tags"] ?? []).filter { tag in
            guard let namespace = tag["ns"]?.string.flatMap({ Namespace($0) }) else { return false }
            return !Namespace.systemDatabases.contains(namespace.database)
        }
        for shard in documents["shards"] ?? [] {
            let name = try target(shard["_id"], "a shard")
            result.zones.append((name.string ?? "", shard["tags"]?.array?.compactMap(\.string) ?? []))
        }
        result.settings = documents["settings"] ?? []
        return result
    }
}

extension BSONValue {
    /// The 16 bytes of a UUID.
    var uuid: [UInt8]? {
        if case .binary(_, let bytes) = self, bytes.count == 16 { return bytes }
        return nil
    }
}
