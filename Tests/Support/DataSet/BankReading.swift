/// What one shard had of the bank at one moment, and whether several shards' parts fit together.
public struct BankReading: Sendable {
    private var balances: [Int: Int] = [:]
    private var entries: [(transfer: String, account: Int, amount: Int)] = []
    private var counter: Int?

    /// Reads one shard's part.
    ///
    /// - Parameters:
    ///   - shard: its name; what it has and doesn't own is left out.
    ///   - cluster: a live one or a restored one.
    ///   - time: for all parts of one snapshot; `nil` reads what is there now, which fits other parts only if nobody
    ///     writes.
    /// - Returns: the part.
    /// - Throws: `MongoError`.
    public static func read(
        _ shard: String,
        of cluster: ShardedCluster,
        at time: ClusterTime? = nil
    ) async throws -> BankReading {
        let connection = try await cluster.wireConnection(to: shard)
        var reading = BankReading()
        func documents(_ collection: String) async throws -> [TestDocument] {
            let namespace = "\(BankWorkload.database).\(collection)"
            guard let filter = try await cluster.ownershipFilter(of: namespace, on: shard) else { return [] }
            // One reply holds 16 MB, far more than a test writes.
            var find = #"{"find": "\#(collection)", "filter": \#(filter), "batchSize": 1000000, "singleBatch": true"#
            if let stamp = time?.document?["clusterTime"]?.timestamp {
                find += #", "readConcern": {"level": "snapshot", "atClusterTime": {"$timestamp": "#
                find += #"{"t": \#(stamp >> 32), "i": \#(stamp & 0xffff_ffff)}}}"#
            }
            return try await connection.command(find + "}", on: BankWorkload.database, after: time?.copy())[
                "cursor.firstBatch"
            ]?
            .documents ?? []
        }
        for account in try await documents("accounts") {
            reading.balances[account["_id"]?.int ?? -1] = account["balance"]?.int
        }
        for entry in try await documents("ledger") {
            reading.entries.append(
                (entry["transfer"]?.string ?? "", entry["account"]?.int ?? -1, entry["amount"]?.int ?? 0)
            )
        }
        reading.counter = try await documents("counters").first?["n"]?.int
        return reading
    }

    /// Looks whether the parts, in the order of the shards' names, were ever true at one moment.
    ///
    /// - Parameter parts: of all shards.
    /// - Returns: a sentence for everything that can't have been; empty when all is well.
    public static func contradictions(in parts: [BankReading]) -> [String] {
        var sentences: [String] = []
        var bookings: [String: [Int]] = [:]
        for (index, part) in parts.enumerated() {
            if part.balances.isEmpty { sentences.append("shard \(index) has no accounts") }
            var expected = part.balances.mapValues { _ in BankWorkload.balance }
            for entry in part.entries {
                expected[entry.account, default: 0] += entry.amount
                bookings[entry.transfer, default: []].append(entry.amount)
            }
            let wrong = expected.filter { part.balances[$0.key] != $0.value }.keys.sorted()
            if !wrong.isEmpty { sentences.append("the ledger of shard \(index) contradicts its accounts \(wrong)") }
        }
        let half = bookings.filter { $0.value.count != 2 || $0.value.reduce(0, +) != 0 }.keys.sorted()
        if !half.isEmpty {
            sentences.append("\(half.count) of \(bookings.count) transfers are not whole: \(half.prefix(10))")
        }
        let accounts = parts.reduce(0) { $0 + $1.balances.count }
        let sum = parts.reduce(0) { $0 + $1.balances.values.reduce(0, +) }
        if accounts != parts.count * BankWorkload.accountsPerShard {
            sentences.append("there are \(accounts) accounts instead of \(parts.count * BankWorkload.accountsPerShard)")
        }
        if sum != accounts * BankWorkload.balance {
            sentences.append("all balances together are \(sum) instead of \(accounts * BankWorkload.balance)")
        }
        let counters = parts.map(\.counter)
        if counters.contains(nil) {
            sentences.append("a counter is missing: \(counters)")
        } else {
            let numbers = counters.compactMap(\.self)
            let isFalling = zip(numbers, numbers.dropFirst()).allSatisfy { $0 >= $1 }
            if !isFalling { sentences.append("a counter is ahead of one before it: \(numbers)") }
            if (numbers.first ?? 0) - (numbers.last ?? 0) > 1 {
                sentences.append("a counter is more than one behind: \(numbers)")
            }
        }
        return sentences
    }
}

extension BankWorkload {
    /// Looks whether what a cluster holds, and nobody writes to, was ever true at one moment.
    ///
    /// - Parameters:
    ///   - cluster: the live one after `stop`, or a restored one.
    ///   - shards: those with the data of the shards that were written to, in the order of their names; nil: its own.
    /// - Returns: a sentence for everything that can't have been; empty when all is well.
    /// - Throws: `MongoError`.
    public static func contradictions(in cluster: ShardedCluster, shards: [String]? = nil) async throws -> [String] {
        var parts: [BankReading] = []
        for name in shards ?? cluster.shardNames { parts.append(try await .read(name, of: cluster)) }
        return BankReading.contradictions(in: parts)
    }
}
