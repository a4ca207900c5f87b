import BackupModel
import FakeAPIServer
import Foundation
import Kubernetes
import TestSupport
import Testing

@testable import Coordinator

/// A Deployment whose pods ask for a blueprint, with what its controller makes of it.
private struct Rollout: Sendable {
    let harness: KubernetesHarness
    static let asking: JSONTree = ["remora.dev/inject": "true", "remora.dev/blueprint": "nightly"]

    /// Makes blueprint and Deployment.
    static func begin(_ harness: KubernetesHarness) async throws -> (rollout: Rollout, deployment: JSONTree) {
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
        let deployment = try await harness.fake.create(workload("Deployment", "users"))
        return (Rollout(harness: harness), deployment)
    }

    static func workload(_ kind: String, _ name: String) -> JSONTree {
        [
            "apiVersion": "apps/v1", "kind": .string(kind),
            "metadata": ["name": .string(name), "namespace": "shop"],
            "spec": [
                "replicas": 1, "selector": ["matchLabels": ["app": "users"]],
                "template": [
                    "metadata": ["labels": ["app": "users"]],
                    "spec": ["containers": [["name": "mongod", "image": "mongo:6"]]],
                ],
            ],
        ]
    }

    /// Makes the ReplicaSet of a revision, and its pod.
    func make(_ hash: String, of deployment: JSONTree, annotations: JSONTree = asking, isInjected: Bool = true)
        async throws
    {
        var set = Self.workload("ReplicaSet", "users-\(hash)")
        set["metadata"]?["ownerReferences"] = [KubernetesHarness.reference(to: deployment)]
        let made = try await harness.fake.create(set)
        var labels: JSONTree = ["app": "users", "pod-template-hash": .string(hash)]
        if isInjected {
            labels["remora.dev/injected"] = "true"
            labels["remora.dev/cluster"] = "users"
        }
        try await harness.makePod("users-\(hash)-x", labels: labels, annotations: annotations, owner: made)
    }

    /// Ends a revision: its pod, then its ReplicaSet.
    func end(_ hash: String) async throws {
        try await harness.delete("pods", "users-\(hash)-x", api: "api/v1")
        try await harness.delete("replicasets", "users-\(hash)", api: "apis/apps/v1")
        await harness.fake.settle()
    }

    /// The configuration that is made.
    var made: JSONTree? {
        harness.fake.object("backupconfigurations", group: "remora.dev", namespace: "shop", name: "users")
    }

    var owners: [String] {
        made?[path: "metadata", "ownerReferences"]?.array?.map {
            "\($0["kind"]?.string ?? "") \($0["name"]?.string ?? "")"
        } ?? []
    }

    func schedule(_ text: String) async throws {
        let path = "/apis/remora.dev/v1alpha1/backupblueprints/nightly"
        let answer = await harness.fake.send("PATCH", path, ["spec": ["schedule": .string(text)]])
        try #require(answer.status == 200)
    }
}

@Suite(.serialized) struct ClusterBlueprintTests {
    private var quick: ListTiming {
        var lists = ListTiming()
        lists.used = .milliseconds(500)
        return lists
    }

    @Test("what a blueprint made for a Deployment outlives its roll-outs and follows the blueprint")
    func rollout() async throws {
        try await KubernetesHarness.run { harness in
            let (rollout, deployment) = try await Rollout.begin(harness)
            try await rollout.make("aaa", of: deployment)
            try await harness.lead(lists: quick) { _ in
                let first = try await harness.fake.waitUntil("it is made") { _ in rollout.made }
                #expect(rollout.owners == ["Deployment users"])
                try await rollout.make("bbb", of: deployment)
                try await rollout.end("aaa")
                try await rollout.schedule("0 2 * * *")
                try await harness.fake.waitUntil("it follows the blueprint") { _ in
                    rollout.made?[path: "spec", "schedule"] == "0 2 * * *" ? true : nil
                }
                #expect(rollout.made?[path: "metadata", "uid"] == first[path: "metadata", "uid"])
                #expect(rollout.owners == ["Deployment users"])
                let binding = harness.fake.object("appbindings", group: "remora.dev", namespace: "shop", name: "users")
                #expect(binding?[path: "metadata", "ownerReferences"]?.array?.count == 1)
                // Each ReplicaSet was asked once whose it is.
                let questions = harness.fake.requests.filter { $0.path.contains("/replicasets/") && $0.verb == "get" }
                #expect(Set(questions.map(\.path)).count == questions.count)
                #expect(questions.count == 2)
            }
        }
    }

