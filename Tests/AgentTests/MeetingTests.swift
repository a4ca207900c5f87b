import BackupModel
import Engines
import Synchronization
import TestSupport
import Testing

@testable import Agent

@Suite("What an agent's job tells at once, and waits for")
struct MeetingTests {
    /// Heartbeats that would come too late for anything in a test.
    private static func slow(_ state: inout ScriptedCoordinator.State) {
        state.heartbeatMs = 600_000
        state.leaseMs = 1_200_000
        state.maxDisconnectedMs = 2_400_000
    }

    @Test("milestones are told at once, in their order, and a directive lets the job go on")
    func milestones() async throws {
        try await AgentHarness.with { harness in
            let heard = Mutex<[JobDirective]>([])
            let engine = FakeEngine { context in
                context.reach(JobMilestone(.ready, point: ClusterTime(t: 1, i: 1)))
                let first = try await context.directive { $0.othersFinished }
                context.reach(JobMilestone(.finished, point: ClusterTime(t: 2, i: 1)))
                let second = try await context.directive { $0.cut != nil }
                heard.withLock { $0 = [first, second] }
            }
            harness.coordinator.change(Self.slow)
            let job = harness.backup("job1")
            harness.want(job)
            let coordinator = harness.coordinator
            let outcome = try await harness.runningAgent(engine) {
                func told(_ stage: JobMilestone.Stage) async throws {
                    try await eventually("\(stage) is told") {
                        coordinator.seen.heartbeats["job1"]?.contains { $0.milestone?.stage == stage } == true
                    }
                }
                var job = job
                try await told(.ready)
                #expect(coordinator.seen.heartbeats["job1"]?.contains { $0.milestone?.stage == .finished } == false)
                job.directive = JobDirective(othersFinished: true)
                harness.want(job)
                try await told(.finished)
                job.directive = JobDirective(othersFinished: true, cut: ClusterTime(t: 3, i: 1))
                harness.want(job)
                return try await harness.outcome("job1")
            }
            #expect(outcome.failure == nil)
            #expect(
                heard.withLock { $0 } == [
                    JobDirective(othersFinished: true),
                    JobDirective(othersFinished: true, cut: ClusterTime(t: 3, i: 1)),
                ]
            )
        }
    }

    @Test("a lock is made when the coordinator has it on record, and not while it answers with errors")
    func recorded() async throws {
        let isRefusing = Mutex(true)
        try await AgentHarness.with(script: { request, _ in
            request.call == "heartbeat" && isRefusing.withLock { $0 } ? .error(503, "storeFailed") : .normal
        }) { harness in
            let coordinator = harness.coordinator
            let locked = Mutex<Bool?>(nil)
            let engine = FakeEngine { context in
                context.report(LockReport(host: "127.0.0.1:1", isHeld: true))
                locked.withLock { $0 = false }
                try await context.recorded()
                #expect(coordinator.seen.heartbeats["job1"]?.last?.lock?.isHeld == true)
                locked.withLock { $0 = true }
            }
            coordinator.change(Self.slow)
            harness.want(harness.backup("job1"))
            _ = try await harness.runningAgent(engine) {
                let before = coordinator.seen.requests
                try await eventually("it was refused more than once") {
                    locked.withLock { $0 } != nil && coordinator.seen.requests > before + 8
                }
                #expect(locked.withLock { $0 } == false)
                isRefusing.withLock { $0 = false }
                return try await harness.outcome("job1")
            }
            #expect(locked.withLock { $0 } == true)
        }
    }

    @Test("who can't check in tries again as soon as another call is answered, and not while those fail too")
    func heardAgain() async throws {
        let isCut = Mutex(false)
        let isDeaf = Mutex(false)
        let attempts = Mutex(0)
        try await AgentHarness.with(script: { request, _ in
            if request.call == "checkin" { attempts.withLock { $0 += 1 } }
            let isLost = isDeaf.withLock { $0 } || request.call == "checkin" && isCut.withLock { $0 }
            return isLost ? .drop : .normal
        }) { harness in
            let coordinator = harness.coordinator
            let engine = FakeEngine { context in _ = try await context.directive { $0.othersFinished } }
            let job = harness.backup("job1")
            harness.want(job)
            // Whoever waits for the time to pass waits for an hour or so.
            let patient = ReconnectPolicy(backoff: Backoff(base: .seconds(7200), cap: .seconds(7200)))
            let outcome = try await harness.runningAgent(engine, reconnect: patient) {
                try await eventually("the job runs") { coordinator.seen.heartbeats["job1"] != nil }
                isCut.withLock { $0 = true }
                isDeaf.withLock { $0 = true }
                // Has it check in anew.
                var job = job
                job.directive = JobDirective()
                harness.want(job)
                let before = attempts.withLock { $0 }
                try await eventually("a check-in failed") { attempts.withLock { $0 } > before }
                let (failed, requests) = (attempts.withLock { $0 }, coordinator.seen.requests)
                try await eventually("heartbeats fail, too") { coordinator.seen.requests > requests + 5 }
                // One heartbeat may have been answered at the last moment.
                #expect(attempts.withLock { $0 } <= failed + 1)
                isDeaf.withLock { $0 = false }
                try await eventually("it tries again with each heartbeat") { attempts.withLock { $0 } > failed + 3 }
                isCut.withLock { $0 = false }
                job.directive = JobDirective(othersFinished: true)
                harness.want(job)
                return try await harness.outcome("job1")
            }
            #expect(outcome.failure == nil)
        }
    }

    @Test("a job that is to stop makes no lock, although its report was taken")
    func cancelled() async throws {
        try await AgentHarness.with { harness in
            let hasLocked = Mutex(false)
            let engine = FakeEngine { context in
                context.report(LockReport(host: "127.0.0.1:1", isHeld: true))
                try await context.recorded()
                hasLocked.withLock { $0 = true }
            }
            harness.coordinator.change { state in
                Self.slow(&state)
                state.desire["job1"] = .cancel
            }
            harness.want(harness.backup("job1"))
            let outcome = try await harness.runningAgent(engine) { try await harness.outcome("job1") }
            #expect(outcome.failure?.code == "cancelled")
            #expect(!hasLocked.withLock { $0 })
        }
    }
}
