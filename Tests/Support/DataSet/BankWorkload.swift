import Synchronization

/// Writes over all shards of a cluster while it is backed up, in a way that shows afterwards whether what was restored was
/// ever true at one moment.
///
/// - Transfers between accounts on two shards are transactions; each leaves an entry in the ledger of both shards, so
///   half a transfer shows even where the sum happens to be right.
/// - A counter is written to all shards in the order of their names, each time waiting until a majority has it, and with
///   the cluster time of the write before: at every moment no counter is ahead of one before it, nor more than one behind.
public final class BankWorkload: Sendable {
    /// What was written.
    public struct Report: Sendable {
        /// Transfers that were committed.
        public var transfers = 0
        /// Transfers of which nothing is left.
        public var aborted = 0
        /// How far the counter is on all shards.
        public var counted = 0
        /// Errors that were met and survived (elections, conflicts).
        public var errors = 0
        /// The last of them.
        public var lastError = ""
    }

    static let database = "bank"
    static let balance = 1_000
    static let accountsPerShard = 40

    private let cluster: ShardedCluster
    private let pause: Duration
    private let report = Mutex(Report())
    private let task = Mutex<Task<Void, any Error>?>(nil)
    private let transfers = Mutex((areHeld: false, underWay: 0))

    /// Prepares one; nothing is written yet.
    ///
    /// - Parameters:
    ///   - cluster: with at least two shards; nobody may move the bank's chunks.
    ///   - pause: between two writes of one writer.
    public init(_ cluster: ShardedCluster, pause: Duration = .milliseconds(2)) {
        self.cluster = cluster
        self.pause = pause
    }

    /// What was written up to now.
    public var progress: Report { report.withLock { $0 } }

