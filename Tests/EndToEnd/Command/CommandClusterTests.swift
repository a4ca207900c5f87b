import FakeAPIServer
import Foundation
import Kubernetes
import TestSupport
import Testing

@Suite("in a cluster, objects drive a database that Remora doesn't know", .serialized)
struct CommandClusterTests {
    @Test("the webhook gives MariaDB's pod its agent; functions come into force, back it up, and restore it")
    func roundTrip() async throws {
        try await withTestDirectory("e2e-mariadb-cluster") { directory in
            try await FakeAPIServer.run { fake in
                let database = try await MariaDBServer.start(in: directory)
                let pod = ClusterPod(
                    name: "mysql-0",
                    annotations: ["remora.dev/cluster": "shop", "remora.dev/engine": "mysql"],
                    container: ["name": "mariadb", "image": "mariadb:10.11"],
                    arguments: [
                        "--engine", "mysql", "--endpoint", "127.0.0.1:\(database.port)", "--programs-dir",
                        try CommandRig.programs(directory),
                    ],
                    user: MariaDBServer.user.name,
                    password: MariaDBServer.user.password
                )
                let objects = ([CommandRig.base(directory)] + (try CommandRig.sample())).joined(separator: "\n---\n")
                do {
                    try await withClusterRig(fake, [pod], objects, in: directory) { try await prove($0, database) }
                    await database.server.kill()
                } catch {
                    await database.server.kill()
                    throw error
                }
            }
        }
    }

    private func prove(_ rig: ClusterRig, _ database: MariaDBServer) async throws {
        let pod = try #require(rig.fake.object("pods", namespace: "demo", name: "mysql-0"))
        let agent = pod[path: "spec", "initContainers"]?.array?.first { $0["name"] == "remora-agent" }
        let variables = agent?["env"]?.array ?? []
        #expect(variables.contains { $0["name"] == "REMORA_ENGINE" && $0["value"] == "mysql" })
        #expect(variables.contains { $0["name"] == "REMORA_ENDPOINT" && $0["value"] == "127.0.0.1:3306" })
        for (resource, name) in [("functions", "mysql-dump"), ("tasks", "mysql-backup")] {
            try await eventually("\(name) is ready") {
                let object = rig.fake.object(resource, group: "remora.dev", namespace: "", name: name)
                let conditions = object?[path: "status", "conditions"]?.array ?? []
                return conditions.contains { $0["type"] == "Ready" && $0["status"] == "True" }
            }
        }
        try await MariaDBDataSet.load(into: database, orders: 5_000)
        let before = try await MariaDBDataSet.fingerprint(database)
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
        #expect(backup[path: "status", "snapshot", "guarantee"] == "node", "\(backup["status"] ?? .null)")
        try await MariaDBDataSet.drop(from: database)
        try await rig.create(
            """
            apiVersion: remora.dev/v1alpha1
            kind: RestoreSession
            metadata: {name: back-again, namespace: demo}
            spec: {target: {ref: {name: shop}}, from: by-hand, task: {name: mysql-restore}, conflict: DropCollections}
            """
        )
        let restore = try await rig.waitForEnd("restoresessions", "back-again")
        #expect(restore[path: "status", "phase"] == "Succeeded", "\(restore["status"] ?? .null)")
        #expect(try await MariaDBDataSet.fingerprint(database) == before)
        let refused = rig.fake.requests.filter { $0.status == 403 && $0.user.contains("remora-coordinator") }
        #expect(refused.isEmpty, "its roles allow everything that it does: \(refused.map { "\($0.verb) \($0.path)" })")
    }
}
