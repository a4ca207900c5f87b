import BackupModel
import Repository
import Synchronization
import TestSupport
import Testing

@testable import Engines

@Suite("MongoDB cluster restore", .serialized, .timeLimit(.minutes(15)))
struct ClusterRestoreTests {
    private struct Interruption: Error {}

    /// Plays the coordinator of a restore: the config server first, the shards when it is ready.
    ///
    /// With `interrupt`, the shards never hear of each other; all jobs are cancelled when it throws. What a job fails
    /// with is told to `failed` besides.
    static func restore(
        _ session: ClusterSession,
        into target: ShardedCluster,
        _ names: [String: String],
        conflict: RestoreSpec.Conflict = .failIfNotEmpty,
        begunMs: Int64,
        interrupt: (@Sendable ([BackupContext]) async throws -> Void)? = nil,
        failed: @escaping @Sendable (String, any Error) -> Void = { _, _ in }
    ) async throws -> [String: RestoreResult] {
        let shards = target.shards.map { ShardIdentity.Shard(name: $0.options.name, replicaSet: $0.options.name) }
        let jobs = [session.config] + session.shards
        let contexts = jobs.map { BackupContext(jobID: "restore-\($0.name)") }
        return try await withThrowingTaskGroup(of: (String, RestoreResult)?.self) { group in
            for (job, context) in zip(jobs, contexts) {
                let isConfig = job.name == session.config.name
                let set = isConfig ? target.config : try target.shard(names[job.name] ?? "")
                let part = ClusterPart(
                    role: isConfig ? .configServer : .shard,
                    shards: shards,
                    begunMs: begunMs,
                    shardNames: names
                )
                group.addTask {
                    if !isConfig { _ = try await contexts[0].meeting.reached(.ready) }
                    try await job.rig.repository.loadIndex()
                    let id = try #require(try await job.rig.repository.snapshots().first).id
                    let snapshot = try await job.rig.repository.reader(of: id)
                    let spec = RestoreSpec(snapshotID: "\(id)", conflict: conflict, cluster: part)
                    let engine = job.rig.engine(set.members[0]) { _ in }
                    do {
                        return (job.name, try await engine.restore(spec, from: snapshot, context: context))
                    } catch {
                        failed(job.name, error)
                        throw error
                    }
                }
            }
            group.addTask {
                if let interrupt { try await interrupt(contexts) }
                for context in contexts.dropFirst() { _ = try await context.meeting.reached(.finished) }
                contexts[0].meeting.direct(JobDirective(othersFinished: true))
                _ = try await contexts[0].meeting.reached(.finished)
                for context in contexts.dropFirst() { context.meeting.direct(JobDirective(othersFinished: true)) }
                return nil
            }
            var results: [String: RestoreResult] = [:]
            while let done = try await group.next() {
                if let (name, result) = done { results[name] = result }
            }
            return results
        }
    }

    private static func documents(_ numbers: Range<Int>) -> [TestDocument] {
        numbers.map { number in
            TestDocument { document in
                document.int32("_id", Int32(number))
                document.int32("k", Int32(number % 100))
                document.int32("n", Int32(number))
            }
        }
    }

