/// All that a restore of a sharded cluster must bring back, described so that two clusters can be compared.
///
/// Each shard's own documents (orphans left out, however many there are), options, indexes, users and roles; the routing
/// table; the config servers' users and roles. What belongs to one cluster alone is left out: UUIDs, epochs, versions,
/// addresses. Shards are named by their place (`shard 0`), so that clusters with other names can be compared.
public struct ShardedFingerprint: Sendable, Hashable {
    /// The config servers: users and roles.
    public var config: ClusterFingerprint
    /// The shards in order.
    ///
    /// A sharded collection is there where it owns a chunk, its `hash` a sum over the documents
    /// that the shard owns.
    public var shards: [ClusterFingerprint]
    /// The routing table: `database shop`, `collection shop.orders`, `chunk of shop.orders from { "_id" : … }`,
    /// `zone of shop.orders from …`, `shard 0`, `setting balancer`.
    public var routing: [String: String]
    /// What can't be in a sound cluster, a sentence each: holes between chunks, documents on a shard that doesn't own
    /// them and that nobody will delete, a collection with another UUID than the routing table says.
    public var contradictions: [String]

    /// Describes a cluster, which nobody may write to meanwhile.
    ///
    /// - Parameters:
    ///   - cluster: with a primary in each group.
    ///   - databases: which ones; all but `local` and `config` by default.
    /// - Returns: the description.
    /// - Throws: `MongoError`, `TestSupportError`.
    public static func read(
        _ cluster: ShardedCluster,
        databases: (@Sendable (String) -> Bool)? = nil
    ) async throws -> ShardedFingerprint {
        let routing = try await RoutingTable.read(cluster, databases: databases)
        let config = try await ClusterFingerprint.read(cluster.configClient(), databases: databases)
        let readings = try await withThrowingTaskGroup(of: (Int, ShardReading).self) { tasks in
            for (index, name) in cluster.shardNames.enumerated() {
                tasks.addTask { (index, try await ShardReading.read(cluster, name, routing, databases)) }
            }
            return try await tasks.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        let shards = cluster.shards.indices.compactMap { readings[$0] }
        return ShardedFingerprint(
            config: config,
            shards: shards.map(\.fingerprint),
            routing: routing.entries,
            contradictions: routing.contradictions + shards.flatMap(\.contradictions)
        )
    }

    /// The same without the balancer's settings: one that was stopped and started has them written down.
    public func withoutBalancerSettings() -> ShardedFingerprint {
        var result = self
        result.routing["setting balancer"] = nil
        result.routing["setting autosplit"] = nil
        return result
    }

    /// The same without the user that tests let Remora log in as, whom no restore replaces.
    public func withoutRemoraUser() -> ShardedFingerprint {
        var result = self
        let user = "admin.\(MongoUser.remora.name)"
        result.config.users[user] = nil
        for index in result.shards.indices { result.shards[index].users[user] = nil }
        return result
    }

    /// The same with two shards named the other way round: what a restore that swaps them must bring.
    public func withShardsSwapped() -> ShardedFingerprint {
        var result = self
        result.shards.swapAt(0, 1)
        func swapped(_ text: String) -> String {
            text.replacing("shard 0", with: "shard #").replacing("shard 1", with: "shard 0").replacing(
                "shard #",
                with: "shard 1"
            )
        }
        result.routing = Dictionary(uniqueKeysWithValues: routing.map { (swapped($0.key), swapped($0.value)) })
        return result
    }

    /// What `other` has differently, a sentence each; empty when both are equal and neither contradicts itself.
    public func differences(from other: ShardedFingerprint) -> [String] {
        var sentences = differencesBesidesData(from: other)
        sentences += compare("routing:", routing, other.routing)
        for index in 0..<max(shards.count, other.shards.count) {
            let empty = ClusterFingerprint()
            let (mine, theirs) = (
                index < shards.count ? shards[index] : empty, index < other.shards.count ? other.shards[index] : empty
            )
            sentences += mine.differences(from: theirs).map { "shard \(index): \($0)" }
        }
        return sentences
    }

    /// What `other` has differently when it doesn't matter which shard has a document.
    ///
    /// For a restore onto another number of shards. Databases, sharded collections and zones are compared, chunks and shards' own users aren't.
    public func differencesAsOne(from other: ShardedFingerprint) -> [String] {
        func placeless(_ fingerprint: ShardedFingerprint) -> [String: String] {
            fingerprint.routing.filter { $0.key.hasPrefix("collection ") || $0.key.hasPrefix("zone ") }
        }
        var (mine, theirs) = (ClusterFingerprint(), ClusterFingerprint())
        mine.collections = collectionsAsOne()
        theirs.collections = other.collectionsAsOne()
        return differencesBesidesData(from: other) + compare("routing:", placeless(self), placeless(other))
            + mine.differences(from: theirs)
    }

    private func differencesBesidesData(from other: ShardedFingerprint) -> [String] {
        contradictions.map { "contradiction in the one: \($0)" }
            + other.contradictions.map { "contradiction in the other: \($0)" }
            + config.differences(from: other.config).map { "config servers: \($0)" }
    }

    /// Collections of all shards together: counts and sums added.
    private func collectionsAsOne() -> [String: ClusterFingerprint.Collection] {
        var result: [String: ClusterFingerprint.Collection] = [:]
        for shard in shards {
            result.merge(shard.collections) { mine, theirs in
                var sum = mine
                sum.count = (mine.count ?? 0) + (theirs.count ?? 0)
                sum.hash = ContentSum(mine.hash) + ContentSum(theirs.hash)
                return sum
            }
        }
        return result
    }
}

/// A sum over documents' hashes: it doesn't depend on their order, and sums of parts can be added.
struct ContentSum {
    private(set) var value: UInt64

