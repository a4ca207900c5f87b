import BackupModel
import Repository
import TestSupport
import Testing

@testable import Engines

@Suite("Restore: our own backups", .serialized, .timeLimit(.minutes(15)))
struct RoundTripTests {
    @Test(
        "a backup made under load comes back as the set was at the cut, elsewhere and over itself",
        arguments: [(Consistency.lock, 3600), (.lock, 1), (.oplog, 0)]
    )
    func underLoad(consistency: Consistency, budget: Int) async throws {
        try await withTestDirectory { directory in
            let set = try await ReplicaSet.start(in: directory)
            let primary = try await set.primary()
            try await DataSet.small.load(into: primary.uri())
            let workload = Workload(uri: set.uri())
            try await workload.start(writers: 3)
            try await set.waitUntilInSync()
            let member = consistency == .lock ? try #require(try await set.secondaries().first) : primary
            let rig = try await BackupRig(directory)
            let isFuzzy = budget < 3600
            let engine = rig.engine(member) { tuning in
                tuning.pause = { step in
                    // Longer than the budget: reading begins under the lock and goes on after it.
                    // A sleep that is cancelled is over, which is all that is asked of it.
                    if step == "locked", budget == 1 { try? await Task.sleep(for: .milliseconds(900)) }
                    guard step == "read", isFuzzy else { return }
                    do {
                        // From here on nothing changes, so the set itself is the truth of the cut.
                        try await workload.stop()
                        try await set.waitUntilInSync()
                    } catch {
                        Issue.record("the workload could not be stopped: \(error)")
                    }
                }
            }
            let backup = try await rig.backUp(
                engine,
                BackupSpec(consistency: consistency, lockBudgetSeconds: budget, parallelism: 3)
            )
            if !isFuzzy { try await workload.stop() }
            #expect(workload.progress.transactions > 0)
            try await set.waitUntilInSync()
            let truth = isFuzzy ? try await ClusterFingerprint.read(primary.client()) : nil

            try await rig.repository.loadIndex()
            let snapshot = try await rig.repository.reader(of: #require(try await rig.repository.snapshots().first).id)
            let target = try await MongoServer.start(.authenticated, in: directory)
            let elsewhere = MongoDBEngine(RestoreRig.configuration(target))
            let context = RecordingContext()
            let result = try await elsewhere.restore(
                RestoreSpec(snapshotID: "\(backup.id)"),
                from: snapshot,
                context: context
            )
            #expect(try await Workload.contradictions(in: target.client()) == [], "\(context.log)")
            if isFuzzy { #expect(result.oplogEntries > 0) }
            let restored = try await ClusterFingerprint.read(target.client())
            if let truth { #expect(restored.differencesExceptLogIn(from: truth) == [], "\(context.log)") }

            let itself = MongoDBEngine(RestoreRig.configuration(member))
            let over = RestoreSpec(snapshotID: "\(backup.id)", conflict: .dropCollections)
            _ = try await itself.restore(over, from: snapshot, context: context)
            try await set.waitUntilInSync()
            for server in set.members {
                let found = try await ClusterFingerprint.read(server.client())
                #expect(found.differencesExceptLogIn(from: restored) == [], "\(context.log)")
            }
            await set.kill()
            await target.kill()
        }
    }

    @Test("a backup read by ranges of _id restores the whole data set")
    func withoutRecordIDs() async throws {
        try await withTestDirectory { directory in
            let server = try await MongoServer.start(.authenticated, in: directory)
            try await DataSet.small.load(into: server.uri())
            let truth = try await ClusterFingerprint.read(server.client())
            let rig = try await BackupRig(directory)
            let engine = rig.engine(server) { tuning in
                tuning.usesRecordIDs = false
                tuning.partitionBytes = 1 << 20
            }
            let backup = try await rig.backUp(engine, BackupSpec(parallelism: 3))
            #expect(backup.result.documents > 0)
            let again = try await rig.backUp(engine, BackupSpec(parallelism: 2))
            // The manifest, which has times in it, and nothing else.
            #expect(again.statistics.newDataBlobs <= 1)
            try await rig.repository.loadIndex()
            let id = try #require(try await rig.repository.snapshots().first { "\($0.id)" == backup.id }).id
            let snapshot = try await rig.repository.reader(of: id)
            let target = try await MongoServer.start(.authenticated, in: directory)
            let context = RecordingContext()
            try await RestoreRig.restore(snapshot, into: target, context: context)
            let restored = try await ClusterFingerprint.read(target.client())
            #expect(restored.differencesExceptLogIn(from: truth) == [], "\(context.log)")
            await server.kill()
            await target.kill()
        }
    }
}
