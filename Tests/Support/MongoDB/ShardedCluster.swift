import Foundation
import Synchronization

/// How a sharded cluster is started.
public struct ShardedClusterOptions: Sendable {
    /// Members of the config servers' set.
    public var configMembers: [ReplicaSetMember]
    /// Members of each shard's set.
    public var shardMembers: [[ReplicaSetMember]]
    /// How every member is started; orphans go after three seconds instead of fifteen minutes.
    public var mongo: MongoOptions
    /// How long a group's members wait for a lost primary.
    public var electionTimeoutMilliseconds = 5000
    /// Whether the balancer is left on, as in a new cluster.
    ///
    /// With data as small as a test's it moves only what a zone wants elsewhere.
    public var isBalancing = true

    /// A cluster with log-ins: `shards` shards of `members` members, and `configMembers` config servers.
    public init(shards: Int = 2, members: Int = 1, configMembers: Int = 1, isAuthenticated: Bool = true) {
        self.configMembers = Array(repeating: ReplicaSetMember(), count: configMembers)
        shardMembers = Array(repeating: Array(repeating: ReplicaSetMember(), count: members), count: shards)
        mongo = MongoOptions()
        mongo.isAuthenticated = isAuthenticated
        mongo.oplogMB = 64
        mongo.parameters["orphanCleanupDelaySecs"] = "3"
    }
}

/// A real sharded cluster on loopback, without a router: `mongod` is all there is, and answers itself what a router
/// would ask it (MongoDB 6.0; the commands are internal ones and belong to that version).
///
/// Shards are called `rsA`, `rsB` …, the config servers `cfg`, which are also the names of their sets. Writes go straight
/// to the shard that owns the document: `insert` asks the routing table.
public final class ShardedCluster: Sendable {
    /// How it was started.
    public let options: ShardedClusterOptions
    /// The config servers.
    public let config: ReplicaSet
    /// The shards, in the order of their names.
    public let shards: [ReplicaSet]

    private let clients = Mutex<[String: MongoClient]>([:])

    /// Starts all members at once, and returns when every shard has been added and all members are in sync.
    ///
    /// - Throws: `TestSupportError`, `MongoError`.
    public static func start(
        _ options: ShardedClusterOptions = ShardedClusterOptions(),
        in directory: TestDirectory
    ) async throws -> ShardedCluster {
        let secret = ReplicaSet.makeKeyFileSecret()
        func group(_ name: String, _ members: [ReplicaSetMember], _ role: String) -> ReplicaSetOptions {
            var group = ReplicaSetOptions()
            group.name = name
            group.members = members
            group.mongo = options.mongo
            group.mongo.arguments.append(role)
            group.isConfigServer = role == "--configsvr"
            group.keyFileSecret = secret
            group.electionTimeoutMilliseconds = options.electionTimeoutMilliseconds
            return group
        }
        let config = group("cfg", options.configMembers, "--configsvr")
        let shards = options.shardMembers.enumerated().map { group(shardName($0), $1, "--shardsvr") }
        let sets = try await withThrowingTaskGroup(of: (Int, ReplicaSet).self) { tasks in
            for (index, set) in ([config] + shards).enumerated() {
                tasks.addTask { (index, try await ReplicaSet.start(set, in: directory)) }
            }
            return try await tasks.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        guard let config = sets[0] else { throw TestSupportError("there is no config server") }
        let cluster = ShardedCluster(options, config, shards.indices.compactMap { sets[$0 + 1] })
        for shard in cluster.shards { try await cluster.add(shard) }
        if !options.isBalancing { try await cluster.stopBalancer() }
        try await cluster.waitUntilInSync()
        return cluster
    }

    private init(_ options: ShardedClusterOptions, _ config: ReplicaSet, _ shards: [ReplicaSet]) {
        self.options = options
        self.config = config
        self.shards = shards
    }

    /// `rsA`, `rsB` … `rsZ`.
    public static func shardName(_ index: Int) -> String {
        "rs\(UnicodeScalar(UInt8(ascii: "A") + UInt8(index)))"
    }

    /// Shards' names in order.
    public var shardNames: [String] { shards.map(\.options.name) }

    /// All groups: the config servers first.
    public var groups: [ReplicaSet] { [config] + shards }

    /// All members of all groups.
    public var members: [MongoServer] { groups.flatMap(\.members) }

    /// The shard with a name.
    public func shard(_ name: String) throws -> ReplicaSet {
        guard let shard = shards.first(where: { $0.options.name == name }) else {
            throw TestSupportError("there is no shard \(name), only \(shardNames)")
        }
        return shard
    }

    /// Makes a running set a shard, which must hold no data yet.
    public func add(_ set: ReplicaSet) async throws {
        let name = set.options.name
        let hosts = set.members.map(\.address).joined(separator: ",")
        try await configCommand(#"{"_configsvrAddShard": "\#(name)/\#(hosts)", "name": "\#(name)""#)
    }

    /// Waits until every member of every group has what its primary has now.
    public func waitUntilInSync() async throws {
        for group in groups { try await group.waitUntilInSync() }
    }

    /// Ends all members at once, as crashes do.
    public func kill() async {
        await withTaskGroup(of: Void.self) { tasks in
            for group in groups { tasks.addTask { await group.kill() } }
        }
    }

    /// A client of the config servers that may do what servers ask of each other; its writes find the primary.
    public func configClient() throws -> MongoClient { try client(of: config) }

    /// A client of a shard that may do what servers ask of each other; its writes find the primary.
    public func shardClient(_ name: String) throws -> MongoClient { try client(of: shard(name)) }

    /// A connection to a shard's present primary that adds nothing to its commands.
    ///
    /// It logs in as `user`, by default as the servers' own user, who alone may prepare a transaction by hand.
    public func wireConnection(to name: String, as user: MongoUser? = nil) async throws -> WireConnection {
        let set = try shard(name)
        return try await set.primary().wireConnection(as: user ?? set.systemUser)
    }

    private func client(of set: ReplicaSet) throws -> MongoClient {
        try clients.withLock { clients in
            if let client = clients[set.options.name] { return client }
            let client = try set.client(as: set.systemUser)
            clients[set.options.name] = client
            return client
        }
    }

    /// Runs a command, given without its closing brace, on the config servers' primary with the write concern that
    /// these commands ask for.
    @discardableResult
    func configCommand(_ open: String) async throws -> TestDocument {
        try await configClient().command(open + #", "writeConcern": {"w": "majority"}}"#)
    }
}