    /// Sharded by range, by hash and as a time series, in two databases with different primaries; unsharded beside it.
    private func prepare(_ cluster: ShardedCluster) async throws {
        try await cluster.createDatabase("shop", primary: "rsA")
        try await cluster.createDatabase("plain", primary: "rsB")
        try await cluster.shardCollection("shop.orders", key: #"{"k": 1, "n": 1}"#, isUnique: true)
        try await cluster.shardCollection("shop.hashed", key: #"{"_id": "hashed"}"#, initialChunks: 4)
        try await cluster.shardCollection(
            "shop.series",
            key: #"{"m": 1}"#,
            options: #""timeseries": {"timeField": "t", "metaField": "m"}"#
        )
        try await cluster.moveRange("shop.orders", from: #"{"k": 50, "n": 0}"#, to: nil, toShard: "rsB")
        try await cluster.insert(Self.documents(0..<1000), into: "shop.orders")
        try await cluster.insert(Self.documents(0..<1000), into: "shop.hashed")
        try await cluster.insert(Self.documents(0..<100), into: "shop.alone")
        try await cluster.insert(Self.documents(0..<100), into: "plain.alone")
        let measurements = (0..<60).map {
            #"{"t": {"$date": {"$numberLong": "\#(1_700_000_000_000 + $0 * 1000)"}}, "m": \#($0 % 6), "v": \#($0)}"#
        }
        try await cluster.shardClient("rsA").command(
            #"{"insert": "series", "documents": [\#(measurements.joined(separator: ","))]}"#,
            on: "shop"
        )
        try await cluster.moveRange("shop.system.buckets.series", from: #"{"meta": 3}"#, to: nil, toShard: "rsB")
        for shard in cluster.shardNames {
            try await cluster.shardClient(shard).command(
                #"{"createIndexes": "orders", "indexes": [{"key": {"n": 1}, "name": "n_1"}]}"#,
                on: "shop"
            )
        }
        try await cluster.addToZone("east", shard: "rsB")
        try await cluster.setZone("east", of: "shop.orders", from: #"{"k": 90, "n": 0}"#, to: #"{"k": 95, "n": 0}"#)
        try await cluster.waitUntilNoOrphans()
    }

    /// Leaves out what belongs to one cluster alone; `isSwapped` names the shards the other way round.
    private func fingerprint(_ cluster: ShardedCluster, isSwapped: Bool = false) async throws -> ShardedFingerprint {
        let result = try await ShardedFingerprint.read(cluster).withoutBalancerSettings().withoutRemoraUser()
        return isSwapped ? result.withShardsSwapped() : result
    }

    /// What a router would do: versioned reads on each shard, a move, new collections.
    private func use(_ cluster: ShardedCluster) async throws {
        let entry = try #require(try await cluster.collectionEntry("shop.orders"))
        let (uuid, epoch) = (try #require(entry["uuid"]), try #require(entry["lastmodEpoch"]))
        let (time, collection) = (try #require(entry["timestamp"]), TestDocument { $0.value("uuid", uuid) })
        var total = 0
        for shard in cluster.shardNames {
            let filter = collection.json.dropLast() + #", "shard": "\#(shard)"}"#
            let chunks = try await cluster.configClient().find(
                in: "chunks",
                of: "config",
                filter: String(filter),
                options: #"{"sort": {"lastmod": -1}, "limit": 1}"#
            )
            let newest = try #require(chunks.first)
            let last = try #require(newest["lastmod"])
            let version = TestDocument { version in
                version.value("e", epoch)
                version.value("t", time)
                version.value("v", last)
            }
            let reply = try await cluster.shardClient(shard).command(
                #"{"find": "orders", "batchSize": 5000, "shardVersion": \#(version.json)}"#,
                on: "shop"
            )
            total += reply["cursor.firstBatch"]?.documents?.count ?? 0
        }
        #expect(total == 1000)
        try await cluster.moveRange(
            "shop.orders",
            from: #"{"k": 20, "n": 0}"#,
            to: #"{"k": 30, "n": 0}"#,
            toShard: "rsB"
        )
        try await cluster.shardCollection("shop.fresh", key: #"{"_id": 1}"#)
        try await cluster.insert(Self.documents(0..<10), into: "shop.fresh")
    }

    @Test("a cluster comes back in another one with shards named otherwise, and over itself after it went on")
    func roundTrip() async throws {
        try await withTestDirectory("cluster") { directory in
            let cluster = try await ShardedCluster.start(in: directory)
            let other = try await ShardedCluster.start(in: directory)
            try await prepare(cluster)
            // Nobody owns it there, and nobody is going to delete it.
            let orphan = #"{"insert": "orders", "documents": [{"_id": 9999, "k": 1, "n": 9999}]}"#
            try await cluster.shardClient("rsB").command(orphan, on: "shop")
            var session = try await ClusterSession(cluster, in: directory)
            session.config.tuning = { tuning in
                tuning.pause = { step in
                    guard step == "read" else { return }
                    do {
                        // The routing table comes to the cut by the oplog.
                        try await cluster.split("shop.orders", at: #"{"k": 10, "n": 0}"#)
                    } catch {
                        Issue.record("\(error)")
                    }
                }
            }
            _ = try await session.run()
            try await cluster.shardClient("rsB").command(
                #"{"delete": "orders", "deletes": [{"q": {"_id": 9999}, "limit": 1}]}"#,
                on: "shop"
            )
            let before = try await fingerprint(cluster)
            #expect(before.contradictions == [])

            let swapped = ["rsA": "rsB", "rsB": "rsA"]
            let results = try await Self.restore(session, into: other, swapped, begunMs: 1)
            #expect(results["rsA"]?.warnings.filter { $0.contains("config.") } == [])
            #expect(try await fingerprint(other, isSwapped: true).differences(from: before) == [])
            #expect(try await other.balancerStatus().mode == "full")
            let refused = await #expect(throws: JobFailure.self) {
                try await Self.restore(session, into: other, swapped, begunMs: 2)
            }
            #expect(refused?.code == "targetNotEmpty" && refused?.message.contains("plain, shop") == true)
            let unmapped = await #expect(throws: JobFailure.self) {
                try await Self.restore(session, into: other, ["rsA": "rsA", "rsB": "rsA"], begunMs: 3)
            }
            #expect(unmapped?.code == "wrongTopology")
            #expect(try await other.balancerStatus().mode == "full")
            await other.kill()

            // A range that waits to be deleted has the UUID of what is restored.
            try await cluster.shardCollection("shop.extra", key: #"{"_id": 1}"#)
            try await cluster.dropCollection("shop.hashed")
            try await cluster.moveRange(
                "shop.orders",
                from: #"{"k": 0, "n": 0}"#,
                to: #"{"k": 10, "n": 0}"#,
                toShard: "rsB"
            )
            _ = try await Self.restore(
                session,
                into: cluster,
                ["rsA": "rsA", "rsB": "rsB"],
                conflict: .dropCollections,
                begunMs: 4
            )
            #expect(try await fingerprint(cluster).differences(from: before) == [])
            try await cluster.waitUntilNoOrphans()
            #expect(try await fingerprint(cluster).differences(from: before) == [])
            try await use(cluster)
            #expect(try await cluster.balancerStatus().mode == "full")
            try await alone(session)
            await cluster.kill()
        }
    }

    @Test("under transfers, into another cluster at the second attempt: no transfer is half there, no counter ahead")
    func bank() async throws {
        try await withTestDirectory("cluster") { directory in
            let cluster = try await ShardedCluster.start(in: directory)
            let bank = BankWorkload(cluster)
            try await bank.start()
            var session = try await ClusterSession(cluster, in: directory, consistency: .oplog)
            for index in session.shards.indices {
                session.shards[index].tuning = { tuning in
                    tuning.pause = { step in
                        guard step == "read" else { return }
                        let before = bank.progress
                        do {
                            // What the oplog has to bring: transfers that are in none of the documents read.
                            try await eventually("the bank went on") {
                                bank.progress.transfers >= before.transfers + 10
                                    && bank.progress.counted > before.counted
                            }
                        } catch {
                            Issue.record("\(error)")
                        }
                    }
                }
            }
            let before = bank.progress
            _ = try await session.run()
            let report = try await bank.stop()
            #expect(report.transfers >= before.transfers + 10, "\(report)")
            #expect(try await BankWorkload.contradictions(in: cluster) == [])
            await cluster.kill()

            let other = try await ShardedCluster.start(in: directory)
            let same = Dictionary(uniqueKeysWithValues: other.shardNames.map { ($0, $0) })
            let failures = Mutex<[String: JobFailure]>([:])
            await #expect(throws: Interruption.self) {
                try await Self.restore(
                    session,
                    into: other,
                    same,
                    begunMs: 1,
                    interrupt: { contexts in
                        // Every shard has written something, and the routing table is there.
                        try await eventually("the shards load") {
                            contexts.dropFirst().allSatisfy { $0.progress.contains { $0.step.hasPrefix("load") } }
                        }
                        throw Interruption()
                    },
                    failed: { name, error in failures.withLock { $0[name] = error as? JobFailure } }
                )
            }
            let told = failures.withLock { $0 }
            #expect(told.keys.sorted() == ["cfg"] + other.shardNames)
            for failure in told.values {
                #expect(failure.message.contains("partially restored"), "\(failure)")
                #expect(failure.message.contains("DropCollections"), "\(failure)")
                #expect(!failure.isRetryable)
            }
            #expect(try await other.balancerStatus().mode == "full")
            let refused = await #expect(throws: JobFailure.self) {
                try await Self.restore(session, into: other, same, begunMs: 2)
            }
            #expect(refused?.code == "targetNotEmpty")

            let results = try await Self.restore(session, into: other, same, conflict: .dropCollections, begunMs: 3)
            #expect(other.shardNames.allSatisfy { (results[$0]?.oplogEntries ?? 0) > 0 }, "\(results)")
            #expect(try await BankWorkload.contradictions(in: other) == [])
            #expect(try await ShardedFingerprint.read(other).contradictions == [])
            #expect(try await other.balancerStatus().mode == "full")
            await other.kill()
        }
    }

    /// One shard's part by itself, into a server that belongs to no cluster.
    private func alone(_ session: ClusterSession) async throws {
        let server = try await SharedServers.standalone()
        let repository = session.shards[0].rig.repository
        let snapshot = try await repository.reader(of: #require(try await repository.snapshots().first).id)
        let name = SharedServers.uniqueName("alone")
        let selection = NamespaceSelection(
            include: ["shop.*"],
            renames: [.init(from: "shop.*", to: "\(name).*")]
        )
        let result = try await RestoreRig.restore(snapshot, into: server, selection: selection)
        #expect(result.warnings.contains { $0.contains("of the shard rsA") }, "\(result.warnings)")
        #expect(try await server.client().count("alone", of: name) == 100)
        try await server.client().command(#"{"dropDatabase": 1}"#, on: name)
    }
}
