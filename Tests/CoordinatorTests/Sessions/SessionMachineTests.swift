import BackupModel
import Testing

@testable import Coordinator

@Suite struct SessionMachineTests {
    @Test("a backup goes from pending to succeeded, and its manifest comes last")
    func goodBackup() {
        var session = SessionHarness()
        #expect(session.state.phase == .pending)
        session.observe()
        #expect(session.state.stage == .preparing)
        #expect(session.effects == [.prepare])
        session.send(.prepared(nil))
        #expect(session.state.stage == .running)
        session.observe()
        #expect(session.attempt?.phase == .assigned)
        #expect(session.attempt?.pod == "mongo-2")
        #expect(session.attempt?.consistency == .lock)
        #expect(session.heartbeat() == .desire(.run))
        #expect(session.attempt?.phase == .running)
        #expect(
            session.send(.prepareCommit(session.call, SessionHarness.result(snapshot: nil), permit: "p1"))
                == .permit("p1")
        )
        #expect(session.effects.isEmpty)
        let done = SessionEvent.complete(session.call, JobOutcome(backup: SessionHarness.result()), logBytes: 7)
        #expect(session.send(done) == .accepted)
        #expect(session.state.stage == .finalizing)
        #expect(session.effects == [.writeManifest])
        session.send(.manifestWritten)
        #expect(session.effects == [.clean])
        session.send(.cleaned(problem: nil))
        #expect(session.state.phase == .succeeded)
        #expect(session.state.ended == session.now)
        #expect(
            session.events == [
                "Started", "RepositoryReady", "JobAssigned", "JobRunning", "Committing", "JobSucceeded",
                "ManifestWritten", "Succeeded",
            ]
        )
    }

    @Test("a restore finds its source first and works beside the primary")
    func goodRestore() {
        var session = SessionHarness(kind: .restore)
        session.assign()
        #expect(session.attempt?.pod == "mongo-0")
        #expect(session.state.sourceSession == "shop/old")
        session.heartbeat()
        let refused = session.send(.prepareCommit(session.call, SessionHarness.result(), permit: "p"))
        guard case .refused(.contradiction) = refused else {
            Issue.record("a restore got a permit: \(refused)")
            return
        }
        session.send(.complete(session.call, JobOutcome(restore: RestoreResult(host: "mongo-0:27017")), logBytes: 0))
        #expect(session.effects == [.clean])
        session.send(.cleaned(problem: nil))
        #expect(session.state.phase == .succeeded)
    }

    @Test("a restore whose backup lacks the group fails")
    func sourceIncomplete() {
        var session = SessionHarness(kind: .restore)
        session.observe()
        session.send(.prepared(PreparedSources(session: "shop/old", groups: [:])))
        #expect(session.state.outcome?.reason == "SourceIncomplete")
    }

    @Test("a session waits for the older one on its target")
    func queued() {
        var session = SessionHarness()
        session.busyWith = ResourceKey(namespace: "shop", name: "orders-0")
        session.observe()
        #expect(session.state.phase == .queued)
        session.observe()
        #expect(session.events == ["Queued"])
        session.busyWith = nil
        session.observe()
        #expect(session.state.stage == .preparing)
    }

    @Test("a session waits for agents, and fails in words when none comes")
    func noAgent() {
        var session = SessionHarness(agents: [])
        session.observe()
        #expect(session.state.phase == .queued)
        session.advance(seconds: 180)
        session.isSettled = false
        session.observe()
        #expect(session.state.phase == .queued)
        session.isSettled = true
        session.observe()
        #expect(session.state.phase == .failed)
        #expect(session.state.outcome?.reason == "NoAgent")
        #expect(session.state.outcome?.message.contains("start remora-agent") == true)
    }

    @Test("a repository that can't be prepared is tried again, and then given up")
    func prepareFails() {
        var session = SessionHarness()
        for attempt in 1...session.timings.maximumTries {
            session.observe()
            #expect(session.state.stage == .preparing, "try \(attempt)")
            session.send(.prepareFailed(message: "storage is away", isRetryable: true))
            session.observe()
            session.advance(seconds: 15)
        }
        #expect(session.state.outcome?.reason == "RepositoryNotReady")
        #expect(session.state.stage == .cleaning)
        var wrong = SessionHarness()
        wrong.observe()
        wrong.send(.prepareFailed(message: "wrong password", isRetryable: false))
        #expect(wrong.state.outcome?.message == "wrong password")
        var named = SessionHarness()
        named.observe()
        named.send(.prepareFailed(message: "wrong password", isRetryable: false, reason: "WrongPassword"))
        #expect(named.state.outcome?.reason == "WrongPassword")
    }

    @Test("a session whose agents don't reach their database says why, while it waits and when it gives up")
    func databaseAway() {
        var agent = SessionHarness.agent("a-0", .secondary)
        agent.member = MemberStatus(isReachable: false, problems: ["can't reach MongoDB at h:1: connection refused"])
        var session = SessionHarness(agents: [agent])
        session.observe()
        #expect(session.state.waitingFor?.contains("a-0: can't reach MongoDB at h:1") == true)
        session.advance(seconds: 180)
        session.observe()
        #expect(session.state.outcome?.reason == "DatabaseUnreachable")
        #expect(session.state.outcome?.message.contains("a-0: can't reach MongoDB at h:1") == true)
    }

    @Test("two groups under one target are refused until there is a common cut for them")
    func twoGroups() {
        let agents = [
            SessionHarness.agent("a-0", .secondary, group: "rs0"),
            SessionHarness.agent("b-0", .secondary, group: "rs1"),
        ]
        var session = SessionHarness(agents: agents)
        session.observe()
        #expect(session.state.outcome?.reason == "UnsupportedTopology")
    }

    @Test(
        "a group whose name can't be in a key is refused",
        arguments: ["sessions", "logs", "..", ".a", "a/b", "", "ä"]
    )
    func groupNames(name: String) {
        #expect(SessionMachine.reasonAgainst(group: name) != nil)
    }

    @Test("a retryable failure gives a new attempt with a new fence on another member")
    func retry() {
        var session = SessionHarness()
        session.assign()
        let first = session.call
        session.heartbeat()
        let failure = JobFailure(code: "databaseUnreachable", message: "the member died", isRetryable: true)
        session.send(.complete(first, JobOutcome(failure: failure), logBytes: 0))
        session.observe()
        #expect(session.state.groups[0].attempts.count == 1)
        session.advance(seconds: 30)
        session.observe()
        #expect(session.state.groups[0].attempts.count == 2)
        #expect(session.attempt?.pod == "mongo-1")
        #expect(session.attempt?.fence == 2)
        #expect(session.attempt?.jobID != first.jobID)
        #expect(session.send(.heartbeat(first, JobPulse(progress: JobProgress()))) == .refused(.fenced))
    }

    @Test("a failure that can't be helped, or one too many, fails the session")
    func failure() {
        var session = SessionHarness()
        session.assign()
        let final = JobFailure(code: "missingPrivilege", message: "no", isRetryable: false)
        session.send(.complete(session.call, JobOutcome(failure: final), logBytes: 0))
        #expect(session.state.outcome?.reason == "MissingPrivilege")
        #expect(session.effects == [.clean])
        var twice = SessionHarness(maximumAttempts: 2)
        twice.assign()
        let passing = JobFailure(code: "x", message: "y", isRetryable: true)
        twice.send(.complete(twice.call, JobOutcome(failure: passing), logBytes: 0))
        twice.advance(seconds: 30)
        twice.observe()
        twice.send(.complete(twice.call, JobOutcome(failure: passing), logBytes: 0))
        #expect(twice.state.outcome?.message == "mongo-1: y after 2 attempts")
    }

    @Test("a restore is never tried twice unasked")
    func restoreOnce() {
        var session = SessionHarness(kind: .restore)
        session.assign()
        let passing = JobFailure(code: "x", message: "y", isRetryable: true)
        session.send(.complete(session.call, JobOutcome(failure: passing), logBytes: 0))
        #expect(session.state.outcome?.phase == .failed)
    }

    @Test("a restore that is lost, cancelled or too late says what may be in the target and what to do")
    func restoreLeavesSomething() {
        func interrupted(_ interrupt: (inout SessionHarness) -> Void) -> String {
            var session = SessionHarness(kind: .restore)
            session.assign()
            session.heartbeat()
            interrupt(&session)
            session.observe()
            #expect(session.state.outcome != nil)
            return session.state.outcome?.message ?? ""
        }
        let lost = interrupted { session in
            session.restartAgent()
            session.advance(seconds: 75)
        }
        #expect(lost.contains("may hold a part of the backup") && lost.contains("--drop"), "\(lost)")
        let reported = interrupted { session in
            let failure = JobFailure(code: JobFailure.lostCode, message: "the agent's process ended", isRetryable: true)
            session.send(.complete(session.call, JobOutcome(failure: failure), logBytes: 0))
        }
        #expect(reported.contains("the agent's process ended; the target may hold"), "\(reported)")
        #expect(reported.ranges(of: "process ended").count == 1, "said once: \(reported)")
        let left = JobFailure(code: "cancelled", message: "h:1 is partially restored", isRetryable: false)
        let cancelled = interrupted { session in
            session.send(.cancel(by: "ann"))
            session.send(.complete(session.call, JobOutcome(failure: left), logBytes: 0))
        }
        #expect(cancelled.contains("cancelled by ann") && cancelled.contains("h:1 is partially"), "\(cancelled)")
        let silent = interrupted { session in
            session.send(.cancel(by: "ann"))
            session.advance(seconds: 75)
        }
        #expect(silent.contains("cancelled by ann") && silent.contains("--drop"), "\(silent)")

        var untouched = SessionHarness(kind: .restore)
        untouched.assign()
        untouched.send(.cancel(by: "ann"))
        untouched.advance(seconds: 75)
        untouched.observe()
        #expect(untouched.state.outcome?.message == "cancelled by ann", "a job that never began has written nothing")
    }

    @Test("a cancelled session waits for its job, and ends when the job says so")
    func cancel() {
        var session = SessionHarness()
        session.assign()
        session.heartbeat()
        session.send(.cancel(by: "ann"))
        #expect(session.state.stage == .stopping)
        #expect(session.heartbeat() == .desire(.cancel))
        #expect(
            session.send(.prepareCommit(session.call, SessionHarness.result(), permit: "p")) == .refused(.stopping)
        )
        let failure = JobFailure(code: "cancelled", message: "stopped", isRetryable: false)
        session.send(.complete(session.call, JobOutcome(failure: failure), logBytes: 0))
        #expect(session.attempt?.phase == .cancelled)
        session.send(.cleaned(problem: nil))
        #expect(session.state.phase == .cancelled)
        #expect(session.state.outcome?.message == "cancelled by ann")
    }

    @Test("a cancelled session ends although its job never answers")
    func cancelSilent() {
        var session = SessionHarness()
        session.assign()
        session.heartbeat()
        session.send(.cancel(by: "ann"))
        session.advance(seconds: 74)
        session.observe()
        #expect(session.state.stage == .stopping)
        session.advance(seconds: 1)
        session.observe()
        #expect(session.state.stage == .cleaning)
        #expect(session.attempt?.phase == .lost)
        #expect(session.heartbeat() == .refused(.fenced))
    }

    @Test("a session that wasn't begun is cancelled at once")
    func cancelPending() {
        var session = SessionHarness()
        session.send(.cancel(by: "ann"))
        #expect(session.state.phase == .cancelled)
        #expect(session.effects.isEmpty)
    }

    @Test("a cancel that comes when the job may already publish comes too late")
    func cancelTooLate() {
        var session = SessionHarness()
        session.assign()
        session.heartbeat()
        session.send(.prepareCommit(session.call, SessionHarness.result(), permit: "p"))
        session.send(.cancel(by: "ann"))
        #expect(session.heartbeat() == .desire(.run))
        session.send(.complete(session.call, JobOutcome(backup: SessionHarness.result()), logBytes: 0))
        #expect(session.state.stage == .finalizing)
        #expect(session.events.contains("StopTooLate"))
    }

    @Test("a session ends at its deadline, whatever its job does")
    func deadline() {
        var session = SessionHarness()
        session.assign()
        session.advance(seconds: 3590)
        session.heartbeat()
        session.advance(seconds: 10)
        session.observe()
        #expect(session.heartbeat() == .desire(.cancel))
        session.advance(seconds: 80)
        session.observe()
        #expect(session.state.outcome?.reason == "DeadlineExceeded")
        #expect(session.state.outcome?.message == "backup did not finish within 1h")
    }

    @Test("asking for the permit again gives the same one")
    func permitTwice() {
        var session = SessionHarness()
        session.assign()
        session.send(.prepareCommit(session.call, SessionHarness.result(), permit: "first"))
        #expect(
            session.send(.prepareCommit(session.call, SessionHarness.result(), permit: "second")) == .permit("first")
        )
    }

    @Test("completing twice is fine with the same outcome and refused with another")
    func completeTwice() {
        var session = SessionHarness()
        session.assign()
        session.succeed()
        let call = session.call
        #expect(session.send(.complete(call, JobOutcome(backup: SessionHarness.result()), logBytes: 0)) == .accepted)
        let other = JobOutcome(backup: SessionHarness.result(snapshot: "other"))
        #expect(session.send(.complete(call, other, logBytes: 0)) == .refused(.alreadyCompleted))
    }

    @Test("a wrong fence, a foreign agent and an unknown job are refused")
    func refusals() {
        var session = SessionHarness()
        session.assign()
        var call = session.call
        call.fence += 1
        #expect(session.send(.heartbeat(call, JobPulse(progress: JobProgress()))) == .refused(.fenced))
        #expect(session.send(.complete(call, JobOutcome(), logBytes: 0)) == .refused(.fenced))
        call = session.call
        call.agentID = "uid-mongo-1"
        #expect(session.send(.heartbeat(call, JobPulse(progress: JobProgress()))) == .refused(.notYours))
        #expect(session.send(.complete(call, JobOutcome(), logBytes: 0)) == .refused(.notYours))
        call.jobID = "unknown"
        #expect(session.send(.contact(call, logBytes: 0)) == .refused(.unknownJob))
        #expect(session.send(.complete(call, JobOutcome(), logBytes: 0)) == .refused(.unknownJob))
    }

    @Test("a success without permit or snapshot is no success")
    func contradictions() {
        var session = SessionHarness()
        session.assign()
        session.send(.complete(session.call, JobOutcome(backup: SessionHarness.result()), logBytes: 0))
        #expect(session.state.outcome?.message == "mongo-2: the agent published without a permit")
        var other = SessionHarness()
        other.assign()
        other.send(.prepareCommit(other.call, SessionHarness.result(), permit: "p"))
        other.send(.complete(other.call, JobOutcome(backup: SessionHarness.result(snapshot: nil)), logBytes: 0))
        #expect(other.state.outcome?.message == "mongo-2: the agent reported success without a snapshot")
        var wrongGroup = SessionHarness()
        wrongGroup.assign()
        let answer = wrongGroup.send(
            .prepareCommit(wrongGroup.call, SessionHarness.result(group: "rs9"), permit: "p")
        )
        #expect(
            answer == .refused(.contradiction("job \(wrongGroup.call.jobID) is for group rs0, but dumped group rs9"))
        )
    }
}
