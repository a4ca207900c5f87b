import BSON
import BackupModel

extension ShardIdentity {
    /// Asks a member of a replica set what it is to a sharded cluster; nil when it belongs to none.
    ///
    /// A shard knows itself by `shardIdentity` in `admin.system.version`, the config server by its own start option
    /// (`configsvr` in `hello`), `config.version` and `config.shards`.
    init?(asking connection: MongoConnection, hello: BSONDocument) async throws(MongoError) {
        guard hello["configsvr"] != nil else {
            let found = try await connection.all(
                "admin",
                ["find": "system.version", "filter": ["_id": "shardIdentity"], "limit": 1, "singleBatch": true]
            )
            guard let identity = found.first, let name = identity["shardName"]?.string,
                case .objectID(let id)? = identity["clusterId"]
            else { return nil }
            self.init(clusterID: id.description, isConfigServer: false, shard: name)
            return
        }
        let version = try await connection.all("config", ["find": "version", "limit": 1, "singleBatch": true])
        var clusterID = ""
        if case .objectID(let id)? = version.first?["clusterId"] { clusterID = id.description }
        self.init(clusterID: clusterID, isConfigServer: true, shards: try await Self.shards(connection))
    }

    /// Every shard in `config.shards` as this member of the config server has it, by name.
    static func shards(_ connection: MongoConnection) async throws(MongoError) -> [Shard] {
        try await connection.all("config", ["find": "shards", "sort": ["_id": 1]]).map { shard in
            let hosts = shard["host"]?.string ?? ""
            return Shard(
                name: shard["_id"]?.string ?? "",
                replicaSet: String(hosts.prefix { $0 != "/" })
            )
        }
    }
}

extension ShardIdentity.Shard {
    /// Whether both are the same by their bytes.
    func isExactly(_ other: Self) -> Bool {
        name.utf8.elementsEqual(other.name.utf8) && replicaSet.utf8.elementsEqual(other.replicaSet.utf8)
    }
}
