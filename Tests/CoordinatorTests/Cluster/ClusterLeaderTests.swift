import BackupModel
import FakeAPIServer
import Foundation
import Kubernetes
import ServiceLifecycle
import TestSupport
import Testing

@testable import Coordinator

/// The label by which the agents' service finds the leader.
@Suite struct ClusterLeaderTests {
    private static func makePod(_ name: String, _ harness: KubernetesHarness) async throws {
        try await harness.fake.create([
            "apiVersion": "v1", "kind": "Pod",
            "metadata": [
                "name": .string(name), "namespace": .string(KubernetesHarness.system),
                "labels": ["app.kubernetes.io/name": "remora"],
            ],
            "spec": ["containers": [["name": "coordinator", "image": "remora-coordinator"]]],
        ])
    }

    /// The pods that the service selects.
    private static func marked(_ harness: KubernetesHarness) -> [String] {
        harness.fake.objects("pods", namespace: KubernetesHarness.system)
            .filter { $0[path: "metadata", "labels", "remora.dev/leader"] == "true" }
            .compactMap { $0[path: "metadata", "name"]?.string }.sorted()
    }

    private static func until(_ names: [String], _ harness: KubernetesHarness) async throws {
        try await harness.fake.waitUntil("the label is on \(names)") { _ in marked(harness) == names ? true : nil }
    }

    @Test("exactly the pod that leads has the label, whoever was killed with it on, and wherever it starts again")
    func label() async throws {
        try await KubernetesHarness.run { harness in
            for name in ["remora-0", "remora-1"] { try await Self.makePod(name, harness) }
            let first = try harness.makeReplica("remora-0") { $0.isPod = true }
            try await harness.run([first]) {
                try await harness.untilLeading(first)
                try await Self.until(["remora-0"], harness)
            }
            // A process that ends, however it does, takes nothing off: its pod may still be there.
            #expect(Self.marked(harness) == ["remora-0"])

            let second = try harness.makeReplica("remora-1") { $0.isPod = true }
            try await harness.run([second]) {
                try await harness.untilLeading(second)
                try await Self.until(["remora-1"], harness)

                // Killed while it led, and its container started again in the same pod, while another one leads.
                try harness.fake.alter("pods", namespace: KubernetesHarness.system, name: "remora-0") { pod in
                    pod["metadata"]?["labels"]?["remora.dev/leader"] = "true"
                }
                let again = try harness.makeReplica("remora-0") { settings in
                    settings.isPod = true
                    settings.client.retry = .never
                }
                // The API server isn't there at once, either.
                harness.fake.misbehave(.status(503, retryAfter: nil), verb: "patch", path: "/pods/remora-0", times: 2)
                try await harness.run([again]) {
                    try await Self.until(["remora-1"], harness)
                    await second.group.triggerGracefulShutdown()
                    try await harness.untilLeading(again)
                    try await Self.until(["remora-0"], harness)
                }
            }
            #expect(harness.fake.object("pods", namespace: KubernetesHarness.system, name: "remora-2") == nil)
        }
    }

    @Test("a pod that went meanwhile is not made again by taking its label off")
    func gone() async throws {
        try await KubernetesHarness.run { harness in
            for name in ["remora-0", "remora-1"] { try await Self.makePod(name, harness) }
            try harness.fake.alter("pods", namespace: KubernetesHarness.system, name: "remora-0") { pod in
                pod["metadata"]?["labels"]?["remora.dev/leader"] = "true"
            }
            harness.fake.misbehave(.status(404, retryAfter: nil), verb: "patch", path: "/pods/remora-0", times: 1)
            let replica = try harness.makeReplica("remora-1") { $0.isPod = true }
            try await harness.run([replica]) {
                try await harness.untilLeading(replica)
                try await harness.fake.waitForRequest("the label is taken off") {
                    $0.verb == "patch" && $0.path.hasSuffix("/pods/remora-0")
                }
                try await harness.fake.waitUntil("it leads on") { _ in
                    Self.marked(harness).contains("remora-1") ? true : nil
                }
                #expect(replica.ended.all.isEmpty)
            }
        }
    }
}
