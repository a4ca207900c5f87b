import BackupModel
import Engines
import Foundation
import Repository
import Synchronization
import TestSupport
import Testing

@testable import Agent

@Suite("An agent when something goes wrong")
struct FaultTests {
    @Test("a lost reply to complete is asked for again, and the answer that it is known is enough")
    func lostCompleteReply() async throws {
        let lost = Mutex(0)
        try await AgentHarness.with(
            script: { request, _ in
                guard request.call == "complete", lost.withLock({ $0 }) < 2 else { return .normal }
                lost.withLock { $0 += 1 }
                return .applyThenDrop
            },
            { harness in
                let engine = FakeEngine()
                harness.want(harness.backup("job1"))
                try await harness.runningAgent(engine) {
                    try await eventually("complete was sent again") {
                        harness.coordinator.seen.completions["job1", default: []].count >= 3
                    }
                }
                #expect(engine.seen.backups == 1)
                let journal = try await Journal.open(directory: harness.directory.appending("state")).journal
                #expect(journal.watched.value.entry("job1")?.state == .acknowledged)
            }
        )
    }

    @Test("the log arrives whole although patches get lost, are applied twice or refused for a while")
    func roughLog() async throws {
        let count = Mutex(0)
        try await AgentHarness.with(
            script: { request, _ in
                guard request.call == "log" else { return .normal }
                let number = count.withLock { count in
                    count += 1
                    return count
                }
                return switch number % 4 {
                case 1: .applyThenDrop
                case 2: .error(500, "broken")
                case 3: .error(429, "tooMany", retryAfterMs: 1)
                default: .normal
                }
            },
            { harness in
                let engine = FakeEngine { context in
                    for number in 0..<300 { context.log(.info, "dump", "line \(number)") }
                }
                harness.want(harness.backup("job1"))
                _ = try await harness.runningAgent(engine) { try await harness.outcome("job1") }
                let numbers = harness.log("job1").map(\.message).filter { $0.hasPrefix("line ") }
                #expect(numbers == (0..<300).map { "line \($0)" })
                let sent = try #require(harness.coordinator.seen.completions["job1"]?.last?.logBytes)
                #expect(Int(sent) == harness.coordinator.seen.logs["job1"]?.count)
            }
        )
    }

    @Test("complete answered by 202 makes the agent send the rest of the log")
    func logMissing() async throws {
        let completes = Mutex(0)
        try await AgentHarness.with(
            script: { request, state in
                // The log's first patches are taken in but forgotten, as by a coordinator that crashed.
                guard request.call == "complete" else { return .normal }
                let isFirst = completes.withLock { count in
                    count += 1
                    return count == 1
                }
                return isFirst ? .value(202, LogResponse(nextOffset: 0, updateIntervalMs: 50)) : .normal
            },
            { harness in
                harness.want(harness.backup("job1"))
                let outcome = try await harness.runningAgent(FakeEngine()) { try await harness.outcome("job1") }
                #expect(outcome.backup != nil)
                #expect(completes.withLock { $0 } == 2)
                #expect(harness.log("job1").last?.message == "job job1: done")
            }
        )
    }

    @Test("a heartbeat answered by fenced stops the job without a word", arguments: ["fenced", "gone"])
    func fenced(answer: String) async throws {
        let isFenced = Mutex(false)
        try await AgentHarness.with(
            script: { request, _ in
                guard request.call == "heartbeat", request.jobID == "job1", isFenced.withLock({ $0 }) else {
                    return .normal
                }
                return answer == "fenced" ? .error(409, "fenced") : .error(410, "gone")
            },
            { harness in
                let engine = FakeEngine { context in
                    if context.jobID == "job1" { try await Task.sleep(for: .seconds(60)) }
                }
                harness.want(harness.backup("job1"))
                try await harness.runningAgent(engine) {
                    try await eventually("the job runs") { engine.seen.backups == 1 }
                    isFenced.withLock { $0 = true }
                    try await eventually("the job is stopped") { engine.seen.cleanedUp == 1 }
                    harness.want(harness.backup("job2"))
                    _ = try await harness.outcome("job2")
                }
                #expect(harness.coordinator.seen.completions["job1"] == nil)
                #expect(try await harness.snapshots().count == 1)
            }
        )
    }

