import BackupModel
import Engines
import Foundation
import Repository
import Synchronization
import TestSupport
import Testing

@testable import Agent

@Suite("An agent that starts where another one was")
struct RestartTests {
    @Test("after a crash the job is reported as lost, with its log, and not run again")
    func crash() async throws {
        try await AgentHarness.with { harness in
            let engine = FakeEngine { context in
                context.log(.info, "dump", "before the crash")
                try await Task.sleep(for: .seconds(60))
            }
            let job = harness.backup("job1")
            harness.want(job)
            try await harness.runningAgent(engine) {
                try await eventually("the first line has arrived") {
                    harness.log("job1").contains { $0.message == "before the crash" }
                }
                // What a kill would leave: the directory as it is now.
                try FileManager.default.copyItem(
                    atPath: harness.directory.appending("state"),
                    toPath: harness.directory.appending("crashed")
                )
            }
            let after = try ScriptedCoordinator()
            defer { after.close() }
            after.change { $0.jobs = [job] }
            let second = FakeEngine()
            try await harness.runningAgent(second, stateDirectory: "crashed", coordinatorURL: after.url) {
                try await eventually("the loss has arrived") { after.seen.accepted["job1"] != nil }
                try await eventually("the agent has checked in after that") { after.seen.checkins.last?.jobs == [] }
            }
            #expect(second.seen.backups == 0)
            #expect(second.seen.leftovers == 1)
            #expect(after.seen.registrations.first?.jobs == [JobReport(jobID: "job1", state: .lost, fence: 7)])
            #expect(after.seen.accepted["job1"]?.failure?.code == "lost")
            #expect(String(decoding: after.seen.logs["job1"] ?? [], as: UTF8.self).contains("before the crash"))
        }
    }

    @Test("an outcome that was never delivered is delivered by the next process")
    func outcomeSurvivesProcess() async throws {
        try await AgentHarness.with { harness in
            let state = harness.directory.appending("state")
            let directory = try StateDirectory(state)
            let journal = try await Journal.open(directory: state).journal
            _ = try await journal.begin(harness.backup("job1"), unixMs: 1)
            try await journal.finish(
                "job1",
                JobOutcome(failure: JobFailure(code: "x", message: "y", isRetryable: false))
            )
            withExtendedLifetime(directory) {}
        }
        try await AgentHarness.with { harness in
            let state = harness.directory.appending("state")
            try await {
                let directory = try StateDirectory(state)
                let journal = try await Journal.open(directory: state).journal
                _ = try await journal.begin(harness.backup("job1"), unixMs: 1)
                let failure = JobFailure(code: "diskOnFire", message: "y", isRetryable: false)
                try await journal.finish("job1", JobOutcome(failure: failure))
                withExtendedLifetime(directory) {}
            }()
            let outcome = try await harness.runningAgent(FakeEngine()) { try await harness.outcome("job1") }
            #expect(outcome.failure?.code == "diskOnFire")
        }
    }

    @Test("leftovers are released although the coordinator can't be reached, and before any job")
    func leftoversFirst() async throws {
        try await AgentHarness.with { harness in
            harness.coordinator.change { $0.isDown = true }
            let engine = FakeEngine(leftovers: { ["unlocked 127.0.0.1:1"] })
            harness.want(harness.backup("job1"))
            let outcome = try await harness.runningAgent(engine) {
                try await eventually("leftovers were looked for") { engine.seen.leftovers == 1 }
                harness.coordinator.change { $0.isDown = false }
                return try await harness.outcome("job1")
            }
            #expect(outcome.backup != nil)
        }
    }

    @Test("while leftovers can't be released the agent is seen, says so, and runs no job")
    func leftoversRetry() async throws {
        try await AgentHarness.with { harness in
            let isReachable = Mutex(false)
            let engine = FakeEngine(leftovers: {
                guard isReachable.withLock({ $0 }) else {
                    throw JobFailure(code: "databaseUnreachable", message: "no answer", isRetryable: true)
                }
                return []
            })
            harness.want(harness.backup("job1"))
            let outcome = try await harness.runningAgent(engine) {
                try await eventually("the problem is told") {
                    harness.coordinator.seen.checkins.last?.member.problems.contains { $0.contains("no answer") }
                        == true
                }
                #expect(engine.seen.backups == 0)
                isReachable.withLock { $0 = true }
                return try await harness.outcome("job1")
            }
            #expect(outcome.backup != nil)
        }
    }

    @Test("two agents can't share a state directory")
    func sharedStateDirectory() async throws {
        try await withTestDirectory { directory in
            let path = directory.appending("state")
            let first = try StateDirectory(path)
            #expect {
                _ = try StateDirectory(path)
            } throws: { error in
                "\(error)".contains("another agent is using it")
            }
            withExtendedLifetime(first) {}
        }
    }
}
