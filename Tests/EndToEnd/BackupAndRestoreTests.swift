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

    private func proveRoundTrip(_ rig: Rig, repository: Restic) async throws {
        let before = try await ClusterFingerprint.read(rig.set.client())
        let backup = try await rig.deployment.remora("backup", "shop", "--wait")
        try #require(backup.status.succeeded, "\(backup.text)\(backup.errorText)")
        try await repository.check()
        #expect(try await rig.lockedMember() == nil, "no member may be locked after a backup")

        // At once: the member that was read is free again and is taken again, and what it holds is known.
        let again = try await rig.deployment.remora("backup", "shop", "--wait")
        try #require(again.status.succeeded, "\(again.text)\(again.errorText)")
        let snapshots = try await rig.deployment.json("snapshots")
        try #require(snapshots.elements.count == 2)
        let (second, first) = (snapshots[0], snapshots[1])
        #expect(second["groups"][0]["host"].string == first["groups"][0]["host"].string)
        let (known, new) = (try #require(second["bytesAdded"].number), try #require(first["bytesAdded"].number))
        #expect(known < new / 20, "what has not changed is known to the repository: \(second)")

        // What would happen now, told by what happened just before; nothing is begun.
        let plan = try await rig.deployment.json("backup", "shop", "--plan")
        #expect(plan["groups"][0]["host"].string == second["groups"][0]["host"].string)
        #expect(plan["groups"][0]["last"]["session"].string == second["session"].string)
        #expect(plan["groups"][0]["last"]["lockHeldMs"].number ?? 0 > 0, "\(plan)")
        let shown = try await rig.deployment.remora("backup", "shop", "--plan")
        #expect(shown.status.succeeded && shown.text.contains("a replica set, into demo/main"), "\(shown.text)")
        #expect(try await rig.deployment.json("sessions").elements.count == 2)

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