    /// Makes the accounts and starts the writers; returns when each has written something.
    public func start(writers: Int = 2) async throws {
        let accounts = try await openAccounts()
        let task = Task { [self] in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<writers { group.addTask { try await self.transfer(writer, accounts) } }
                group.addTask { try await self.count() }
                try await group.waitForAll()
            }
        }
        self.task.withLock { $0 = task }
        do {
            try await eventually("the bank is busy") { progress.transfers >= writers && progress.counted > 0 }
        } catch {
            try await stop()
            throw error
        }
    }

    /// Stops the writers; each finishes what it has begun.
    ///
    /// - Returns: what was written.
    /// - Throws: what stopped a writer before this did.
    @discardableResult public func stop() async throws -> Report {
        let task = task.withLock { $0 }
        task?.cancel()
        do {
            try await task?.value
        } catch is CancellationError {
            // As asked.
        }
        return progress
    }

    /// Runs `body` while no transfer is under way; the counter goes on.
    ///
    /// A primary that is locked while it coordinates a transaction over several shards can't write its decision, and
    /// the unlocking waits for that write: MongoDB 6.0.5 never comes out of it.
    public func withoutTransfers<Value>(_ body: () async throws -> Value) async throws -> Value {
        transfers.withLock { $0.areHeld = true }
        defer { transfers.withLock { $0.areHeld = false } }
        try await eventually("no transfer is under way") { transfers.withLock { $0.underWay == 0 } }
        return try await body()
    }

    /// Whether a transfer may begin; it is under way then.
    private func beginTransfer() -> Bool {
        transfers.withLock {
            if $0.areHeld { return false }
            $0.underWay += 1
            return true
        }
    }

    /// Makes accounts (by a hash over all shards), ledger and counters (by the shard's number); returns each shard's
    /// accounts.
    private func openAccounts() async throws -> [[Int]] {
        let (names, database) = (cluster.shardNames, Self.database)
        try await cluster.createDatabase(database, primary: names[0])
        try await cluster.shardCollection(
            "\(database).accounts",
            key: #"{"_id": "hashed"}"#,
            initialChunks: 2 * names.count
        )
        for collection in ["ledger", "counters"] {
            let namespace = "\(database).\(collection)"
            try await cluster.shardCollection(namespace, key: #"{"shard": 1}"#)
            for (index, name) in names.enumerated().dropFirst() {
                let end = index + 1 < names.count ? #"{"shard": \#(index + 1)}"# : nil
                try await cluster.moveRange(namespace, from: #"{"shard": \#(index)}"#, to: end, toShard: name)
            }
        }
        let accounts = (0..<names.count * Self.accountsPerShard).map { number in
            TestDocument { account in
                account.int32("_id", Int32(number))
                account.int64("balance", Int64(Self.balance))
            }
        }
        let counters = names.indices.map { index in
            TestDocument { counter in
                counter.string("_id", "counter \(index)")
                counter.int32("shard", Int32(index))
                counter.int64("n", 0)
            }
        }
        try await cluster.insert(accounts, into: "\(database).accounts")
        try await cluster.insert(counters, into: "\(database).counters")
        let owners = try await cluster.owners(of: accounts, in: "\(database).accounts")
        return names.map { name in owners.indices.filter { owners[$0] == name } }
    }

    private func note(_ error: any Error) {
        report.withLock {
            $0.errors += 1
            $0.lastError = "\(error)"
        }
    }

    // MARK: Transfers

    private func transfer(_ writer: Int, _ accounts: [[Int]]) async throws {
        var generator = Generator(seed: UInt64(writer + 1))
        let connections = BankConnections(cluster)
        let session = SessionIdentifier()
        var number = 0
        while !Task.isCancelled {
            guard beginTransfer() else {
                try await Task.sleep(for: .milliseconds(20))
                continue
            }
            defer { transfers.withLock { $0.underWay -= 1 } }
            number += 1
            let from = generator.below(accounts.count)
            let to = (from + 1 + generator.below(accounts.count - 1)) % accounts.count
            let amount = 1 + generator.below(20)
            let name = "\(writer)/\(number)"
            let transaction = CrossShardTransaction(session: session, number: number, clusterTime: connections.time)
            var outcome = CrossShardTransaction.Outcome.aborted
            do {
                let source = generator.pick(accounts[from])
                let target = generator.pick(accounts[to])
                try await book(transaction, connections, name, shard: from, account: source, amount: -amount)
                try await book(transaction, connections, name, shard: to, account: target, amount: amount)
                // Whatever happens now, its outcome is looked for: a cancelled writer too must not leave it open.
                outcome = try await Task { try await transaction.commit { try await connections.renew($0) } }.value
            } catch let error as MongoError {
                note(error)
            }
            if outcome == .aborted { await transaction.abort { try await connections.renew($0) } }
            report.withLock {
                $0.transfers += outcome == .committed ? 1 : 0
                $0.aborted += outcome == .aborted ? 1 : 0
            }
            try await Task.sleep(for: pause)
        }
    }

    private func book(
        _ transaction: CrossShardTransaction,
        _ connections: BankConnections,
        _ name: String,
        shard: Int,
        account: Int,
        amount: Int
    ) async throws {
        let shardName = cluster.shardNames[shard]
        let connection = try await connections.to(shardName)
        let update = """
            {"update": "accounts", "updates": [{"q": {"_id": \(account)},
             "u": {"$inc": {"balance": {"$numberLong": "\(amount)"}}}}]}
            """
        let entry = """
            {"insert": "ledger", "documents": [{"_id": "\(name)/\(shard)", "shard": \(shard), "transfer": "\(name)",
             "account": \(account), "amount": {"$numberLong": "\(amount)"}}]}
            """
        let reply = try await transaction.run(update, on: Self.database, shard: shardName, over: connection)
        guard reply["n"]?.int == 1 else {
            throw TestSupportError("account \(account) is not on \(shardName): somebody moved the bank's chunks")
        }
        try await transaction.run(entry, on: Self.database, shard: shardName, over: connection)
    }

    // MARK: Counter

    private func count() async throws {
        let connections = BankConnections(cluster)
        var number = 0
        while !Task.isCancelled {
            number += 1
            for (index, name) in cluster.shardNames.enumerated() {
                let command = """
                    {"update": "counters", "updates": [{"q": {"_id": "counter \(index)", "shard": \(index)},
                     "u": {"$set": {"n": {"$numberLong": "\(number)"}}}}], "writeConcern": {"w": "majority"}}
                    """
                // Written again until a majority is known to have it: the next shard must not be ahead of this one.
                while true {
                    do {
                        let connection = try await connections.to(name)
                        try await connection.command(command, on: Self.database, after: connections.time)
                        break
                    } catch let error as MongoError {
                        note(error)
                        await connections.forget(name)
                    }
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
            report.withLock { $0.counted = number }
            try await Task.sleep(for: pause)
        }
    }
}

/// One writer's connections to the shards' primaries, and the cluster time that it has seen.
private actor BankConnections {
    nonisolated let time = ClusterTime()
    private let cluster: ShardedCluster
    private var connections: [String: WireConnection] = [:]

    init(_ cluster: ShardedCluster) {
        self.cluster = cluster
    }

    func to(_ shard: String) async throws -> WireConnection {
        if let connection = connections[shard] { return connection }
        return try await renew(shard)
    }

    func renew(_ shard: String) async throws -> WireConnection {
        let connection = try await cluster.wireConnection(to: shard, as: .admin)
        connections[shard] = connection
        return connection
    }

    func forget(_ shard: String) {
        connections[shard] = nil
    }
}
