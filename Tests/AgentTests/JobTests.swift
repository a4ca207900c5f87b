import BackupModel
import Engines
import Repository
import Synchronization
import TestSupport
import Testing

@testable import Agent

@Suite("An agent's jobs")
struct JobTests {
    @Test("a backup is published with the names the coordinator gave, and reported with its log")
    func backup() async throws {
        try await AgentHarness.with { harness in
            let engine = FakeEngine()
            harness.want(harness.backup("job1"))
            let outcome = try await harness.runningAgent(engine) { try await harness.outcome("job1") }

            let result = try #require(outcome.backup)
            #expect(result.bytesAdded > 0)
            #expect(result.bytesStored > 0)
            let snapshot = try #require(try await harness.snapshots().first)
            #expect(snapshot.hostname == "shop/orders/rs0")
            #expect(snapshot.paths == ["/fake"])
            #expect(snapshot.tags == ["session=shop/orders-1", "remora", "permit=permit-job1"])
            let messages = harness.log("job1").map(\.message)
            #expect(messages.contains("begin"))
            #expect(messages.last == "job job1: done")
            let seen = harness.coordinator.seen
            #expect(seen.heartbeats["job1"]?.isEmpty == false)
            #expect(seen.heartbeats["job1"]?.allSatisfy { $0.fence == 7 } == true)
            #expect(seen.deregistrations == 1)
        }
    }

    @Test("a restore reads the snapshot named and is reported")
    func restore() async throws {
        try await AgentHarness.with { harness in
            let engine = FakeEngine()
            harness.want(harness.backup("job1"))
            let outcome = try await harness.runningAgent(engine) {
                let snapshotID = try await harness.outcome("job1").backup?.snapshotID ?? ""
                harness.want(harness.restore("job2", snapshotID: snapshotID))
                return try await harness.outcome("job2")
            }
            #expect(outcome.restore?.documents == 1)
        }
    }

    @Test("a release is done and reported with neither result nor failure")
    func release() async throws {
        try await AgentHarness.with { harness in
            let engine = FakeEngine()
            var job = harness.backup("job1")
            job.work = .release(ReleaseSpec(host: "127.0.0.1:2", ownerJobID: "other"))
            harness.want(job)
            let outcome = try await harness.runningAgent(engine) { try await harness.outcome("job1") }
            #expect(outcome == JobOutcome())
            #expect(engine.seen.releases == 1)
        }
    }

