import BackupModel
import FakeAPIServer
import Foundation
import HTTPClient
import Kubernetes
import TestSupport
import Testing

@testable import Coordinator

/// What sessions only use can be deleted at any moment, too: then nothing keeps the namespace, and no lock is forgotten.
///
/// One after another: side by side these clusters would starve the tests of other suites.
@Suite(.serialized) struct ClusterLeftoversTests {
    /// How far the session is.
    enum Moment: String, CaseIterable, Sendable {
        case queued, running, locked, committing, over
    }

    /// What is deleted.
    enum Thing: String, CaseIterable, Sendable {
        case binding, secret, pod, batch, blueprint, restore
    }

    private static let timings = SessionTimings(leaseMs: 2000, maximumDisconnectedMs: 4000, pollSeconds: 2)
    private static let held = #"{"host":"mongo-1:27017","isHeld":true,"heldMs":5,"remainingMs":600000}"#

    private static let objects = """
        apiVersion: remora.dev/v1alpha1
        kind: BackupBatch
        metadata: {name: all, namespace: shop}
        spec: {repository: {name: main}, members: [{target: {ref: {name: orders}}}]}
        ---
        apiVersion: remora.dev/v1alpha1
        kind: BackupBlueprint
        metadata: {name: nightly}
        spec: {schedule: "0 1 * * *", repository: {name: main, namespace: shop}}
        """

    @Test("then the namespace, and all of it goes", arguments: Thing.allCases, Moment.allCases)
    func everything(_ thing: Thing, _ moment: Moment) async throws {
        try await KubernetesHarness.run { harness in
            try await harness.fake.apply(yaml: Self.objects)
            try await harness.lead(timings: Self.timings) { coordinator in
                try await harness.fake.waitUntil("the batch has its configuration") { fake in
                    fake.object("backupconfigurations", group: "remora.dev", namespace: "shop", name: "all-orders")
                }
                var agent = try await harness.makeAgent(coordinator)
                if moment != .queued {
                    try await agent.register()
                    _ = try await agent.checkin()
                }
                try await Self.begin(thing, moment, agent, harness)
                try await Self.delete(thing, harness)
                let path = "/api/v1/namespaces/shop"
                #expect(await harness.fake.send("DELETE", path).status < 300)
                try await eventually("the namespace is gone") {
                    await harness.fake.settle()
                    return harness.fake.object("namespaces", name: "shop") == nil
                }
                if moment == .locked {
                    // Whoever held it is gone, or says nothing: it is on record until somebody has released it.
                    let ledger = harness.fake.object(
                        "configmaps",
                        namespace: KubernetesHarness.system,
                        name: "remora-ledger"
                    )
                    #expect(ledger?["data"]?.object?.isEmpty == false)
                }
            }
        }
    }

    /// Brings a session to a moment.
    private static func begin(
        _ thing: Thing,
        _ moment: Moment,
        _ agent: ScriptedAgent,
        _ harness: KubernetesHarness
    ) async throws {
        if thing == .restore {
            try await harness.fake.apply(
                yaml: """
                    apiVersion: remora.dev/v1alpha1
                    kind: RestoreSession
                    metadata: {name: r, namespace: shop}
                    spec: {repository: {name: main}, target: {ref: {name: orders}}}
                    """
            )
        }
        try await harness.createSession("s", configuration: thing == .batch ? "all-orders" : "hourly")
        guard moment != .queued else { return try await harness.untilPhase("s", .queued) }
        let job = try await agent.awaitJob()
        _ = try await agent.heartbeat(job)
        if moment == .locked { #expect(try await agent.heartbeat(job, lock: held).status == 200) }
        if moment == .committing || moment == .over { #expect(try await agent.prepareCommit(job).status == 200) }
        if moment == .over {
            #expect(try await agent.complete(job).status == 200)
            try await harness.untilPhase("s", .succeeded)
        }
    }

    private static func delete(_ thing: Thing, _ harness: KubernetesHarness) async throws {
        switch thing {
        case .binding: try await harness.delete("appbindings", "orders")
        case .secret: try await harness.delete("secrets", "main", api: "api/v1")
        case .pod: try await harness.delete("pods", "mongo-1", api: "api/v1")
        case .batch: try await harness.delete("backupbatches", "all")
        case .blueprint:
            let path = "/apis/remora.dev/v1alpha1/backupblueprints/nightly"
            #expect(await harness.fake.send("DELETE", path).status < 300)
        case .restore: try await harness.delete("restoresessions", "r")
        }
        await harness.fake.settle()
    }
}