    /// None yet, or what `description` wrote.
    init(_ text: String? = nil) {
        value = text.flatMap { UInt64($0, radix: 16) } ?? 0
    }

    mutating func add(_ document: UnsafeRawBufferPointer) {
        value &+= hashed(document, onto: hashStart)
    }

    var text: String { String(value, radix: 16) }

    static func + (left: ContentSum, right: ContentSum) -> String {
        String(left.value &+ right.value, radix: 16)
    }
}

/// One shard's part.
private struct ShardReading {
    var fingerprint: ClusterFingerprint
    var contradictions: [String] = []

    static func read(
        _ cluster: ShardedCluster,
        _ name: String,
        _ routing: RoutingTable,
        _ databases: (@Sendable (String) -> Bool)?
    ) async throws -> ShardReading {
        let client = try cluster.shardClient(name)
        var reading = ShardReading(fingerprint: try await ClusterFingerprint.read(client, databases: databases))
        for (namespace, uuid) in routing.uuids.sorted(by: { $0.key < $1.key }) {
            try await reading.readSharded(namespace, uuid, cluster, name, client)
        }
        for namespace in reading.fingerprint.collections.keys.sorted() {
            let database = namespace.prefix { $0 != "." }
            guard database != "admin", routing.primaries[String(database)] != name else { continue }
            let isSharded = routing.uuids.keys.contains { visible($0) == namespace }
            if !isSharded {
                reading.contradictions.append("\(namespace) is on \(name), which isn't its database's primary shard")
            }
        }
        return reading
    }

    private mutating func readSharded(
        _ namespace: String,
        _ uuid: String,
        _ cluster: ShardedCluster,
        _ name: String,
        _ client: MongoClient
    ) async throws {
        let key = visible(namespace)
        let (database, collection) = try ShardedCluster.split(namespace)
        let filter = try await cluster.ownershipFilter(of: namespace, on: name)
        guard let filter else {
            // The collection may be there or not where it has no chunk; documents may not.
            if let count = fingerprint.collections.removeValue(forKey: key)?.count, count > 0 {
                try await explain(count, namespace, uuid, name, client)
            }
            return
        }
        guard let held = fingerprint.collections[key] else {
            contradictions.append("\(name) owns chunks of \(key) and does not have the collection")
            return
        }
        var (sum, count) = (ContentSum(), 0)
        // Keys know no collation, and a collection's own would be the filter's.
        let options = #"{"collation": {"locale": "simple"}}"#
        for document in try await client.find(in: collection, of: database, filter: filter, options: options) {
            document.bytes.withUnsafeBytes { sum.add($0) }
            count += 1
        }
        fingerprint.collections[key]?.hash = sum.text
        fingerprint.collections[key]?.count = count
        if let all = held.count, all > count { try await explain(all - count, namespace, uuid, name, client) }

        let list = #"{"listCollections": 1, "filter": {"name": \#(quoted(collection))}}"#
        let info = try await client.command(list, on: database)["cursor.firstBatch.0.info"]?.document
        if info?.json(of: "uuid") != uuid {
            contradictions.append("\(key) has the UUID \(info?.json(of: "uuid") ?? "none") on \(name), not \(uuid)")
        }
    }

    /// Orphans are sound when the shard knows that it has to delete them.
    private mutating func explain(
        _ count: Int,
        _ namespace: String,
        _ uuid: String,
        _ name: String,
        _ client: MongoClient
    ) async throws {
        let filter = #"{"collectionUuid": \#(uuid)}"#
        guard try await client.count("rangeDeletions", of: "config", filter: filter) == 0 else { return }
        contradictions.append(
            "\(name) has \(count) documents of \(visible(namespace)) that it doesn't own, and won't delete them"
        )
    }
}
