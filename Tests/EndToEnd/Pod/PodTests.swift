import Foundation
import TestSupport
import Testing

/// The images as they are made, in a pod as the webhook's patch makes it, run by podman.
@Suite("a real pod", .serialized, .enabled(if: Podman.obstacle == nil, "\(Podman.obstacle ?? "")"))
struct PodTests {
    /// Not the letters that a login needs no tables for.
    private static let agentUser = MongoUser("remora", password: "pässwörd/ﬁ №1")

    @Test("a database in a pod is backed up and restored by the agent that was injected beside it")
    func backupAndRestore() async throws {
        try await withPodman("e2e-pod") { podman in
            let sizes = try await podman.makeImages()
            try #require(sizes.contains("remora-agent") && sizes.contains("remora-coordinator"), "\(sizes)")
            try await podman.makeImage("mongod", with: Tools.mongod())
            let storage = try await SeaweedFS.start(in: podman.directory)
            try await storage.makeBucket("backups")
            let scene = try await PodScene.begin(podman, storage, Self.agentUser)

            try await proveRoundTrip(scene)
            try await proveCommandLine(scene)
            try await proveAgentComesBack(scene)

            await podman.cleanUp()
            #expect(try await podman.run("podman", "ps", "-aq").text == "")
            #expect(podman.mounts().isEmpty)
            await storage.kill()
        }
    }

    private func proveRoundTrip(_ scene: PodScene) async throws {
        try await DataSet.small.load(into: scene.uri)
        let before = try await ClusterFingerprint.read(MongoClient(scene.uri))
        let backup = try await scene.deployment.remora("backup", "shop", "--wait")
        try #require(backup.status.succeeded, "\(backup.text)\(backup.errorText)")
        try await DataSet.drop(from: scene.uri)
        let restore = try await scene.deployment.remora("restore", "shop", "--from", "latest", "--wait")
        try #require(restore.status.succeeded, "\(restore.text)\(restore.errorText)")
        let differences = try await ClusterFingerprint.read(MongoClient(scene.uri)).differences(from: before)
        #expect(differences.isEmpty, "\(differences)")
    }

    /// The command line that is in the coordinator's image.
    private func proveCommandLine(_ scene: PodScene) async throws {
        for name in ["remora", "kubectl-remora"] {
            let snapshots = try await scene.podman.output(
                "podman",
                ["exec", "-e", "REMORA_COORDINATOR=\(scene.deployment.url)"]
                    + ["-e", "REMORA_TOKEN_FILE=\(scene.podman.directory.appending("state/admin.token"))"]
                    + ["-e", "REMORA_CA_FILE=\(scene.deployment.caFile ?? "")", scene.coordinator, name, "snapshots"]
            )
            #expect(
                snapshots.status.succeeded && snapshots.text.contains("shop"),
                "\(snapshots.text)\(snapshots.errorText)"
            )
        }
    }

    private func proveAgentComesBack(_ scene: PodScene) async throws {
        let log = try await scene.podman.run("podman", "logs", scene.agent)
        #expect("\(log.text)\(log.errorText)".contains("the memory limit leaves 120 MiB"), "60 % of 200 MiB")
        let (agent, database) = (try await scene.life(of: scene.agent), try await scene.life(of: scene.database))
        let supervisor = try #require(pid_t(try await scene.podman.inspect(scene.agent, ".State.Pid")))
        let first = try #require(ChildProcesses.of(supervisor).first)
        kill(first, SIGKILL)
        try await eventually("another worker runs", within: .seconds(60)) {
            ChildProcesses.of(supervisor).contains { $0 != first }
        }
        try await scene.waitUntilHealthy()
        #expect(try await scene.life(of: scene.agent) == agent, "the container went on")
        #expect(try await scene.life(of: scene.database) == database)

        let again = try await scene.deployment.remora("backup", "shop", "--wait")
        #expect(again.status.succeeded, "\(again.text)\(again.errorText)")
    }
}
