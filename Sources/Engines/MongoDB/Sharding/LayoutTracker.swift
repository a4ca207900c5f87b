import BSON
import BackupModel

/// Which changes of a cluster's layout are under way on a group, at a point of its oplog.
///
/// Every group restores to exactly T, so whatever had ended at T is there as a whole, and whatever began after T not at
/// all: chunks that were moved (the donor's copies are orphans that `config.rangeDeletions` tells of), collections that
/// were made, sharded, renamed or dropped on all shards, databases with a new primary. That follows from cluster time:
/// a server that coordinates such a change writes a document of its own before the first step on any group and removes
/// it after the last one, and the others' steps come between the two in cluster time, because their clocks are carried
/// along by the commands. What makes a cut wrong is a change in the *middle* of which it falls: some groups have their
/// part of it and some don't, and nobody is left who would end it. So those documents are followed, from what the member
/// has when reading begins, along the oplog to T. Splits and merges of chunks, zones and settings, indexes made one shard
/// after the other: single steps of one group each, which are harmless anywhere.
struct LayoutTracker: Sendable {
    /// The documents of schema changes over several shards (5.0 and later), on the primary shard of the database.
    static let coordinators = "system.sharding_ddl_coordinators"
    /// Collections in `config` whose documents stand for a change under way, and what it is.
    static let collections: [(name: String, change: String)] = [
        (coordinators, "a change of schema"), ("migrationCoordinators", "a move of a chunk"),
        ("reshardingOperations", "a resharding"), ("sharding_configsvr_coordinators", "a change of the cluster"),
    ]

    /// Whether anything is to be followed: outside of a cluster, nothing is.
    private(set) var isActive: Bool
    /// What is under way, by collection and `_id`.
    private var underWay: [[UInt8]: String] = [:]

    /// One sentence's part for each change that is under way.
    var changes: [String] { underWay.values.sorted() }

    /// Reads what a member has under way now, or had at a point of its history.
    ///
    /// Of now: taken after the point at which the oplog is followed. What comes or goes in between is in both, and seen
    /// twice does no harm.
    init(asking connection: MongoConnection, at time: ClusterTime? = nil) async throws(MongoError) {
        var found: [(collection: String, document: BSONDocument)] = []
        for (name, _) in Self.collections {
            let find: BSONDocument = ["find": .string(name), "readConcern": time?.readConcern ?? ["level": "local"]]
            for document in try await connection.all("config", find) { found.append((name, document)) }
        }
        self.init(underWay: found)
    }

    /// Follows on from documents that are known, by the collections of `config` that they are in.
    init(underWay documents: [(collection: String, document: BSONDocument)]) {
        isActive = true
        for (name, document) in documents {
            guard let (_, change) = Self.collections.first(where: { $0.name == name }) else { continue }
            note(name, change, document["_id"], document)
        }
    }

    /// Follows nothing.
    init() { isActive = false }

    /// Takes the next entry: its operation, namespace, object and key.
    mutating func take(_ operation: UInt8, _ namespace: String, _ object: BSONDocument, _ key: BSONDocument?) {
        guard let (name, change) = Self.collections.first(where: { "config.\($0.name)" == namespace }) else { return }
        switch operation {
        case UInt8(ascii: "i"): note(name, change, object["_id"], object)
        case UInt8(ascii: "d"): underWay[Self.key(name, object["_id"])] = nil
        case UInt8(ascii: "u"):
            let id = Self.key(name, key?["_id"])
            if underWay[id] == nil { note(name, change, key?["_id"], object) }
        default: break
        }
    }

    private mutating func note(_ name: String, _ change: String, _ id: BSONValue?, _ document: BSONDocument) {
        let subject =
            id?.document?["namespace"]?.string ?? document["nss"]?.string ?? document["ns"]?.string
            ?? document["namespace"]?.string
        let kind = id?.document?["operationType"]?.string.map { "\(change) (\($0))" } ?? change
        underWay[Self.key(name, id)] = subject.map { "\(kind) of \($0)" } ?? kind
    }

    private static func key(_ name: String, _ id: BSONValue?) -> [UInt8] {
        Array(name.utf8) + BSONDocument([("_id", id ?? .null)]).bytes
    }
}
