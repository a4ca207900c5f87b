import BackupModel
import Testing

@testable import Coordinator

@Suite struct LockLedgerTests {
    static let now = Timestamp(unixSeconds: 1_000_000)
    let timings = SessionTimings()

    static func record(now: Timestamp = now) -> LockRecord {
        LockRecord(
            jobID: "job",
            session: ResourceKey(namespace: "shop", name: "s"),
            target: ResourceKey(namespace: "shop", name: "orders"),
            group: "rs0",
            agentID: "uid-mongo-2",
            pod: "mongo-2",
            host: "mongo-2:27017",
            since: now,
            deadline: now.adding(seconds: 3600),
            lastReport: now
        )
    }

    private func decide(_ record: LockRecord, _ agents: [AgentSnapshot], after seconds: Int64) -> LockLedger.Decision {
        LockLedger.decide(record, agents: agents, now: Self.now.adding(seconds: seconds), timings: timings)
    }

    @Test("a lock is left to its agent until lease and grace are over, then to the primary's")
    func silent() {
        let agents = [SessionHarness.primary, SessionHarness.secondary]
        #expect(decide(Self.record(), agents, after: 90) == .keep)
        #expect(
            decide(Self.record(), agents, after: 91)
                == .release(SessionHarness.primary, reason: "the agent of mongo-2 has been silent for 91 s")
        )
    }

    @Test("a lock that is held past its own deadline is released although its agent speaks")
    func overdue() {
        var record = Self.record()
        record.deadline = Self.now.adding(seconds: -91)
        guard case .release(_, let reason) = decide(record, [SessionHarness.primary], after: 0) else {
            Issue.record("the lock was kept")
            return
        }
        #expect(reason == "the agent of mongo-2 holds it past its deadline")
    }

    @Test("a lock is gone when its own agent is back without the job and finds none")
    func comeBack() {
        var owner = SessionHarness.hidden
        owner.memberSeen = Self.now.adding(seconds: 5)
        #expect(decide(Self.record(), [owner], after: 6) == .ended(by: "mongo-2 looked and found no lock"))
        owner.member.lock = .init(isOurs: true, jobID: "job")
        #expect(decide(Self.record(), [owner], after: 6) == .keep)
        owner.member.lock = nil
        owner.jobs = [JobReport(jobID: "job", state: .running, fence: 1)]
        #expect(decide(Self.record(), [owner], after: 6) == .keep)
        owner.jobs = []
        owner.memberSeen = Self.now
        #expect(decide(Self.record(), [owner], after: 6) == .keep)
    }

    @Test("a release that isn't answered or fails goes to the next agent")
    func retry() {
        var record = Self.record()
        let later = Self.now.adding(seconds: 100)
        record.releases = [.init(jobID: "r1", agentID: "uid-mongo-0", pod: "mongo-0", assignedAt: later)]
        let agents = [SessionHarness.primary, SessionHarness.secondary]
        #expect(decide(record, agents, after: 159) == .keep)
        guard case .release(let helper, _) = decide(record, agents, after: 160) else {
            Issue.record("nobody was sent")
            return
        }
        #expect(helper.pod == "mongo-1")
        record.releases[0].endedAt = later.adding(seconds: 1)
        record.releases[0].failure = JobFailure(code: "x", message: "y", isRetryable: true)
        #expect(decide(record, agents, after: 110) == .keep)
        guard case .release = decide(record, agents, after: 111) else {
            Issue.record("nobody was sent")
            return
        }
    }

    @Test("when nobody can help, a person is told what to do")
    func helpless() {
        var away = SessionHarness.primary
        away.isConnected = false
        guard case .helpless(let reason) = decide(Self.record(), [away, SessionHarness.hidden], after: 100) else {
            Issue.record("somebody was found")
            return
        }
        #expect(reason.contains("run db.fsyncUnlock() there"))
    }

    @Test("reports open, prolong and end a lock")
    func notes() throws {
        var session = SessionHarness()
        session.assign()
        let attempt = try #require(session.attempt)
        func note(_ report: LockReport, _ record: LockRecord?, _ seconds: Int64) -> LockRecord? {
            LockLedger.note(
                .init(report),
                of: attempt,
                in: session.state,
                group: "rs0",
                record: record,
                now: Self.now.adding(seconds: seconds)
            )
        }
        let held = LockReport(host: "h", isHeld: true, heldMs: 2000, remainingMs: 60_000)
        let first = try #require(note(held, nil, 0))
        #expect(first.since == Self.now.adding(seconds: -2))
        #expect(first.deadline == Self.now.adding(seconds: 60))
        let second = try #require(note(held, first, 10))
        #expect(second.since == first.since)
        #expect(second.lastReport == Self.now.adding(seconds: 10))
        let over = LockReport(host: "h", isHeld: false, endReason: "dump finished")
        let ended = try #require(note(over, second, 20))
        #expect(ended.endedBy == "mongo-2: dump finished")
        #expect(note(over, nil, 20) == nil)
    }
}
