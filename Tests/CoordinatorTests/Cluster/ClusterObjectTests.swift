import BackupModel
import FakeAPIServer
import Foundation
import HTTPClient
import Kubernetes
import TestSupport
import Testing

@testable import Coordinator

@Suite struct ClusterObjectTests {
    @Test("a task of one's own comes into force with its function, and conditions say what is missing until then")
    func tasks() async throws {
        try await KubernetesHarness.run { harness in
            try await harness.fake.apply(
                yaml: """
                    apiVersion: remora.dev/v1alpha1
                    kind: AppBinding
                    metadata: {name: accounts, namespace: shop}
                    spec: {type: mysql}
                    ---
                    apiVersion: remora.dev/v1alpha1
                    kind: BackupConfiguration
                    metadata: {name: accounts, namespace: shop}
                    spec: {repository: {name: main}, target: {ref: {name: accounts}}, task: {name: mysql-backup}}
                    ---
                    apiVersion: remora.dev/v1alpha1
                    kind: Task
                    metadata: {name: mysql-backup}
                    spec: {steps: [{name: mysql-dump}]}
                    ---
                    apiVersion: remora.dev/v1alpha1
                    kind: BackupSession
                    metadata: {name: of-accounts, namespace: shop}
                    spec: {invoker: {name: accounts}}
                    """
            )
            try await harness.lead { _ in
                func says(_ resource: String, _ name: String) -> String {
                    let object = harness.fake.object(
                        resource,
                        group: "remora.dev",
                        namespace: resource == "backupconfigurations" ? "shop" : "",
                        name: name
                    )
                    let conditions = object?[path: "status", "conditions"]?.array ?? []
                    return conditions.first { $0["type"] == "Ready" }?["message"]?.string ?? ""
                }
                func until(_ resource: String, _ name: String, _ text: String) async throws {
                    try await eventually("\(resource) \(name) says '\(text)'", within: .seconds(60)) {
                        says(resource, name).contains(text)
                    }
                }
                try await until(
                    "backupconfigurations",
                    "accounts",
                    "whose Function mysql-dump does not exist or is wrong"
                )
                #expect(harness.condition("backupconfigurations", "accounts", "Ready")?["reason"] == "InvalidTask")
                try await until(
                    "tasks",
                    "mysql-backup",
                    "spec.steps[0].name names Function mysql-dump, which does not exist"
                )
                try await harness.fake.apply(
                    yaml: """
                        apiVersion: remora.dev/v1alpha1
                        kind: Function
                        metadata: {name: mysql-dump}
                        spec: {stream: Backup, command: [mariadb-dump], file: dump.sql}
                        """
                )
                try await until("functions", "mysql-dump", "agents run mariadb-dump")
                try await until("tasks", "mysql-backup", "does what Function mysql-dump says")
                try await harness.untilPhase("of-accounts", .queued)
            }
        }
    }

    @Test("a bad object says what to change, and the others stay in force")
    func badObjects() async throws {
        try await KubernetesHarness.run { harness in
            try await harness.fake.apply(
                yaml: """
                    apiVersion: remora.dev/v1alpha1
                    kind: BackupConfiguration
                    metadata: {name: lost, namespace: shop}
                    spec: {repository: {name: nowhere}, target: {ref: {name: orders}}}
                    ---
                    apiVersion: remora.dev/v1alpha1
                    kind: BackupConfiguration
                    metadata: {name: never, namespace: shop}
                    spec: {schedule: "61 * * * *", repository: {name: main}, target: {ref: {name: orders}}}
                    ---
                    apiVersion: remora.dev/v1alpha1
                    kind: BackupSession
                    metadata: {name: of-lost, namespace: shop}
                    spec: {invoker: {name: lost}}
                    ---
                    apiVersion: remora.dev/v1alpha1
                    kind: Repository
                    metadata: {name: secretless, namespace: shop}
                    spec: {backend: {local: {mountPath: /x}, storageSecretName: none}}
                    """
            )
            try await harness.lead { _ in
                func until(_ resource: String, _ name: String, _ type: String, _ text: String) async throws {
                    try await harness.fake.waitUntil("\(resource) \(name) says '\(text)'") { _ in
                        harness.condition(resource, name, type)?["message"]?.string?.contains(text) == true ? true : nil
                    }
                }
                try await until(
                    "backupconfigurations",
                    "lost",
                    "Ready",
                    "names Repository shop/nowhere, which does not exist; there are: main, secretless"
                )
                #expect(harness.condition("backupconfigurations", "lost", "Ready")?["reason"] == "RepositoryNotFound")
                try await until("backupconfigurations", "never", "Ready", "spec.schedule")
                #expect(harness.condition("backupconfigurations", "never", "Ready")?["reason"] == "InvalidSchedule")
                try await until(
                    "backupsessions",
                    "of-lost",
                    "Succeeded",
                    "which is not in force: spec.repository.name names"
                )
                try await until("repositories", "secretless", "Ready", "secret shop/none does not exist")
                // The good one works all the same.
                try await harness.createSession("good")
                try await harness.untilPhase("good", .queued)
                // And what was mended comes into force.
                let path = "/apis/remora.dev/v1alpha1/namespaces/shop/backupconfigurations/lost"
                _ = await harness.fake.send("PATCH", path, ["spec": ["repository": ["name": "main"]]])
                try await harness.untilPhase("of-lost", .queued)
            }
        }
    }

