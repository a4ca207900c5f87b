import BackupModel
import Testing

@testable import Coordinator

/// A generator that gives the same numbers for the same seed (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}

@Suite struct SessionWalkTests {
    @Test("whatever happens in whatever order, a session ends and its manifest is whole", arguments: 0..<20)
    func walks(hundred: Int) throws {
        for seed in (hundred * 100)..<(hundred * 100 + 100) { try walk(seed: seed) }
    }

    private func walk(seed: Int) throws {
        var random = SeededGenerator(state: UInt64(seed))
        var session = SessionHarness(kind: seed % 5 == 0 ? .restore : .backup)
        session.timings.maximumTries = 3
        var pending: [SessionEffect] = []
        var calls: [JobCall] = []
        var fence: Int64 = 0
        var permits: [String: Set<String>] = [:]
        let limit = session.state.deadline.adding(seconds: 3600)
        while !session.state.isOver {
            try #require(session.now < limit, "seed \(seed) did not end: \(session.state.stage)")
            session.now = session.now.adding(milliseconds: Int64.random(in: 0...20_000, using: &random))
            let event = randomEvent(&session, &pending, calls, &random)
            let before = session.state
            let answer = session.send(event)
            pending += session.effects
            // The stored state survives a crash: whatever is decoded goes on in the same way.
            if Int.random(in: 0..<20, using: &random) == 0 {
                session.state = try WireJSON.decode(SessionState.self, from: WireJSON.encode(session.state))
            }
            if session.attempt != nil, !calls.contains(session.call) { calls.append(session.call) }

            // Invariants.
            let newest = session.state.groups.map(\.fence).max() ?? 0
            #expect(newest >= fence, "seed \(seed): the fence went back")
            fence = newest
            for group in session.state.groups {
                let publishers = group.attempts.filter { $0.permit != nil && !$0.isOver }
                #expect(publishers.count <= 1, "seed \(seed): two publishers")
                let liveAttempts = group.attempts.count { !$0.isOver }
                #expect(liveAttempts <= 1, "seed \(seed): two live attempts")
                #expect(
                    group.attempts.map(\.fence) == group.attempts.indices.map { Int64($0 + 1) },
                    "seed \(seed): fences don't count up"
                )
            }
            if session.effects.contains(.writeManifest) {
                #expect(
                    session.state.groups.allSatisfy { $0.attempts.last?.outcome?.backup?.snapshotID != nil },
                    "seed \(seed): a manifest without all snapshots"
                )
                #expect(session.state.kind == .backup)
            }
            if case .permit(let permit) = answer, case .prepareCommit(let call, _, _) = event {
                permits[call.jobID, default: []].insert(permit)
                #expect(permits[call.jobID]?.count == 1, "seed \(seed): two permits for one job")
            }
            if before.stage == .ended { #expect(session.state == before) }
        }
        let outcome = try #require(session.state.outcome)
        #expect(outcome.phase.isFinal)
        if outcome.phase == .succeeded {
            let unfinished = session.state.groups.filter { !$0.isDone }
            #expect(unfinished.isEmpty)
        }
    }

    private func randomEvent(
        _ session: inout SessionHarness,
        _ pending: inout [SessionEffect],
        _ calls: [JobCall],
        _ random: inout SeededGenerator
    ) -> SessionEvent {
        let call = calls.randomElement(using: &random) ?? session.call
        let failures = [
            JobFailure(code: "databaseUnreachable", message: "away", isRetryable: true),
            JobFailure(code: "missingPrivilege", message: "no", isRetryable: false),
            JobFailure(code: "cancelled", message: "stopped", isRetryable: false),
        ]
        if !pending.isEmpty, Int.random(in: 0..<3, using: &random) == 0 {
            let isGood = Int.random(in: 0..<3, using: &random) > 0
            switch pending.removeFirst() {
            case .prepare:
                return isGood
                    ? .prepared(session.state.kind == .restore ? session.sources : nil)
                    : .prepareFailed(message: "away", isRetryable: true)
            case .writeManifest:
                return isGood ? .manifestWritten : .manifestFailed(message: "away", isRetryable: true)
            case .clean:
                return .cleaned(problem: isGood ? nil : "away")
            case .record:
                break
            }
        }
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<40:
            return .observed(Surroundings(agents: session.agents, busyWith: nil, isSettled: true))
        case 40..<65:
            return .heartbeat(call, JobPulse(progress: JobProgress(step: "dump")))
        case 65..<75:
            return .prepareCommit(call, SessionHarness.result(snapshot: nil), permit: "p\(session.now.unixMs)")
        case 75..<84:
            let outcome =
                session.state.kind == .restore
                ? JobOutcome(restore: RestoreResult(host: "h")) : JobOutcome(backup: SessionHarness.result())
            return .complete(call, outcome, logBytes: 0)
        case 84..<88:
            return .complete(call, JobOutcome(failure: failures.randomElement(using: &random)), logBytes: 0)
        case 88..<93:
            session.restartAgent(
                Bool.random(using: &random) ? [JobReport(jobID: call.jobID, state: .lost, fence: call.fence)] : []
            )
            return .observed(Surroundings(agents: session.agents, busyWith: nil, isSettled: true))
        case 93..<96:
            pending = SessionMachine.resume(session.state)
            return .restarted
        case 96:
            return .cancel(by: "somebody")
        default:
            return .contact(call, logBytes: 1)
        }
    }
}