    @Test("a permit refused as fenced discards the backup: no snapshot, no report")
    func fencedPermit() async throws {
        try await AgentHarness.with(
            script: { request, _ in
                request.call == "prepare-commit" && request.jobID == "job1" ? .error(409, "fenced") : .normal
            },
            { harness in
                let engine = FakeEngine()
                harness.want(harness.backup("job1"), harness.backup("job2"))
                _ = try await harness.runningAgent(engine) { try await harness.outcome("job2") }
                #expect(harness.coordinator.seen.completions["job1"] == nil)
                let tags = try await harness.snapshots().flatMap(\.tags)
                #expect(tags.contains("permit=permit-job2"))
                #expect(!tags.contains("permit=permit-job1"))
            }
        )
    }

    @Test("the permit is asked for until it is answered")
    func permitIsAskedForAgain() async throws {
        let asked = Mutex(0)
        try await AgentHarness.with(
            script: { request, _ in
                guard request.call == "prepare-commit" else { return .normal }
                let number = asked.withLock { asked in
                    asked += 1
                    return asked
                }
                return number == 1 ? .text(502, "<html>bad gateway</html>") : .normal
            },
            { harness in
                harness.want(harness.backup("job1"))
                let outcome = try await harness.runningAgent(FakeEngine()) { try await harness.outcome("job1") }
                #expect(outcome.backup != nil)
                #expect(asked.withLock { $0 } == 2)
            }
        )
    }

    @Test("a token that is no longer good makes the agent register again, and the job goes on")
    func tokenExpires() async throws {
        try await AgentHarness.with { harness in
            let go = Watched(false)
            let engine = FakeEngine { _ in _ = try await go.first { $0 } }
            harness.want(harness.backup("job1"))
            let outcome = try await harness.runningAgent(engine) {
                try await eventually("the job runs") { engine.seen.backups == 1 }
                harness.coordinator.change { state in
                    state.token = "token-2"
                    state.epoch = 2
                }
                try await eventually("the agent has registered again") {
                    harness.coordinator.seen.registrations.count == 2
                }
                try await eventually("heartbeats carry the new epoch") {
                    harness.coordinator.seen.heartbeats["job1"]?.last?.epoch == 2
                }
                go.set(true)
                return try await harness.outcome("job1")
            }
            #expect(outcome.backup != nil)
            let registrations = harness.coordinator.seen.registrations
            #expect(registrations[1].jobs.map(\.state) == [.running])
            #expect(registrations[0].incarnation == registrations[1].incarnation)
        }
    }

    @Test("every registration carries the enrolment token that its file has then")
    func enrolmentTokenRotates() async throws {
        let carried = Watched<[String]>([])
        try await AgentHarness.with(
            script: { request, _ in
                if request.call == "register" {
                    carried.update { $0.append(request.headers["authorization"] ?? "") }
                }
                return .normal
            },
            { harness in
                try await harness.runningAgent(FakeEngine()) {
                    _ = try await carried.first { $0.count == 1 }
                    try harness.directory.write("rotated-secret\n", to: "enrolment.token")
                    harness.coordinator.change { $0.token = "token-2" }
                    _ = try await carried.first { $0.count == 2 }
                }
                #expect(carried.value == ["Bearer enrolment-secret", "Bearer rotated-secret"])
            }
        )
    }

    @Test(
        "an answer that isn't a coordinator's is tried again whatever its status",
        arguments: [200, 401, 404, 409, 410]
    )
    func strangerAnswers(status: Int) async throws {
        let strange = Mutex(4)
        try await AgentHarness.with(
            script: { request, _ in
                let isStrange = strange.withLock { left in
                    guard left > 0, ["heartbeat", "complete", "credentials"].contains(request.call) else {
                        return false
                    }
                    left -= 1
                    return true
                }
                return isStrange ? .text(status, "<html>sign in to the network</html>") : .normal
            },
            { harness in
                harness.want(harness.backup("job1"))
                let outcome = try await harness.runningAgent(FakeEngine()) { try await harness.outcome("job1") }
                #expect(outcome.backup != nil)
            }
        )
    }

