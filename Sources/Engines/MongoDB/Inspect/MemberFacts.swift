import BSON
import BackupModel

/// What one member answered when it was asked about itself: raw replies, nothing concluded yet.
struct MemberFacts: Sendable {
    var hello: BSONDocument
    var version: String
    var featureCompatibilityVersion: String?
    /// `connectionStatus` with privileges.
    var connectionStatus: BSONDocument?
    /// Whether commands that need a log-in are refused to somebody who has none.
    var refusesAnonymous = false
    var status: BSONDocument?
    var config: BSONDocument?
    var oplogFirst: ClusterTime?
    var oplogLast: ClusterTime?
    /// How full the oplog is: bytes in it, and bytes that it may have.
    var oplogFill: (used: Double, most: Double)?
    /// `currentOp` says that the member is locked, or about to be.
    var isLocked = false
    var dataBytes: Int64?
    /// The sharded cluster that the member belongs to.
    var sharding: ShardIdentity?
    /// Commands that were refused although the member is there: why.
    var refusals: [String] = []
}

extension MemberFacts {
    /// Asks.
    ///
    /// Only the first two questions must be answered; the others' refusals are facts too.
    init(asking connection: MongoConnection) async throws(MongoError) {
        hello = try await connection.command("admin", ["hello": 1])
        version = try await connection.command("admin", ["buildInfo": 1])["version"]?.string ?? "unknown"
        if let reply = await ask(connection, ["connectionStatus": 1, "showPrivileges": true]) {
            connectionStatus = reply
            if reply[path: "authInfo", "authenticatedUsers"]?.array?.isEmpty == true {
                refusesAnonymous = await ask(connection, ["listDatabases": 1, "nameOnly": true]) == nil
            }
        }
        guard !refusesAnonymous, hello["arbiterOnly"]?.truth != true else { return }
        let fcv = await ask(connection, ["getParameter": 1, "featureCompatibilityVersion": 1])
        featureCompatibilityVersion = fcv?[path: "featureCompatibilityVersion", "version"]?.string
        isLocked = await ask(connection, MemberFacts.lockQuestion)?["fsyncLock"]?.truth == true
        dataBytes = await dataSize(connection)
        guard hello["setName"] != nil else { return }
        status = await ask(connection, ["replSetGetStatus": 1])
        config = await ask(connection, ["replSetGetConfig": 1])?["config"]?.document
        oplogFirst = await oplogEntry(connection, 1)
        oplogLast = await oplogEntry(connection, -1)
        oplogFill = await oplogSize(connection)
        sharding = await askForCluster(connection)
    }

    /// Whether the member is locked stands beside the list of operations; the filter keeps that list short.
    static let lockQuestion: BSONDocument = ["currentOp": 1, "desc": "fsyncLockWorker"]

    private mutating func ask(_ connection: MongoConnection, _ command: BSONDocument) async -> BSONDocument? {
        do throws(MongoError) {
            return try await connection.command("admin", command)
        } catch {
            refusals.append("\(command.keys.first ?? "command"): \(error)")
            return nil
        }
    }

    private mutating func dataSize(_ connection: MongoConnection) async -> Int64? {
        guard let reply = await ask(connection, ["listDatabases": 1]) else { return nil }
        let databases = reply["databases"]?.array?.compactMap(\.document) ?? []
        return databases.reduce(0) { total, database in
            let isOurs = CatalogRules.includes(database: database["name"]?.string ?? "")
            return total + (isOurs ? database["sizeOnDisk"]?.integer ?? 0 : 0)
        }
    }

    private mutating func askForCluster(_ connection: MongoConnection) async -> ShardIdentity? {
        do throws(MongoError) {
            return try await ShardIdentity(asking: connection, hello: hello)
        } catch {
            refusals.append("reading what it is to its sharded cluster: \(error)")
            return nil
        }
    }

    private mutating func oplogSize(_ connection: MongoConnection) async -> (used: Double, most: Double)? {
        do throws(MongoError) {
            let statistics = try await connection.command("local", ["collStats": "oplog.rs"])
            guard let used = statistics["size"]?.number, let most = statistics["maxSize"]?.number else { return nil }
            return (used, most)
        } catch {
            refusals.append("reading the oplog's size: \(error)")
            return nil
        }
    }

    private mutating func oplogEntry(_ connection: MongoConnection, _ direction: Int) async -> ClusterTime? {
        do throws(MongoError) {
            let entries = try await connection.all(
                "local",
                [
                    "find": "oplog.rs", "sort": ["$natural": .integer(direction)], "limit": 1, "singleBatch": true,
                    "projection": ["ts": 1],
                ]
            )
            return entries.first?["ts"]?.timestamp.map { ClusterTime(bits: $0) }
        } catch {
            refusals.append("reading the oplog: \(error)")
            return nil
        }
    }
}
