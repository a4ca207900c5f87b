import BackupModel
import FakeAPIServer
import Foundation
import HTTPClient
import Kubernetes
import TestSupport
import Testing

@testable import Coordinator

@Suite struct ClusterBatchTests {
    private static let members = ["orders", "users", "carts"]

    private static let objects = """
        apiVersion: remora.dev/v1alpha1
        kind: AppBinding
        metadata: {name: users, namespace: shop}
        spec: {type: mongodb}
        ---
        apiVersion: remora.dev/v1alpha1
        kind: AppBinding
        metadata: {name: carts, namespace: shop}
        spec: {type: mongodb}
        ---
        apiVersion: remora.dev/v1alpha1
        kind: BackupBatch
        metadata: {name: all, namespace: shop}
        spec:
          executionOrder: Sequential
          schedule: "0 0 1 1 *"
          repository: {name: main}
          members:
          - {target: {ref: {name: orders}}}
          - {target: {ref: {name: nowhere}}}
          - {target: {ref: {name: users}}}
          - {target: {ref: {name: carts}}}
        """

    @Test("members of a sequential batch run in their order, and one that fails does not stop the next")
    func sequential() async throws {
        try await KubernetesHarness.run { harness in
            try await harness.fake.apply(yaml: Self.objects)
            // A leader sees the schedules for the first time: nothing is due yet.
            try await harness.lead { _ in
                for member in Self.members {
                    try await harness.fake.waitUntil("\(member) is scheduled") { _ in
                        Self.configuration(member, harness)?[path: "status", "lastScheduleTime"]
                    }
                }
            }
            // Then a run has become due while nobody led.
            let due = Timestamp(unixMs: CoordinatorCore.now().unixMs - 180_000)
            let minute = Calendar(identifier: .gregorian).component(
                .minute,
                from: Date(timeIntervalSince1970: Double(due.unixMs) / 1000)
            )
            let before = Timestamp(unixMs: due.unixMs - 120_000).description
            for member in Self.members {
                try harness.fake.alter(
                    "backupconfigurations",
                    group: "remora.dev",
                    namespace: "shop",
                    name: "all-\(member)"
                ) { $0["status"]?["lastScheduleTime"] = .string(before) }
            }
            let path = "/apis/remora.dev/v1alpha1/namespaces/shop/backupbatches/all"
            let schedule: JSONTree = ["spec": ["schedule": .string("\(minute) * * * *")]]
            try #require(await harness.fake.send("PATCH", path, schedule).status == 200)

            try await harness.lead { coordinator in
                var done: [String] = []
                var agents: [String: ScriptedAgent] = [:]
                for member in Self.members {
                    var agent = try await harness.makeAgent(coordinator, pod: "\(member)-0", cluster: member)
                    try await agent.register()
                    _ = try await agent.checkin()
                    agents[member] = agent
                }
                for member in Self.members {
                    let agent = try #require(agents[member])
                    let job = try await agent.awaitJob()
                    _ = try await agent.heartbeat(job)
                    #expect(Self.started(harness) == done + [member])
                    if member == "orders" {
                        let failure = #"{"failure":{"code":"x","message":"no","isRetryable":false}}"#
                        #expect(try await agent.complete(job, outcome: failure).status == 200)
                    } else {
                        #expect(try await agent.prepareCommit(job).status == 200)
                        #expect(try await agent.complete(job).status == 200)
                    }
                    done.append(member)
                }
                try await harness.fake.waitUntil("all are over") { _ in
                    let phases = Self.sessions(harness).map { $0[path: "status", "phase"]?.string ?? "" }
                    return phases == ["Failed", "Succeeded", "Succeeded"] ? true : nil
                }
            }
        }
    }

    private static func configuration(_ member: String, _ harness: KubernetesHarness) -> JSONTree? {
        harness.fake.object("backupconfigurations", group: "remora.dev", namespace: "shop", name: "all-\(member)")
    }

    /// Sessions of the batch, in the order of its members.
    private static func sessions(_ harness: KubernetesHarness) -> [JSONTree] {
        let all = harness.fake.objects("backupsessions", group: "remora.dev", namespace: "shop")
        return members.flatMap { member in
            all.filter { $0[path: "metadata", "name"]?.string?.hasPrefix("all-\(member)-") == true }
        }
    }

    /// Members whose session was made, in their order.
    private static func started(_ harness: KubernetesHarness) -> [String] {
        sessions(harness).compactMap { $0[path: "metadata", "name"]?.string?.split(separator: "-")[1] }.map(String.init)
    }
}
