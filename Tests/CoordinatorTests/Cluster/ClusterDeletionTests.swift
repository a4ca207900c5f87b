import BackupModel
import FakeAPIServer
import Foundation
import HTTPClient
import Kubernetes
import TestSupport
import Testing

@testable import Coordinator

/// Deleting anything at any moment leaves no lock, no finalizer, and nothing that runs.
@Suite struct ClusterDeletionTests {
    /// How far a session is when something is deleted.
    enum Moment: String, CaseIterable, Sendable {
        case unseen, queued, running, locked, committing, over
    }

    /// What is deleted.
    enum Thing: String, CaseIterable, Sendable {
        case session = "backupsessions"
        case configuration = "backupconfigurations"
        case repository = "repositories"
        case namespace = "namespaces"
    }

    private static let timings = SessionTimings(leaseMs: 2000, maximumDisconnectedMs: 4000, pollSeconds: 2)

    @Test(
        "whatever is deleted, whenever: what runs is stopped, and the object goes",
        arguments: Thing.allCases,
        Moment.allCases
    )
    func everything(_ thing: Thing, _ moment: Moment) async throws {
        try await KubernetesHarness.run { harness in
            if moment == .unseen {
                try await harness.createSession("s")
                try await Self.delete(thing, harness)
                try await harness.lead(timings: Self.timings) { _ in try await Self.untilGone(thing, harness) }
                return
            }
            try await harness.lead(timings: Self.timings) { coordinator in
                var agent = moment == .queued ? nil : try await harness.makeAgent(coordinator)
                try await agent?.register()
                _ = try await agent?.checkin()
                try await harness.createSession("s")
                if let agent {
                    try await Self.proceed(agent, moment, harness)
                } else {
                    try await harness.untilPhase("s", .queued)
                }
                try await Self.delete(thing, harness)
                try await Self.untilGone(thing, harness)
                guard let agent, moment != .over else { return }
                // The job isn't wanted any more: the agent is told so, one way or another.
                try await eventually("the agent is told to stop") {
                    try await agent.checkin().jobs.allSatisfy { $0.desired != .run }
                }
            }
        }
    }

