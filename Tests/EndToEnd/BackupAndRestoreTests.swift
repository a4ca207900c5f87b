import TestSupport
import Testing

/// The main job, as a person does it.
@Suite("a replica set is backed up beside its members and restored exactly", .serialized)
struct BackupAndRestoreTests {
    @Test("the whole data set comes back on every member, from a directory; stock restic reads the repository")
    func directory() async throws {
        try await withRig("e2e-directory") { rig in
            try await DataSet.small.load(into: rig.set.uri())
            try await rig.set.waitUntilInSync()
            try await proveRoundTrip(
                rig,
                repository: Restic(
                    repository: rig.directory.appending("repository/demo/shop/rs0"),
                    password: Deployment.repositoryPassword
                )
            )
        }
    }

    @Test("the same on S3")
    func s3() async throws {
        try await withTestDirectory("e2e-s3-server") { directory in
            let storage = try await SeaweedFS.start(in: directory)
            try await storage.makeBucket("backups")
            try await withRig("e2e-s3", repository: s3Backend(storage), storageSecret: storage.environment) { rig in
                try await DataSet.small.load(into: rig.set.uri())
                try await rig.set.waitUntilInSync()
                try await proveRoundTrip(
                    rig,
                    repository: Restic(
                        repository: "s3:\(storage.endpoint)/backups/remora/demo/shop/rs0",
                        password: Deployment.repositoryPassword,
                        environment: storage.environment
                    )
                )
            }
            await storage.kill()
        }
    }

    /// The member of the backup before is only preferred, and each has its documents in an order of its own.
    ///
    /// So what is known is known of a member; of four backups of three members, two are of the same.
    private func proveDeduplication(_ rig: Rig) async throws {
        var added: [String: Double] = [:]
        for _ in 0..<4 {
            let snapshot = try await rig.deployment.json("snapshots")[0]
            let host = try #require(snapshot["groups"][0]["host"].string)
            let bytes = try #require(snapshot["bytesAdded"].number)
            if let first = added[host] {
                #expect(bytes < first / 20, "what has not changed is known to the repository: \(snapshot)")
                return
            }
            added[host] = bytes
            let again = try await rig.deployment.remora("backup", "shop", "--wait")
            try #require(again.status.succeeded, "\(again.text)\(again.errorText)")
        }
        Issue.record("four backups of three members, and none of the same: \(added)")
    }

    private func proveRoundTrip(_ rig: Rig, repository: Restic) async throws {
        let before = try await ClusterFingerprint.read(rig.set.client())
        let backup = try await rig.deployment.remora("backup", "shop", "--wait")
        try #require(backup.status.succeeded, "\(backup.text)\(backup.errorText)")
        try await repository.check()
        #expect(try await rig.lockedMember() == nil, "no member may be locked after a backup")

        try await proveDeduplication(rig)

        let refused = try await rig.deployment.remora("restore", "shop", "--from", "latest", "--wait")
        #expect(!refused.status.succeeded, "a target that is not empty must be refused")
        #expect(
            (refused.errorText + refused.text).contains("--drop"),
            "the refusal says what to do: \(refused.errorText)"
        )

        try await DataSet.drop(from: rig.set.uri())
        let restore = try await rig.deployment.remora("restore", "shop", "--from", "latest", "--wait")
        try #require(restore.status.succeeded, "\(restore.text)\(restore.errorText)")
        try await rig.set.waitUntilInSync()
        for member in rig.set.members {
            let differences = try await ClusterFingerprint.read(member.client()).differences(from: before)
            #expect(differences.isEmpty, "\(member.address): \(differences)")
        }

        try await repository.check()
    }
}

/// YAML of an S3 backend.
func s3Backend(_ storage: SeaweedFS, endpoint: String? = nil) -> String {
    """
        s3:
          endpoint: \(endpoint ?? storage.endpoint)
          bucket: backups
          prefix: remora
          region: us-east-1
    """
}
