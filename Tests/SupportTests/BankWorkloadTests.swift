import TestSupport
import Testing

@Suite("Bank over shards")
struct BankWorkloadTests {
    @Test("it lives through step-downs, a crash and a lock; one moment fits, two moments don't; the end adds up")
    func faults() async throws {
        try await withTestDirectory("bank") { directory in
            let cluster = try await ShardedCluster.start(in: directory)
            let workload = BankWorkload(cluster)
            try await workload.start()

            // One cluster time on all shards fits, while everybody writes.
            let first = try cluster.shard("rsA").members[0]
            let time = ClusterTime()
            try await first.wireConnection().command(#"{"hello": 1}"#, after: time)
            var parts: [BankReading] = []
            for name in cluster.shardNames { parts.append(try await .read(name, of: cluster, at: time)) }
            #expect(BankReading.contradictions(in: parts) == [])

            // Two moments don't: the second shard is read later, when more has been transferred and counted.
            let early = try await BankReading.read("rsA", of: cluster)
            let before = workload.progress
            try await eventually("more is written") {
                workload.progress.transfers > before.transfers + 5 && workload.progress.counted > before.counted + 3
            }
            let late = try await BankReading.read("rsB", of: cluster)
            let sentences = BankReading.contradictions(in: [early, late])
            #expect(sentences.contains { $0.contains("are not whole") }, "\(sentences)")
            #expect(sentences.contains { $0.contains("a counter is ahead of one before it") }, "\(sentences)")

            for name in cluster.shardNames { try await stepDown(name, cluster, workload) }
            try await crash(cluster.shard("rsB").members[0], workload)
            try await lock(cluster.shard("rsA").members[0], cluster, workload)

            let report = try await workload.stop()
            #expect(report.errors > 0 && report.aborted > 0)
            #expect(try await BankWorkload.contradictions(in: cluster) == [], "\(report)")

            // A single lost entry shows.
            try await cluster.shardClient("rsB").command(
                #"{"delete": "ledger", "deletes": [{"q": {}, "limit": 1}]}"#,
                on: "bank"
            )
            #expect(try await BankWorkload.contradictions(in: cluster).count == 2)
            await cluster.kill()
        }
    }

    private func progress(_ workload: BankWorkload, after what: String) async throws {
        let before = workload.progress
        try await eventually("the bank goes on after \(what)", within: .seconds(120)) {
            workload.progress.transfers > before.transfers + 5 && workload.progress.counted > before.counted + 3
        }
    }

    private func stepDown(_ name: String, _ cluster: ShardedCluster, _ workload: BankWorkload) async throws {
        let connection = try await cluster.wireConnection(to: name)
        try await connection.command(#"{"replSetStepDown": 1, "secondaryCatchUpPeriodSecs": 0, "force": true}"#)
        try await progress(workload, after: "the step-down of \(name)")
    }

    private func lock(_ member: MongoServer, _ cluster: ShardedCluster, _ workload: BankWorkload) async throws {
        let client = try member.client()
        try await workload.withoutTransfers {
            try await eventually("all shards are done with the last transfer") {
                for name in cluster.shardNames {
                    let open = try await cluster.shardClient(name).find(in: "transaction_coordinators", of: "config")
                    if !open.isEmpty { return false }
                }
                return true
            }
            try await client.command(#"{"fsync": 1, "lock": true}"#)
            let before = workload.progress
            // Reads see a locked primary as it was: nobody is told of a write that isn't there.
            let counted = try await client.find(in: "counters", of: "bank").first?["n"]?.int ?? 0
            try await client.command(#"{"fsyncUnlock": 1}"#)
            #expect(counted - before.counted <= 1)
        }
        try await progress(workload, after: "the lock")
    }

    private func crash(_ member: MongoServer, _ workload: BankWorkload) async throws {
        await member.kill()
        try await member.start()
        try await progress(workload, after: "the crash of \(member.address)")
    }
}
