import BackupModel
import Foundation
import TestSupport

@testable import Engines

/// A point of a set's history; the tests' clients have another one.
typealias ClusterTime = BackupModel.ClusterTime

/// Plays the coordinator of one session over a whole cluster: an engine job for each group, all at once.
struct ClusterSession: Sendable {
    /// One group's job.
    struct Job: Sendable {
        let name: String
        let member: MongoServer
        let rig: BackupRig
        let context: BackupContext
        let spec: BackupSpec
        var tuning: @Sendable (inout MongoDBTuning) -> Void = { _ in }
        /// How the agent logs in; as `MongoUser.remora` where nothing is said.
        var logIn: (@Sendable (inout MongoDBConfiguration) -> Void)?

        var engine: MongoDBEngine { rig.engine(member, tuning, logIn: logIn) }
    }

    var config: Job
    var shards: [Job]
    /// Called with the cut before the jobs hear of it; returns the one to tell them.
    var onCut: @Sendable (ClusterTime) async throws -> ClusterTime = { $0 }

    /// A member of each group to dump: a secondary where there is one.
    init(_ cluster: ShardedCluster, in directory: TestDirectory, consistency: Consistency? = nil) async throws {
        let names = cluster.shards.map { ShardIdentity.Shard(name: $0.options.name, replicaSet: $0.options.name) }
        let begun = Int64(Date().timeIntervalSince1970 * 1000)
        func job(_ set: ReplicaSet, _ role: ClusterPart.Role) async throws -> Job {
            let member = try await set.secondaries().first ?? set.members[0]
            let group = try TestDirectory("cluster-\(set.options.name)")
            directory.adopt(group.path)
            return Job(
                name: set.options.name,
                member: member,
                rig: try await BackupRig(group),
                context: BackupContext(jobID: "job-\(set.options.name)"),
                spec: BackupSpec(
                    consistency: consistency,
                    parallelism: 2,
                    cluster: ClusterPart(role: role, shards: names, begunMs: begun)
                )
            )
        }
        config = try await job(cluster.config, .configServer)
        shards = []
        for shard in cluster.shards { shards.append(try await job(shard, .shard)) }
    }

    /// Runs all jobs; the first failure cancels the others and is thrown when they have ended.
    func run() async throws -> (cut: ClusterTime, backups: [String: BackupRig.Backup]) {
        let jobs = [config] + shards
        return try await withThrowingTaskGroup(of: (String, BackupRig.Backup)?.self) { group in
            for job in jobs {
                group.addTask {
                    var spec = job.spec
                    if job.name != config.name {
                        let point = try await config.context.meeting.reached(.ready).point
                        if spec.consistency == .snapshot { spec.cluster?.readAt = point }
                    }
                    return (job.name, try await job.rig.backUp(job.engine, spec, context: job.context))
                }
            }
            let cuts = AsyncStream.makeStream(of: ClusterTime.self)
            group.addTask {
                for job in shards { _ = try await job.context.meeting.reached(.finished) }
                config.context.meeting.direct(JobDirective(othersFinished: true))
                var points: [ClusterTime] = []
                for job in jobs {
                    if let point = try await job.context.meeting.reached(.finished).point { points.append(point) }
                }
                let cut = try await onCut(points.max() ?? ClusterTime(t: 0, i: 0))
                cuts.continuation.yield(cut)
                cuts.continuation.finish()
                for job in jobs { job.context.meeting.direct(JobDirective(othersFinished: true, cut: cut)) }
                return nil
            }
            var backups: [String: BackupRig.Backup] = [:]
            while let done = try await group.next() {
                if let (name, backup) = done { backups[name] = backup }
            }
            var cut = ClusterTime(t: 0, i: 0)
            for await told in cuts.stream { cut = told }
            return (cut, backups)
        }
    }

    /// Everything the jobs said, for a failed expectation.
    var log: String { ([config] + shards).map { "\($0.name):\n\($0.context.log)" }.joined(separator: "\n") }
}

/// Transactions over two shards: each adds a document with the same number to `bank.transfers` on both and moves money
/// between an account on each.
actor Transfers {
    private let cluster: ShardedCluster
    private var task: Task<Void, any Error>?
    private(set) var count = 0
    private var isEnding = false
    static let accounts = 20

    init(_ cluster: ShardedCluster) { self.cluster = cluster }

    /// Makes the accounts: even ones on the first shard, odd ones on the second.
    static func prepare(_ cluster: ShardedCluster) async throws {
        try await cluster.createDatabase("bank", primary: "rsA")
        for (name, key) in [("accounts", "_id"), ("transfers", "_id")] {
            try await cluster.shardCollection("bank.\(name)", key: #"{"\#(key)": 1}"#)
            try await cluster.moveRange(
                "bank.\(name)",
                from: #"{"_id": {"s": 1, "n": 0}}"#,
                to: nil,
                toShard: "rsB"
            )
        }
        let accounts = (0..<accounts).map { number in
            TestDocument { document in
                document.document("_id") { id in
                    id.int32("s", Int32(number % 2))
                    id.int32("n", Int32(number))
                }
                document.int32("balance", 1000)
            }
        }
        try await cluster.insert(accounts, into: "bank.accounts")
    }

    func start() {
        task = Task {
            let session = SessionIdentifier()
            var connections: [WireConnection] = []
            for name in cluster.shardNames { connections.append(try await cluster.wireConnection(to: name)) }
            var number = 0
            while !isEnding {
                number += 1
                let transaction = CrossShardTransaction(session: session, number: number)
                for (side, name) in cluster.shardNames.enumerated() {
                    try await Self.run(transaction, number, side, name, connections[side])
                }
                let coordinator = connections[0]
                if try await transaction.commit(reconnect: { _ in coordinator }) == .committed { count += 1 }
            }
        }
    }

    /// One side of a transfer.
    static func run(
        _ transaction: CrossShardTransaction,
        _ number: Int,
        _ side: Int,
        _ shard: String,
        _ connection: WireConnection
    ) async throws {
        let account = number % (accounts / 2) * 2 + side
        try await transaction.run(
            #"{"insert": "transfers", "documents": [{"_id": {"s": \#(side), "n": \#(number)}}]}"#,
            on: "bank",
            shard: shard,
            over: connection
        )
        try await transaction.run(
            """
            {"update": "accounts", "updates": [{"q": {"_id": {"s": \(side), "n": \(account)}},
             "u": {"$inc": {"balance": \(side == 0 ? -1 : 1)}}}]}
            """,
            on: "bank",
            shard: shard,
            over: connection
        )
    }

    /// Ends after the transfer that is under way.
    func stop() async throws {
        isEnding = true
        try await task?.value
        task = nil
    }
}