    private static func proceed(_ agent: ScriptedAgent, _ moment: Moment, _ harness: KubernetesHarness) async throws {
        let job = try await agent.awaitJob()
        _ = try await agent.heartbeat(job)
        if moment == .locked {
            let lock = #"{"host":"mongo-1:27017","isHeld":true,"heldMs":5,"remainingMs":600000}"#
            #expect(try await agent.heartbeat(job, lock: lock).status == 200)
        }
        if moment == .committing || moment == .over { #expect(try await agent.prepareCommit(job).status == 200) }
        if moment == .over {
            #expect(try await agent.complete(job).status == 200)
            try await harness.untilPhase("s", .succeeded)
        }
    }

    private static func delete(_ thing: Thing, _ harness: KubernetesHarness) async throws {
        switch thing {
        case .session: try await harness.delete(thing.rawValue, "s")
        case .configuration: try await harness.delete(thing.rawValue, "hourly")
        case .repository: try await harness.delete(thing.rawValue, "main")
        case .namespace: #expect(await harness.fake.send("DELETE", "/api/v1/namespaces/shop").status < 300)
        }
        await harness.fake.settle()
    }

    private static func untilGone(_ thing: Thing, _ harness: KubernetesHarness) async throws {
        let name =
            switch thing {
            case .session: "s"
            case .configuration: "hourly"
            case .repository: "main"
            case .namespace: "shop"
            }
        try await eventually("\(thing) \(name) is gone") {
            await harness.fake.settle()
            return thing == .namespace
                ? harness.fake.object("namespaces", name: name) == nil
                : harness.fake.object(thing.rawValue, group: "remora.dev", namespace: "shop", name: name) == nil
        }
        if thing == .session || thing == .namespace {
            #expect(harness.session("s") == nil)
        } else {
            try await eventually("nothing runs for it") {
                guard let session = harness.session("s"), let phase = session[path: "status", "phase"]?.string else {
                    return true
                }
                return SessionPhase(rawValue: phase)?.isFinal ?? true
            }
        }
    }

    @Test("a lock outlives its session's object in the ledger, until it is released")
    func lockOutlives() async throws {
        try await KubernetesHarness.run { harness in
            try await harness.lead(timings: Self.timings) { coordinator in
                var agent = try await harness.makeAgent(coordinator)
                var primary = try await harness.makeAgent(coordinator, pod: "mongo-0", role: "primary")
                for _ in 0..<1 {
                    try await agent.register()
                    try await primary.register()
                }
                _ = try await agent.checkin()
                _ = try await primary.checkin()
                try await harness.createSession("s")
                let job = try await agent.awaitJob()
                let lock = #"{"host":"mongo-1:27017","isHeld":true,"heldMs":5,"remainingMs":600000}"#
                #expect(try await agent.heartbeat(job, lock: lock).status == 200)
                // From now on its agent is silent: nobody hears of the lock's end.
                try await harness.delete("backupsessions", "s")
                let released = primary
                try await eventually("the object is gone") { harness.session("s") == nil }
                let ledger = harness.fake.object(
                    "configmaps",
                    namespace: KubernetesHarness.system,
                    name: "remora-ledger"
                )
                #expect(ledger?["data"]?.object?.isEmpty == false)
                let release = try await released.awaitJob()
                #expect(release.work.release != nil)
                #expect(try await released.complete(release, outcome: #"{}"#).status == 200)
                try await eventually("the ledger is empty") {
                    let ledger = harness.fake.object(
                        "configmaps",
                        namespace: KubernetesHarness.system,
                        name: "remora-ledger"
                    )
                    return ledger?["data"]?.object?.isEmpty ?? true
                }
            }
        }
    }

    @Test("an annotation lets a session's object go at once")
    func skipCleanup() async throws {
        try await KubernetesHarness.run { harness in
            try await harness.lead { coordinator in
                var agent = try await harness.makeAgent(coordinator)
                try await agent.register()
                _ = try await agent.checkin()
                try await harness.createSession("s")
                _ = try await agent.awaitJob()
                let path = "/apis/remora.dev/v1alpha1/namespaces/shop/backupsessions/s"
                let patch: JSONTree = ["metadata": ["annotations": ["remora.dev/skip-cleanup": "true"]]]
                #expect(await harness.fake.send("PATCH", path, patch).status == 200)
                try await harness.delete("backupsessions", "s")
                try await eventually("the object is gone", within: .seconds(30)) { harness.session("s") == nil }
                try await eventually("the job is not wanted any more") { try await agent.checkin().jobs.isEmpty }
            }
        }
    }

    @Test("history forgets the oldest sessions of each outcome, and never the newest good one")
    func history() async throws {
        try await KubernetesHarness.run { harness in
            let path = "/apis/remora.dev/v1alpha1/namespaces/shop/backupconfigurations/hourly"
            #expect(await harness.fake.send("PATCH", path, ["spec": ["backupHistoryLimit": 1]]).status == 200)
            try await harness.lead { coordinator in
                var agent = try await harness.makeAgent(coordinator)
                try await agent.register()
                _ = try await agent.checkin()
                var seen: Set<String> = []
                for name in ["one", "two"] {
                    try await harness.createSession(name)
                    let job = try await agent.awaitJob(other: seen)
                    seen.insert(job.jobID)
                    #expect(try await agent.prepareCommit(job).status == 200)
                    #expect(try await agent.complete(job).status == 200)
                    try await harness.untilPhase(name, .succeeded)
                }
                try await harness.createSession("bad")
                let job = try await agent.awaitJob(other: seen)
                seen.insert(job.jobID)
                let failure = #"{"failure":{"code":"x","message":"no","isRetryable":false}}"#
                #expect(try await agent.complete(job, outcome: failure).status == 200)
                try await harness.untilPhase("bad", .failed)
                try await eventually("the oldest is gone") { harness.session("one") == nil }
                #expect(harness.session("two") != nil)
                #expect(harness.session("bad") != nil)
            }
        }
    }
}