    @Test(
        "without the annotation the configuration goes, and what is behind it stays",
        arguments: [
            (["remora.dev/inject": "true"] as JSONTree, true), ([:] as JSONTree, false),
        ]
    )
    func annotationRemoved(annotations: JSONTree, isInjected: Bool) async throws {
        try await KubernetesHarness.run { harness in
            let (rollout, deployment) = try await Rollout.begin(harness)
            try await rollout.make("aaa", of: deployment)
            try await harness.lead(lists: quick) { _ in
                try await harness.fake.waitUntil("it is made") { _ in rollout.made }
                try await rollout.make("bbb", of: deployment, annotations: annotations, isInjected: isInjected)
                try await rollout.end("aaa")
                try await harness.fake.waitUntil("it is gone", within: .seconds(60)) { _ in
                    rollout.made == nil ? true : nil
                }
                #expect(
                    harness.fake.object("repositories", group: "remora.dev", namespace: "shop", name: "main") != nil
                )
                #expect(
                    harness.fake.object("backupconfigurations", group: "remora.dev", namespace: "shop", name: "hourly")
                        != nil
                )
            }
        }
    }

    @Test("scaled down to nothing it stays, and with its Deployment it goes")
    func workloadRemoved() async throws {
        try await KubernetesHarness.run { harness in
            let (rollout, deployment) = try await Rollout.begin(harness)
            try await rollout.make("aaa", of: deployment)
            try await harness.lead(lists: quick) { _ in
                let first = try await harness.fake.waitUntil("it is made") { _ in rollout.made }
                try await harness.delete("pods", "users-aaa-x", api: "api/v1")
                // It was looked whether another pod of the Deployment asks for nothing.
                try await harness.fake.waitForRequest("a look at the pods") {
                    $0.verb == "list" && $0.path == "/api/v1/namespaces/shop/pods"
                }
                #expect(rollout.made?[path: "metadata", "uid"] == first[path: "metadata", "uid"])
                try await harness.delete("deployments", "users", api: "apis/apps/v1")
                await harness.fake.settle()
                try await harness.fake.waitUntil("it is gone") { _ in rollout.made == nil ? true : nil }
                #expect(
                    harness.fake.object("repositories", group: "remora.dev", namespace: "shop", name: "main") != nil
                )
            }
        }
    }

    @Test("a target of several workloads keeps its configuration until the last of them is gone")
    func severalWorkloads() async throws {
        try await KubernetesHarness.run { harness in
            let (rollout, _) = try await Rollout.begin(harness)
            for name in ["users-a", "users-b"] {
                var set = Rollout.workload("StatefulSet", name)
                set["spec"]?["serviceName"] = "users"
                let owner = try await harness.fake.create(set)
                try await harness.makePod(
                    "\(name)-0",
                    labels: ["remora.dev/injected": "true", "remora.dev/cluster": "users"],
                    annotations: Rollout.asking,
                    owner: owner
                )
            }
            try await harness.lead(lists: quick) { _ in
                let first = try await harness.fake.waitUntil("both own it") { _ in
                    rollout.owners.count == 2 ? rollout.made : nil
                }
                try await harness.delete("statefulsets", "users-a", api: "apis/apps/v1")
                await harness.fake.settle()
                try await rollout.schedule("0 3 * * *")
                try await harness.fake.waitUntil("it goes on") { _ in
                    rollout.made?[path: "spec", "schedule"] == "0 3 * * *" && rollout.owners == ["StatefulSet users-b"]
                        ? true : nil
                }
                #expect(rollout.made?[path: "metadata", "uid"] == first[path: "metadata", "uid"])
            }
        }
    }

    @Test("a blueprint that isn't there is told about on the workload, and used as soon as it is")
    func missing() async throws {
        try await KubernetesHarness.run { harness in
            let (rollout, deployment) = try await Rollout.begin(harness)
            let other: JSONTree = ["remora.dev/inject": "true", "remora.dev/blueprint": "weekly"]
            try await rollout.make("aaa", of: deployment, annotations: other)
            try await harness.lead(lists: quick) { _ in
                try await harness.fake.waitUntil("an event says so") { fake in
                    fake.objects("events", namespace: "shop").first { $0["reason"] == "BlueprintMissing" }
                }
                #expect(rollout.made == nil)
                try await harness.fake.apply(
                    yaml: """
                        apiVersion: remora.dev/v1alpha1
                        kind: BackupBlueprint
                        metadata: {name: weekly}
                        spec:
                          schedule: "0 1 * * 0"
                          repository: {name: main, namespace: shop}
                        """
                )
                try await harness.fake.waitUntil("it is made") { _ in rollout.made }
            }
        }
    }
}