    @Test("at the lease's end the engine is told, the backup goes on, and it is published when the coordinator is back")
    func lapseThenReturn() async throws {
        try await AgentHarness.with { harness in
            let lapsed = Watched(false)
            let go = Watched(false)
            let engine = FakeEngine { context in
                try await context.leaseLapse()
                context.log(.warning, "lock", "released early")
                lapsed.set(true)
                _ = try await go.first { $0 }
            }
            harness.coordinator.change { state in
                state.leaseMs = 300
                state.maxDisconnectedMs = 60_000
            }
            harness.want(harness.backup("job1"))
            let outcome = try await harness.runningAgent(engine) {
                try await eventually("the job runs") { engine.seen.backups == 1 }
                harness.coordinator.change { $0.isDown = true }
                _ = try await lapsed.first { $0 }
                #expect(engine.seen.cleanedUp == 0)
                harness.coordinator.change { $0.isDown = false }
                go.set(true)
                return try await harness.outcome("job1")
            }
            #expect(outcome.backup != nil)
            #expect(try await harness.snapshots().count == 1)
            #expect(harness.log("job1").contains { $0.message == "released early" })
        }
    }

    @Test("a coordinator that is away for longer than allowed ends the backup; the report arrives when it is back")
    func disconnectedTooLong() async throws {
        try await AgentHarness.with { harness in
            let engine = FakeEngine { _ in try await Task.sleep(for: .seconds(60)) }
            harness.coordinator.change { state in
                state.leaseMs = 1500
                state.maxDisconnectedMs = 3000
            }
            harness.want(harness.backup("job1"))
            let outcome = try await harness.runningAgent(engine) {
                try await eventually("the job runs") { engine.seen.backups == 1 }
                harness.coordinator.change { $0.isDown = true }
                try await eventually("the job is given up") { engine.seen.cleanedUp == 1 }
                harness.coordinator.change { $0.isDown = false }
                return try await harness.outcome("job1")
            }
            #expect(outcome.failure?.code == "disconnected")
            #expect(outcome.failure?.isRetryable == true)
            #expect(try await harness.snapshots().isEmpty)
        }
    }

    @Test("a restore stops at the lease's end and says that the target is half restored")
    func restoreStopsAtLapse() async throws {
        try await AgentHarness.with { harness in
            let engine = FakeEngine { context in
                if context.jobID == "job2" { try await Task.sleep(for: .seconds(60)) }
            }
            harness.want(harness.backup("job1"))
            let outcome = try await harness.runningAgent(engine) {
                let snapshotID = try await harness.outcome("job1").backup?.snapshotID ?? ""
                // Long enough that a busy machine renews it until the coordinator is taken away.
                harness.coordinator.change { $0.leaseMs = 2000 }
                harness.want(harness.restore("job2", snapshotID: snapshotID))
                try await eventually("the restore runs, under the short lease") {
                    engine.seen.restores == 1 && harness.coordinator.seen.heartbeats["job2", default: []].count > 1
                }
                harness.coordinator.change { $0.isDown = true }
                try await eventually("the restore is stopped") { engine.seen.cleanedUp == 2 }
                harness.coordinator.change { $0.isDown = false }
                return try await harness.outcome("job2")
            }
            #expect(outcome.failure?.code == "leaseLapsed")
            #expect(outcome.failure?.message.contains("half restored") == true)
        }
    }

    @Test("a change of the member that matters is told at once, not with the next poll")
    func memberChange() async throws {
        try await AgentHarness.with { harness in
            let engine = FakeEngine()
            engine.status.withLock { $0.role = .secondary }
            harness.coordinator.change { $0.pollSeconds = 3600 }
            try await harness.runningAgent(engine) {
                try await eventually("the role is known") {
                    harness.coordinator.seen.checkins.last?.member.role == .secondary
                }
                engine.status.withLock { $0.role = .primary }
                try await eventually("the new role is known") {
                    harness.coordinator.seen.checkins.last?.member.role == .primary
                }
            }
        }
    }

    @Test("a document of an older epoch is not followed")
    func staleEpoch() async throws {
        let isStale = Mutex(true)
        try await AgentHarness.with(
            script: { request, state in
                guard request.call == "checkin", isStale.withLock({ $0 }) else { return .normal }
                return .value(200, DesiredDocument(epoch: 4, revision: "old", jobs: state.jobs))
            },
            { harness in
                harness.coordinator.change { $0.epoch = 5 }
                let engine = FakeEngine()
                harness.want(harness.backup("job1"))
                let outcome = try await harness.runningAgent(engine) {
                    try await eventually("stale documents were sent") { harness.coordinator.seen.requests > 3 }
                    #expect(engine.seen.backups == 0)
                    isStale.withLock { $0 = false }
                    return try await harness.outcome("job1")
                }
                #expect(outcome.backup != nil)
            }
        )
    }
}
