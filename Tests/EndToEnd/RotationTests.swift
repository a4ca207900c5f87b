import TestSupport
import Testing

/// What is mounted into a pod changes while the agent runs.
@Suite("what opens the database is changed while the agent runs", .serialized)
struct RotationTests {
    @Test("a password that is changed on the server and in its file is used by the next backup and restore")
    func password() async throws {
        try await withRig("e2e-rotation", members: ReplicaSetOptions(members: 1)) { rig in
            try await Bulk.fill(rig.set, megabytes: 8)
            let first = try await rig.deployment.remora("backup", "shop", "--wait")
            try #require(first.status.succeeded, "\(first.text)\(first.errorText)")

            let fresh = "another/p@ss:word %"
            try await rig.set.client().command(
                #"{"updateUser": \#(quoted(MongoUser.remora.name)), "pwd": \#(quoted(fresh))}"#
            )
            // The old one still stands in the file: nothing that this agent connects anew is let in.
            let refused = try await rig.deployment.remora("backup", "shop", "--wait")
            #expect(!refused.status.succeeded, "\(refused.text)")
            #expect(
                "\(refused.text)\(refused.errorText)".contains("uthentication"),
                "\(refused.text)\(refused.errorText)"
            )

            try rig.directory.write("\(fresh)\n", to: "agent-mongo-0.password")
            let second = try await rig.deployment.remora("backup", "shop", "--wait")
            try #require(second.status.succeeded, "\(second.text)\(second.errorText)")
            let restore = try await rig.deployment.remora("restore", "shop", "--from", "latest", "--drop", "--wait")
            try #require(restore.status.succeeded, "\(restore.text)\(restore.errorText)")
            #expect(!rig.logs().contains(fresh), "a password must not be logged")
            #expect(!rig.agents.contains { !$0.isRunning })
        }
    }
}