    @Test("a job of an unknown kind fails with the code unsupported")
    func unknownKind() async throws {
        try await AgentHarness.with { harness in
            var job = harness.backup("job1")
            job.work = try WireJSON.decode(JobWork.self, from: Array(#"{"sing":{"loudly":true}}"#.utf8))
            harness.want(job)
            let outcome = try await harness.runningAgent(FakeEngine()) { try await harness.outcome("job1") }
            #expect(outcome.failure?.code == "unsupported")
        }
    }

    private struct Concurrency {
        var now = 0
        var most = 0
    }

    @Test("jobs run one at a time, in the document's order")
    func oneAtATime() async throws {
        try await AgentHarness.with { harness in
            let running = Mutex(Concurrency())
            let engine = FakeEngine { _ in
                running.withLock { state in
                    state.now += 1
                    state.most = max(state.most, state.now)
                }
                try await Task.sleep(for: .milliseconds(50))
                running.withLock { $0.now -= 1 }
            }
            harness.want(harness.backup("job1"), harness.backup("job2"), harness.backup("job3"))
            try await harness.runningAgent(engine) {
                for job in ["job1", "job2", "job3"] { _ = try await harness.outcome(job) }
            }
            #expect(running.withLock { $0.most } == 1)
            #expect(engine.seen.backups == 3)
        }
    }

    @Test("a document delivered again and again runs its job once")
    func duplicateDelivery() async throws {
        try await AgentHarness.with { harness in
            let engine = FakeEngine()
            let job = harness.backup("job1")
            harness.want(job)
            try await harness.runningAgent(engine) {
                _ = try await harness.outcome("job1")
                for _ in 0..<5 {
                    let before = harness.coordinator.seen.checkins.count
                    harness.want(job)
                    try await eventually("the document has been taken") {
                        harness.coordinator.seen.checkins.count > before
                    }
                }
            }
            #expect(engine.seen.backups == 1)
        }
    }

    @Test("a job for a Function is none for an engine that knows its database, which would dump something else")
    func foreignRecipe() async throws {
        try await AgentHarness.with { harness in
            let engine = FakeEngine()
            var job = harness.backup("job1")
            job.work.backup?.command = CommandRecipe(
                function: "mysql-dump",
                stream: .backup,
                program: "mariadb-dump",
                file: "dump.sql"
            )
            harness.want(job)
            let outcome = try await harness.runningAgent(engine) { try await harness.outcome("job1") }
            let failure = try #require(outcome.failure)
            #expect(failure.code == "unsupported" && !failure.isRetryable)
            #expect(failure.message.contains("is for Function mysql-dump, and this agent is one for fake"))
            #expect(engine.seen.backups == 0)
        }
    }

    @Test("the engine's failure arrives with its code, and without the secrets it mentions")
    func failureIsRedacted() async throws {
        try await AgentHarness.with { harness in
            let engine = FakeEngine { context in
                context.log(.error, "dump", "opening with repository-password")
                throw JobFailure(
                    code: "databaseUnreachable",
                    message: "no answer with repository-password",
                    isRetryable: true
                )
            }
            harness.want(harness.backup("job1"))
            let outcome = try await harness.runningAgent(engine) { try await harness.outcome("job1") }
            let failure = try #require(outcome.failure)
            #expect(failure.code == "databaseUnreachable")
            #expect(failure.message == "no answer with \(Redactor.mark)")
            #expect(failure.isRetryable)
            #expect(harness.log("job1").contains { $0.message == "opening with \(Redactor.mark)" })
            #expect(try await harness.snapshots().isEmpty)
        }
    }

    @Test(
        "what a failed job had stored is known to the next attempt, where there may be one",
        arguments: [true, false]
    )
    func storedIsKept(isRetryable: Bool) async throws {
        try await AgentHarness.with { harness in
            let engine = FakeEngine(
                afterStoring: { _ in
                    throw JobFailure(code: "databaseUnreachable", message: "it is gone", isRetryable: isRetryable)
                }
            )
            harness.want(harness.backup("job1"))
            let outcome = try await harness.runningAgent(engine) { try await harness.outcome("job1") }
            #expect(outcome.failure?.code == "databaseUnreachable")
            let repository = try await harness.repository()
            try await repository.loadIndex()
            let blob = try await repository.makeWriter().store(FakeEngine.stored, as: .data)
            #expect(blob.isNew == !isRetryable)
            #expect(try await harness.snapshots().isEmpty)
        }
    }

    @Test("a wrong repository password is told as such")
    func wrongPassword() async throws {
        try await AgentHarness.with { harness in
            harness.coordinator.change { $0.credentials.repositoryPassword = "something else" }
            harness.want(harness.backup("job1"))
            let outcome = try await harness.runningAgent(FakeEngine()) { try await harness.outcome("job1") }
            #expect(outcome.failure?.code == "wrongPassword")
            #expect(outcome.failure?.isRetryable == false)
            #expect(outcome.failure?.message.contains("something else") == false)
            harness.coordinator.change { $0.credentials.repositoryPassword = "repository-password" }
        }
    }

    @Test("cancel by document stops the work in good order and is reported", arguments: ["document", "heartbeat"])
    func cancel(way: String) async throws {
        try await AgentHarness.with { harness in
            let engine = FakeEngine { _ in try await Task.sleep(for: .seconds(60)) }
            harness.want(harness.backup("job1"))
            let outcome = try await harness.runningAgent(engine) {
                try await eventually("the job runs") { engine.seen.backups == 1 }
                if way == "document" {
                    harness.want(harness.backup("job1", desired: .cancel))
                } else {
                    harness.coordinator.change { $0.desire["job1"] = .cancel }
                }
                return try await harness.outcome("job1")
            }
            #expect(outcome.failure?.code == "cancelled")
            #expect(engine.seen.cleanedUp == 1)
            #expect(try await harness.snapshots().isEmpty)
        }
    }

    @Test("what a cancelled restore left in its target is reported with the cancel")
    func cancelledRestore() async throws {
        try await AgentHarness.with { harness in
            let engine = FakeEngine { context in
                guard context.jobID == "job2" else { return }
                do {
                    try await Task.sleep(for: .seconds(60))
                } catch {
                    throw JobFailure(code: "cancelled", message: "h:1 is partially restored", isRetryable: false)
                }
            }
            harness.want(harness.backup("job1"))
            let outcome = try await harness.runningAgent(engine) {
                let snapshotID = try await harness.outcome("job1").backup?.snapshotID ?? ""
                harness.want(harness.restore("job2", snapshotID: snapshotID))
                try await eventually("the restore runs") { engine.seen.restores == 1 }
                harness.coordinator.change { $0.desire["job2"] = .cancel }
                return try await harness.outcome("job2")
            }
            #expect(outcome.failure?.code == "cancelled")
            #expect(outcome.failure?.message == "cancelled on request; h:1 is partially restored")
        }
    }

    @Test("a job that was cancelled before it began is reported without running")
    func cancelledBefore() async throws {
        try await AgentHarness.with { harness in
            let engine = FakeEngine()
            harness.want(harness.backup("job1", desired: .cancel))
            let outcome = try await harness.runningAgent(engine) { try await harness.outcome("job1") }
            #expect(outcome.failure?.code == "cancelled")
            #expect(engine.seen.backups == 0)
        }
    }

    @Test("a job that is no longer wanted is stopped, and nothing is reported")
    func abort() async throws {
        try await AgentHarness.with { harness in
            let engine = FakeEngine { _ in try await Task.sleep(for: .seconds(60)) }
            harness.want(harness.backup("job1"))
            try await harness.runningAgent(engine) {
                try await eventually("the job runs") { engine.seen.backups == 1 }
                harness.want()
                try await eventually("the job is stopped") { engine.seen.cleanedUp == 1 }
                // The next job proves that the agent is free, and by then a report of the first would have been sent.
                harness.coordinator.setScript { _, _ in .normal }
                harness.want(harness.backup("job2", desired: .cancel))
                _ = try await harness.outcome("job2")
            }
            #expect(harness.coordinator.seen.completions["job1"] == nil)
        }
    }

    @Test("a job whose time is up fails with the code deadlineExceeded")
    func deadline() async throws {
        try await AgentHarness.with { harness in
            let engine = FakeEngine { _ in try await Task.sleep(for: .seconds(60)) }
            harness.want(harness.backup("job1", deadlineSeconds: 1))
            let outcome = try await harness.runningAgent(engine) { try await harness.outcome("job1") }
            #expect(outcome.failure?.code == "deadlineExceeded")
        }
    }

    @Test("an agent that is asked to end stops its job, reports it and deregisters")
    func shutdown() async throws {
        try await AgentHarness.with { harness in
            let engine = FakeEngine { _ in try await Task.sleep(for: .seconds(60)) }
            harness.want(harness.backup("job1"))
            try await harness.runningAgent(engine) {
                try await eventually("the job runs") { engine.seen.backups == 1 }
            }
            let seen = harness.coordinator.seen
            #expect(seen.accepted["job1"]?.failure?.code == "agentStopped")
            #expect(seen.accepted["job1"]?.failure?.isRetryable == true)
            #expect(seen.deregistrations == 1)
            #expect(engine.seen.cleanedUp == 1)
        }
    }

    @Test("progress, lock and uploaded bytes are in the heartbeats, which go on while the work is stuck")
    func heartbeats() async throws {
        try await AgentHarness.with { harness in
            let engine = FakeEngine { context in
                context.report(JobProgress(step: "dump shop.orders", bytesDone: 5, bytesTotal: 10))
                context.report(LockReport(host: "127.0.0.1:1", isHeld: true, remainingMs: 1000))
                try await Task.sleep(for: .seconds(60))
            }
            harness.want(harness.backup("job1"))
            try await harness.runningAgent(engine) {
                try await eventually("several heartbeats tell of the work") {
                    let told = harness.coordinator.seen.heartbeats["job1", default: []].filter {
                        $0.progress.step == "dump shop.orders" && $0.lock?.isHeld == true
                    }
                    return told.count >= 3
                }
            }
        }
    }
}
