import BackupModel
import FakeAPIServer
import Foundation
import HTTPClient
import Kubernetes
import ObjectStorage
import ServiceLifecycle
import TestSupport
import Testing

@testable import Coordinator

@Suite struct ClusterSessionTests {
    @Test("an object asks for a backup, an agent makes it, and the object tells everything")
    func wholeBackup() async throws {
        try await KubernetesHarness.run { harness in
            try await harness.lead { coordinator in
                var agent = try await harness.makeAgent(coordinator)
                try await agent.register()
                _ = try await agent.checkin()
                try await harness.createSession("by-hand")
                let job = try await agent.awaitJob()
                #expect(job.session == "shop/by-hand")
                _ = try await agent.heartbeat(job)
                try await harness.fake.waitUntil("the pod is shown") { _ in
                    harness.session("by-hand")?[path: "status", "hosts"]?[0]?["pod"]?.string == "mongo-1" ? true : nil
                }
                #expect(try await agent.prepareCommit(job).status == 200)
                #expect(try await agent.complete(job).status == 200)
                try await harness.untilPhase("by-hand", .succeeded)
                let object = KubernetesObject(try #require(harness.session("by-hand")))
                #expect(object[path: "status", "snapshot", "documents"] == 42)
                #expect(
                    object[path: "status", "hosts"]?[0]?["snapshotID"]?.string == String(repeating: "ab", count: 32)
                )
                #expect(object[path: "status", "epoch"]?.integer == agent.epoch)
                #expect(object.finalizers == ["remora.dev/cancel-on-delete"])
                #expect(object.controller?.kind == "BackupConfiguration")
                #expect(object.labels["remora.dev/cluster"] == "orders")
                let store = try DirectoryStore(path: harness.directory.appending("repository"))
                let manifests = PrefixedStore(store, prefix: "shop/orders/sessions")
                #expect(try await manifests.list(prefix: "").map(\.key) == ["by-hand.json"])
                // Where people look: the configuration and the repository.
                try await harness.fake.waitUntil("the configuration tells of it") { _ in
                    let status = harness.fake.object(
                        "backupconfigurations",
                        group: "remora.dev",
                        namespace: "shop",
                        name: "hourly"
                    )?["status"]
                    return status?[path: "lastSuccess", "name"]?.string == "by-hand"
                        && status?[path: "agents", "connected"] == 1 && status?["phase"] == "Ready" ? true : nil
                }
                try await harness.fake.waitUntil("the repository tells of it") { _ in
                    let status = harness.fake.object(
                        "repositories",
                        group: "remora.dev",
                        namespace: "shop",
                        name: "main"
                    )?["status"]
                    return status?["snapshotCount"] == 1 && status?["phase"] == "Ready" ? true : nil
                }
                try await harness.fake.waitUntil("events tell of it") { fake in
                    let reasons = Set(
                        fake.objects("events", namespace: "shop").compactMap { $0["reason"]?.string }
                    )
                    return reasons.isSuperset(of: ["BackupStarted", "BackupSucceeded"]) ? true : nil
                }
                #expect(harness.fake.openWatches() <= 8)
            }
        }
    }

