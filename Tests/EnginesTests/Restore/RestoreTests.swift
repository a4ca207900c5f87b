import BSON
import BackupModel
import ObjectStorage
import Repository
import TestSupport
import Testing

@testable import Engines

@Suite("Restore: into real servers", .serialized)
struct RestoreTests {
    @Test("the nasty data set comes back equal on an empty standalone, and over itself", .timeLimit(.minutes(5)))
    func nastyStandalone() async throws {
        try await withTestDirectory { directory in
            let source = try await MongoServer.start(.authenticated, in: directory)
            try await DataSet.small.load(into: source.uri())
            let original = try await ClusterFingerprint.read(source.client())
            let image = try await DumpImage.read(source.client())
            let snapshot = try await image.store()

            let target = try await MongoServer.start(.authenticated, in: directory)
            let context = RecordingContext()
            let result = try await RestoreRig.restore(snapshot, into: target, context: context)
            let restored = try await ClusterFingerprint.read(target.client())
            #expect(restored.differencesExceptLogIn(from: original) == [])
            #expect(result.namespaces == image.namespaces.count { !$0.namespace.hasPrefix("admin.system.") })
            #expect(result.usersAndRoles == original.users.count + original.roles.count - 1)
            #expect(result.warnings.contains { $0.contains("admin.remora is the one Remora is logged in as") })
            #expect(!context.log.contains { $0.contains("new UUIDs") })

            try await RestoreRig.restore(snapshot, into: source, conflict: .dropCollections)
            let over = try await ClusterFingerprint.read(source.client())
            #expect(over.differences(from: original) == [])
            await source.kill()
            await target.kill()
        }
    }
}

extension ClusterFingerprint {
    /// What differs, but for the user that the restore is logged in as, who is left alone.
    func differencesExceptLogIn(from other: ClusterFingerprint) -> [String] {
        var mine = self
        var theirs = other
        mine.users["admin.remora"] = nil
        theirs.users["admin.remora"] = nil
        return mine.differences(from: theirs)
    }
}
