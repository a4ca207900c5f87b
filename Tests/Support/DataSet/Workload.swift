import Synchronization

/// Writes to a set without pause while it is backed up, in a way that shows afterwards whether what was restored was
/// ever true at one moment.
///
/// - Transfers between accounts are transactions over two databases: the sum of all balances never changes.
/// - Each writer numbers its log entries: at every moment they are 1…n without a gap.
/// - Documents of the churn are inserted, changed, replaced and deleted, and each holds a number that follows from its
///   other fields.
public final class Workload: Sendable {
    /// What was written.
    public struct Report: Sendable {
        /// Log entries, transfers, and changes of the churn that were acknowledged.
        public var writes = 0
        /// Transactions among them.
        public var transactions = 0
        /// Errors that were met and survived (elections, conflicts).
        public var errors = 0
        /// The last of them.
        public var lastError = ""
    }

    private static let database = "workload"
    private static let otherDatabase = "workload-bank"
    private static let accounts = 50
    private static let balance = 1_000

    private let uri: String
    private let pause: Duration
    private let report = Mutex(Report())
    private let task = Mutex<Task<Void, any Error>?>(nil)

    /// Prepares one; nothing is written yet.
    ///
    /// - Parameters:
    ///   - uri: of the set (writes follow the primary), for somebody who may write.
    ///   - pause: between two writes of one writer.
    public init(uri: String, pause: Duration = .milliseconds(2)) {
        self.uri = uri
        self.pause = pause
    }

    /// What was written up to now.
    public var progress: Report { report.withLock { $0 } }

    /// Makes the accounts and starts the writers; returns when each has written something.
    public func start(writers: Int = 2) async throws {
        let client = try MongoClient(uri)
        for (index, database) in [Self.database, Self.otherDatabase].enumerated() {
            let accounts = (0..<Self.accounts).map { number in
                TestDocument { account in
                    account.int32("_id", Int32(number * 2 + index))
                    account.int64("balance", Int64(Self.balance))
                }
            }
            try await client.insert(accounts, into: "accounts", of: database)
        }
        for collection in ["log", "churn"] {
            try await client.command(#"{"create": "\#(collection)"}"#, on: Self.database)
        }
        try await client.command(
            #"{"createIndexes": "log", "indexes": [{"key": {"writer": 1, "n": 1}, "name": "w", "unique": true}]}"#,
            on: Self.database
        )
        let task = Task { [self] in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<writers { group.addTask { try await self.run(writer) } }
                try await group.waitForAll()
            }
        }
        self.task.withLock { $0 = task }
        try await eventually("the workload writes") { progress.transactions >= writers }
    }

    /// Stops the writers.
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

    private func run(_ writer: Int) async throws {
        var generator = Generator(seed: UInt64(writer + 1))
        var client = try MongoClient(uri)
        var next: Int?
        while !Task.isCancelled {
            do {
                let number: Int
                if let next { number = next } else { number = try await lastNumber(client, writer) + 1 }
                try await insertLog(client, writer, number)
                next = number + 1
                try await churn(client, &generator, writer)
                if number % 3 == 0 {
                    try await transfer(client, &generator)
                    report.withLock { $0.transactions += 1 }
                }
                report.withLock { $0.writes += 2 }
            } catch let error as MongoError {
                report.withLock {
                    $0.errors += 1
                    $0.lastError = "\(error)"
                }
                // Whether the last write took place is unknown: look, with a connection that finds a new primary.
                next = nil
                client = try MongoClient(uri)
            }
            try await Task.sleep(for: pause)
        }
    }

    private func lastNumber(_ client: MongoClient, _ writer: Int) async throws -> Int {
        let last = try await client.find(
            in: "log",
            of: Self.database,
            filter: #"{"writer": \#(writer)}"#,
            options: #"{"sort": {"n": -1}, "limit": 1}"#
        )
        return last.first?["n"]?.int ?? 0
    }

    private func insertLog(_ client: MongoClient, _ writer: Int, _ number: Int) async throws {
        let entry = TestDocument { entry in
            entry.string("_id", "\(writer)/\(number)")
            entry.int32("writer", Int32(writer))
            entry.int64("n", Int64(number))
        }
        try await client.insert([entry], into: "log", of: Self.database, isMajority: false)
    }

    private func churn(_ client: MongoClient, _ generator: inout Generator, _ writer: Int) async throws {
        let key = generator.below(500)
        let value = generator.below(1_000_000)
        let filter = #"{"_id": \#(key * 8 + writer)}"#
        let update =
            switch generator.below(4) {
            case 0: #"{"delete": "churn", "deletes": [{"q": \#(filter), "limit": 1}]}"#
            case 1:
                #"{"update": "churn", "updates": [{"q": \#(filter), "upsert": true, "u": {"v": \#(value), "check": \#(value * 7)}}]}"#
            default:
                """
                {"update": "churn", "updates": [{"q": \(filter), "upsert": true, "u":
                 {"$set": {"v": \(value), "check": \(value * 7), "pad.\(value % 5)": "\(generator.sentence(5))"}}}]}
                """
            }
        try await client.command(String(update.dropLast()) + #", "writeConcern": {"w": 1}}"#, on: Self.database)
    }

    private func transfer(_ client: MongoClient, _ generator: inout Generator) async throws {
        let amount = 1 + generator.below(20)
        let from = generator.below(Self.accounts) * 2
        let to = generator.below(Self.accounts) * 2 + 1
        try await client.transaction([
            (Self.database, try Self.booking(from, -amount)), (Self.otherDatabase, try Self.booking(to, amount)),
        ])
    }

    private static func booking(_ account: Int, _ amount: Int) throws -> TestDocument {
        try TestDocument(
            json: """
                {"update": "accounts", "updates": [{"q": {"_id": \(account)}, "u": {"$inc": {"balance": \(amount)}}}]}
                """
        )
    }

    /// Looks whether what a server holds was ever true at one moment.
    ///
    /// - Returns: a sentence for everything that can't have been; empty when all is well.
    public static func contradictions(in client: MongoClient) async throws -> [String] {
        var sentences: [String] = []
        var (sum, count) = (0, 0)
        for database in [database, otherDatabase] {
            for account in try await client.find(in: "accounts", of: database) {
                sum += account["balance"]?.int ?? 0
                count += 1
            }
        }
        if count != 2 * accounts { sentences.append("there are \(count) accounts instead of \(2 * accounts)") }
        if sum != 2 * accounts * balance {
            sentences.append(
                "all balances together are \(sum) instead of \(2 * accounts * balance): half a transaction"
            )
        }
        var last: [Int: Int] = [:]
        for entry in try await client.find(in: "log", of: database, options: #"{"sort": {"writer": 1, "n": 1}}"#) {
            guard let writer = entry["writer"]?.int, let number = entry["n"]?.int else { continue }
            if number != (last[writer] ?? 0) + 1 {
                sentences.append("entry \(number) of writer \(writer) follows \(last[writer] ?? 0): some are missing")
            }
            last[writer] = number
        }
        if last.isEmpty { sentences.append("the log is empty") }
        for document in try await client.find(in: "churn", of: database)
        where
            document["check"]?.int != (document["v"]?.int ?? 0) * 7
        {
            sentences.append("a document of the churn contradicts itself: \(document.json)")
        }
        return sentences
    }
}