    @Test("a session goes on with the next leader, and its agent with it")
    func changeOfLeader() async throws {
        try await KubernetesHarness.run { harness in
            let replicas = [try harness.makeReplica("remora-0"), try harness.makeReplica("remora-1")]
            try await harness.run(replicas) {
                let leading = try await eventually("somebody leads") {
                    for replica in replicas where try await replica.coordinator.call("GET", "/agent/v1/x").status == 404
                    {
                        return replica
                    }
                    return nil
                }
                let other = try #require(replicas.first { $0.name != leading.name })
                #expect(try refusal(try await other.coordinator.call("GET", "/api/v1/status")) == "503 notLeader")
                #expect(try await other.coordinator.call("GET", "/readyz").status == 200)

                var agent = try await harness.makeAgent(leading.coordinator)
                try await agent.register()
                _ = try await agent.checkin()
                try await harness.createSession("long")
                let job = try await agent.awaitJob()
                let lock = #"{"host":"mongo-1:27017","isHeld":true,"heldMs":5,"remainingMs":600000}"#
                #expect(try await agent.heartbeat(job, lock: lock).status == 200)
                let first = agent.epoch

                await leading.group.triggerGracefulShutdown()
                try await harness.untilLeading(other)
                agent.coordinator = other.coordinator
                #expect(try refusal(try await agent.heartbeat(job, lock: lock)) == "401 unauthorized")
                try await agent.register(jobs: #"[{"jobID":"\#(job.jobID)","state":"running","fence":\#(job.fence)}]"#)
                #expect(agent.epoch > first)
                let document = try await agent.checkin(
                    jobs: #"[{"jobID":"\#(job.jobID)","state":"running","fence":\#(job.fence)}]"#
                )
                #expect(document.jobs.map(\.jobID) == [job.jobID])
                #expect(try await agent.heartbeat(job, lock: lock).status == 200)
                let person = harness.person()
                let locks = try await other.coordinator.call("GET", UserAPI.locksPath, token: person)
                #expect(try WireJSON.decode([LockView].self, from: locks.body).map(\.jobID) == [job.jobID])
                let gone = lock.replacingOccurrences(of: "true", with: "false")
                #expect(try await agent.heartbeat(job, lock: gone).status == 200)
                #expect(try await agent.prepareCommit(job).status == 200)
                #expect(try await agent.complete(job).status == 200)
                try await harness.untilPhase("long", .succeeded)
                #expect(other.ended.all.isEmpty)
            }
        }
    }

    @Test("a leader that can't renew its Lease ends")
    func lostLease() async throws {
        try await KubernetesHarness.run { harness in
            let replicas = [try harness.makeReplica("remora-0", lease: .seconds(6))]
            try await harness.run(replicas) {
                try await harness.untilLeading(replicas[0])
                harness.fake.misbehave(.status(500, retryAfter: nil), path: "/leases/", times: 1000)
                try await eventually("it ends") { !replicas[0].ended.all.isEmpty }
                #expect(replicas[0].ended.all.first?.contains("Lease is lost") == true)
            }
        }
    }

    @Test("a scheduled session has a name of its minute and belongs to its configuration")
    func schedule() async throws {
        try await KubernetesHarness.run { harness in
            // As if it had last fired long ago: one run is due, the newest.
            try harness.fake.alter("backupconfigurations", group: "remora.dev", namespace: "shop", name: "hourly") {
                $0["spec"]?["schedule"] = "* * * * *"
                $0["status"] = ["conditions": [], "lastScheduleTime": .string(minutesAgo(3).description)]
            }
            try await harness.lead { _ in
                let session = try await harness.fake.waitUntil("a session is made") { fake in
                    fake.objects("backupsessions", group: "remora.dev", namespace: "shop").first
                }
                let object = KubernetesObject(session)
                #expect(object.name.wholeMatch(of: /hourly-[0-9]+/) != nil)
                #expect(object[path: "spec", "trigger"] == "Schedule")
                #expect(object.controller?.name == "hourly")
                try await harness.fake.waitUntil("the schedule remembers it") { fake in
                    let status = fake.object(
                        "backupconfigurations",
                        group: "remora.dev",
                        namespace: "shop",
                        name: "hourly"
                    )?["status"]
                    let time = status?["lastScheduleTime"]?.string.flatMap { Timestamp($0) }
                    return time.map { $0 > minutesAgo(3) } == true ? true : nil
                }
            }
        }
    }

    @Test("a person's cancel stops a session, over plain HTTP too")
    func cancel() async throws {
        try await KubernetesHarness.run(KubernetesHarness.plainOptions) { harness in
            try await harness.lead { coordinator in
                try await harness.createSession("a")
                try await harness.untilPhase("a", .queued)
                let path = "/apis/remora.dev/v1alpha1/namespaces/shop/backupsessions/a"
                #expect(await harness.fake.send("PATCH", path, ["spec": ["cancel": true]]).status == 200)
                try await harness.untilPhase("a", .cancelled)
                #expect(harness.session("a")?[path: "status", "conditions"] != nil)
            }
        }
    }

    @Test("forgotten history, broken watches and slow answers are mended by themselves")
    func brokenWatches() async throws {
        try await KubernetesHarness.run { harness in
            try await harness.lead { coordinator in
                let path = "/apis/remora.dev/v1alpha1/backupsessions"
                harness.fake.forgetHistory()
                harness.fake.misbehave(.closeConnection(afterBytes: 0), verb: "watch", times: 4)
                harness.fake.misbehave(.gone, verb: "watch", path: path, times: 1)
                harness.fake.misbehave(.expiredEvent, verb: "watch", path: path, times: 1)
                harness.fake.misbehave(.splitBody(every: 7), verb: "list", path: path, times: 3)
                try await harness.createSession("a")
                try await harness.untilPhase("a", .queued)
            }
        }
    }
}

private func minutesAgo(_ minutes: Int64) -> Timestamp {
    let now = CoordinatorCore.now()
    return Timestamp(unixMs: now.unixMs - now.unixMs % 60_000 - minutes * 60_000)
}
