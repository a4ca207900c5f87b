import FakeAPIServer
import Foundation
import Kubernetes
import TestSupport
import Testing

/// The installation's own manifests, an API server that is as strict as a real one, and our real programs in cluster mode.
@Suite("in a cluster, objects drive backup and restore", .serialized)
struct ClusterModeTests {
    @Test("pods are given agents, an object backs the set up, the leader is killed, another object restores it")
    func roundTrip() async throws {
        try await withTestDirectory("e2e-cluster") { directory in
            try await FakeAPIServer.run { fake in
                let set = try await ReplicaSet.start(ReplicaSetOptions(), in: directory)
                let objects = Deployment.objects(backend: ClusterRig.backend(directory), configuration: "")
                do {
                    try await withClusterRig(fake, set.members.enumerated().map(Self.pod), objects, in: directory) {
                        try await prove($0, set)
                    }
                    await set.kill()
                } catch {
                    await set.kill()
                    throw error
                }
            }
        }
    }

    private static func pod(_ index: Int, _ member: MongoServer) -> ClusterPod {
        ClusterPod(
            name: "mongo-\(index)",
            annotations: ["remora.dev/cluster": "shop", "remora.dev/engine": "mongodb"],
            container: ["name": "mongod", "image": "mongo:6.0", "ports": [["containerPort": 27017]]],
            arguments: ["--engine", "mongodb", "--mongodb-uri", "mongodb://\(member.address)/?authSource=admin"],
            user: MongoUser.remora.name,
            password: MongoUser.remora.password
        )
    }

    private func prove(_ rig: ClusterRig, _ set: ReplicaSet) async throws {
        try await DataSet.small.load(into: set.uri())
        try await set.waitUntilInSync()
        let before = try await ClusterFingerprint.read(set.client())
        try await rig.create(
            """
            apiVersion: remora.dev/v1alpha1
            kind: BackupSession
            metadata: {name: by-hand, namespace: demo}
            spec: {invoker: {name: shop}}
            """
        )
        let backup = try await rig.waitForEnd("backupsessions", "by-hand")
        #expect(backup[path: "status", "phase"] == "Succeeded", "\(backup["status"] ?? .null)")
        #expect(backup[path: "status", "hosts"]?.array?.count == 1)
        try await Restic(
            repository: rig.directory.appending("repository/demo/shop/rs0"),
            password: Deployment.repositoryPassword
        ).check()

        try await rig.forgetFormerAuthority()

        // The one that leads is gone at once; another one, in another pod, knows everything from the objects.
        await rig.coordinators[0].kill()
        try await rig.coordinators[1].launch()
        try await DataSet.drop(from: set.uri())
        try await rig.create(
            """
            apiVersion: remora.dev/v1alpha1
            kind: RestoreSession
            metadata: {name: back-again, namespace: demo}
            spec: {target: {ref: {name: shop}}, from: by-hand}
            """
        )
        let restore = try await rig.waitForEnd("restoresessions", "back-again")
        #expect(restore[path: "status", "phase"] == "Succeeded", "\(restore["status"] ?? .null)")
        try await set.waitUntilInSync()
        let after = try await ClusterFingerprint.read(set.client())
        #expect(after == before, "what comes back is what was backed up")
        for member in set.members { #expect(try await !member.isLocked()) }

        // Deleting the whole namespace hangs on nothing of ours.
        #expect(await rig.fake.send("DELETE", "/api/v1/namespaces/demo").status < 300)
        try await eventually("the namespace is gone") {
            await rig.fake.settle()
            return rig.fake.object("namespaces", name: "demo") == nil
        }
        let refused = rig.fake.requests.filter { $0.status == 403 && $0.user.contains("remora-coordinator") }
        #expect(refused.isEmpty, "its roles allow everything that it does: \(refused.map { "\($0.verb) \($0.path)" })")
    }
}