    @Test("a secret without the password names the entry that is missing")
    func missingKey() async throws {
        try await KubernetesHarness.run { harness in
            let path = "/api/v1/namespaces/shop/secrets/main"
            #expect(
                await harness.fake.send("PATCH", path, ["data": ["RESTIC_PASSWORD": .null, "OTHER": "eA=="]]).status
                    == 200
            )
            try await harness.lead { _ in
                try await harness.fake.waitUntil("the repository says so") { _ -> Bool? in
                    let message = harness.condition("repositories", "main", "Ready")?["message"]?.string
                    return message == "secret shop/main has no entry RESTIC_PASSWORD" ? true : nil
                }
            }
        }
    }

    @Test("a pod that asks for an agent and has none is shown")
    func missedInjection() async throws {
        try await KubernetesHarness.run { harness in
            try await harness.makePod("mongo-0", labels: ["remora.dev/cluster": "orders"])
            try await harness.lead { _ in
                try await harness.fake.waitUntil("the configuration says so") { fake in
                    let object = fake.object(
                        "backupconfigurations",
                        group: "remora.dev",
                        namespace: "shop",
                        name: "hourly"
                    )
                    return object?[path: "status", "agents", "uninjected"] == 1 ? true : nil
                }
                let condition = harness.condition("backupconfigurations", "hourly", "AgentsConnected")
                #expect(condition?["reason"] == "MissedInjection")
                #expect(condition?["message"]?.string?.contains("mongo-0") == true)
                try await harness.fake.waitUntil("an event says so") { fake in
                    fake.objects("events", namespace: "shop")
                        .contains { $0["reason"] == "InjectionMissed" } ? true : nil
                }
            }
        }
    }

    @Test("a blueprint makes a configuration for a workload that names it, and keeps it in step")
    func blueprint() async throws {
        try await KubernetesHarness.run { harness in
            try await harness.fake.apply(
                yaml: """
                    apiVersion: remora.dev/v1alpha1
                    kind: BackupBlueprint
                    metadata: {name: nightly}
                    spec:
                      schedule: "0 1 * * *"
                      repository: {name: main, namespace: shop}
                    """
            )
            try await harness.makePod(
                "users-0",
                labels: ["remora.dev/injected": "true", "remora.dev/cluster": "users"],
                annotations: ["remora.dev/inject": "true", "remora.dev/blueprint": "nightly"]
            )
            try await harness.lead { _ in
                func made() -> JSONTree? {
                    harness.fake.object("backupconfigurations", group: "remora.dev", namespace: "shop", name: "users")
                }
                try await harness.fake.waitUntil("it is made") { _ in made() }
                #expect(made()?[path: "spec", "schedule"] == "0 1 * * *")
                #expect(
                    harness.fake.object("appbindings", group: "remora.dev", namespace: "shop", name: "users") != nil
                )
                // A person's edit of what belongs to the blueprint is taken back.
                let path = "/apis/remora.dev/v1alpha1/namespaces/shop/backupconfigurations/users"
                _ = await harness.fake.send("PATCH", path, ["spec": ["schedule": "5 5 * * *"]])
                let blueprint = "/apis/remora.dev/v1alpha1/backupblueprints/nightly"
                _ = await harness.fake.send("PATCH", blueprint, ["spec": ["schedule": "0 2 * * *"]])
                try await harness.fake.waitUntil("it follows the blueprint", within: .seconds(60)) { _ in
                    made()?[path: "spec", "schedule"] == "0 2 * * *" ? true : nil
                }
            }
        }
    }

    @Test("a batch makes a configuration for each member, and removes that of one that is gone")
    func batch() async throws {
        try await KubernetesHarness.run { harness in
            try await harness.fake.apply(
                yaml: """
                    apiVersion: remora.dev/v1alpha1
                    kind: AppBinding
                    metadata: {name: users, namespace: shop}
                    spec: {type: mongodb}
                    ---
                    apiVersion: remora.dev/v1alpha1
                    kind: BackupBatch
                    metadata: {name: all, namespace: shop}
                    spec:
                      repository: {name: main}
                      members:
                      - {target: {ref: {name: orders}}}
                      - {target: {ref: {name: users}}}
                    """
            )
            try await harness.lead { _ in
                func made(_ name: String) -> JSONTree? {
                    harness.fake.object("backupconfigurations", group: "remora.dev", namespace: "shop", name: name)
                }
                try await harness.fake.waitUntil("they are made") { _ in
                    made("all-orders") != nil ? made("all-users") : nil
                }
                let path = "/apis/remora.dev/v1alpha1/namespaces/shop/backupbatches/all"
                let patch: JSONTree = ["spec": ["members": [["target": ["ref": ["name": "orders"]]]]]]
                #expect(await harness.fake.send("PATCH", path, patch).status == 200)
                try await harness.fake.waitUntil("one is gone") { _ in made("all-users") == nil ? true : nil }
                #expect(made("all-orders") != nil)
            }
        }
    }

    @Test("two sessions of different kinds can't share a name, and the second one is told")
    func sharedName() async throws {
        try await KubernetesHarness.run { harness in
            try await harness.lead { _ in
                try await harness.createSession("same")
                try await harness.untilPhase("same", .queued)
                try await harness.fake.apply(
                    yaml: """
                        apiVersion: remora.dev/v1alpha1
                        kind: RestoreSession
                        metadata: {name: same, namespace: shop}
                        spec: {target: {ref: {name: orders}}}
                        """
                )
                try await harness.untilPhase("same", .failed, kind: "restoresessions")
                #expect(harness.condition("restoresessions", "same", "Succeeded")?["reason"] == "NameTaken")
            }
        }
    }
}
