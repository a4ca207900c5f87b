import TestSupport
import Testing

/// The agent's memory is a sum of declared buffers, whatever the data is like.
@Suite("an agent stays within its memory", .serialized)
struct MemoryTests {
    private static let most = 256 << 10

    @Test("with documents of 15 MB, in a backup and in a restore")
    func largeDocuments() async throws {
        var members = ReplicaSetOptions(members: 1)
        // A transaction of one such document needs some of its size in the cache several times.
        members.mongo.cacheGB = 1
        try await withRig("e2e-large-documents", members: members) { rig in
            for collection in ["one", "another"] { try await Bulk.fill(rig.set, largeDocuments: 14, into: collection) }
            let before = try await ClusterFingerprint.read(rig.set.client())
            let backup = try await rig.deployment.remora("backup", "shop", "--wait")
            try #require(backup.status.succeeded, "\(backup.text)\(backup.errorText)")
            let agent = try #require(rig.agents.first)
            #expect((1...Self.most).contains(agent.peakKiB), "KiB, for a backup: \(agent.peakKiB)")

            // Another process, whose peak is the restore's own.
            await agent.stop()
            try await agent.launch()
            try await rig.waitForAgents()
            let restore = try await rig.deployment.remora("restore", "shop", "--from", "latest", "--drop", "--wait")
            try #require(restore.status.succeeded, "\(restore.text)\(restore.errorText)")
            #expect((1...Self.most).contains(agent.peakKiB), "KiB, for a restore: \(agent.peakKiB)")
            let differences = try await ClusterFingerprint.read(rig.set.client()).differences(from: before)
            #expect(differences.isEmpty, "\(differences)")
        }
    }
}
