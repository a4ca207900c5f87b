import BSON
import BackupModel
import Repository
import TestSupport
import Testing

@testable import Engines

@Suite("MongoDB backup")
struct BackupTests {
    @Test("a standalone with every odd thing in it is dumped byte for byte, and stock restic reads it")
    func standalone() async throws {
        let directory = try TestDirectory("standalone")
        defer { directory.remove() }
        let server = try await MongoServer.start(.authenticated, in: directory)
        try await DataSet.small.load(into: server.uri())
        let rig = try await BackupRig(directory)
        let context = BackupContext()
        let backup = try await rig.backUp(rig.engine(server), context: context)
        try await rig.restic.check()
        let files = try await rig.restore(backup)
        #expect(backup.result.consistency == .none)
        #expect(backup.result.guarantee == .node)
        #expect(backup.result.cut == nil)
        #expect(files["oplog.bson"] == [])
        try await BackupComparison(server, files).check()
        #expect(context.log.contains("is a standalone") || context.log.contains("a standalone has no oplog"))

        let again = try await rig.backUp(rig.engine(server), BackupSpec(parallelism: 1))
        let names = Set(backup.output.files.map(\.path))
        #expect(Set(again.output.files.map(\.path)) == names)
        for file in again.output.files where file.path != MongoDBManifest.fileName {
            #expect(backup.output.files.contains(file), "\(file.path) has other chunks when read again")
        }
        // Only the manifest, which holds the time, and the trees above it are new.
        #expect(again.statistics.newDataBlobs <= 1)
        await server.kill()
    }

    @Test("a selection takes what it names, buckets with their time series, and no users")
    func selection() async throws {
        let directory = try TestDirectory("selection")
        defer { directory.remove() }
        let server = try await MongoServer.start(in: directory)
        let client = try server.client()
        for name in ["a", "b", "c*d"] {
            try await client.command(#"{"insert": "\#(name)", "documents": [{"_id": 1}]}"#, on: "shop")
        }
        try await client.command(#"{"create": "ticks", "timeseries": {"timeField": "t"}}"#, on: "shop")
        try await client.command(#"{"insert": "x", "documents": [{"_id": 1}]}"#, on: "other")
        let rig = try await BackupRig(directory)
        func names(_ include: [String], _ exclude: [String]) async throws -> [String] {
            let selection = NamespaceSelection(include: include, exclude: exclude)
            let backup = try await rig.backUp(rig.engine(server), BackupSpec(selection: selection))
            return backup.output.files.map(\.path).filter { $0.hasSuffix(".bson") }.sorted()
        }
        #expect(
            try await names(["shop.*"], ["shop.b"])
                == ["oplog.bson", "shop/a.bson", "shop/c%2Ad.bson", "shop/system.buckets.ticks.bson"]
        )
        #expect(try await names([#"shop.c\*d"#], []) == ["oplog.bson", "shop/c%2Ad.bson"])
        let renames = NamespaceSelection(renames: [NamespaceSelection.Rename(from: "a.*", to: "b.*")])
        for spec in [
            BackupSpec(selection: renames), BackupSpec(consistency: .lock), BackupSpec(consistency: .snapshot),
            BackupSpec(lockBudgetSeconds: -1), BackupSpec(lockBudgetOplogShare: 2),
        ] {
            let failure = await #expect(throws: JobFailure.self) { try await rig.backUp(rig.engine(server), spec) }
            #expect(failure?.isRetryable == false)
        }
        await server.kill()
    }

    @Test("a secondary is locked, dumped and unlocked, and the cut is its lock point")
    func replicaSet() async throws {
        let directory = try TestDirectory("set")
        defer { directory.remove() }
        var options = ReplicaSetOptions()
        options.members = [ReplicaSetMember(), ReplicaSetMember(), .hidden]
        let set = try await ReplicaSet.start(options, in: directory)
        try await DataSet.small.load(into: set.uri())
        try await set.waitUntilInSync()
        let rig = try await BackupRig(directory)
        for member in try await set.secondaries() {
            let context = BackupContext()
            let backup = try await rig.backUp(rig.engine(member), context: context)
            let files = try await rig.restore(backup)
            let manifest = try BackupRig.manifest(files)
            #expect(backup.result.consistency == .lock)
            #expect(backup.result.guarantee == .groupCut)
            #expect(manifest.lock?.coveredWholeDump == true)
            #expect(manifest.cut != nil && manifest.cut == manifest.lock?.point)
            #expect(manifest.oplog == nil)
            #expect(files["oplog.bson"] == [])
            #expect(context.lastLock?.isHeld == false)
            #expect(context.lastLock?.endReason == "dump finished")
            #expect(try await member.isLocked() == false)
            #expect(try rig.engine(member).notes.all().isEmpty)
            try await BackupComparison(member, files).check()
        }
        let primary = try await set.primary()
        let context = BackupContext()
        let backup = try await rig.backUp(rig.engine(primary), context: context)
        let files = try await rig.restore(backup)
        let manifest = try BackupRig.manifest(files)
        #expect(manifest.consistency == .oplog)
        #expect(manifest.cut != nil)
        #expect(manifest.oplog == nil || manifest.oplog?.end == manifest.cut)
        #expect(context.log.contains("it is the primary, and a lock would block every write"))
        try await BackupComparison(primary, files).check()
        await set.kill()
    }
}
