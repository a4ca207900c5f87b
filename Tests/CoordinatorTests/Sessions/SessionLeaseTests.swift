import BackupModel
import Testing

@testable import Coordinator

@Suite struct SessionLeaseTests {
    @Test("a job whose agent lost it is given to another member once its lease is over")
    func lost() {
        var session = SessionHarness()
        session.assign()
        session.heartbeat()
        let first = session.call
        session.restartAgent([JobReport(jobID: first.jobID, state: .lost, fence: 1)])
        session.advance(seconds: 74)
        session.observe()
        #expect(session.attempt?.phase == .running)
        #expect(session.events.contains("AgentRestarted"))
        session.advance(seconds: 1)
        session.observe()
        #expect(session.attempt?.phase == .lost)
        session.advance(seconds: 30)
        session.observe()
        #expect(session.attempt?.pod == "mongo-1")
        #expect(session.send(.heartbeat(first, JobPulse(progress: JobProgress()))) == .refused(.fenced))
        #expect(
            session.send(.prepareCommit(first, SessionHarness.result(), permit: "p")) == .refused(.fenced)
        )
    }

    @Test("a silent agent keeps its job until it must have given up by itself")
    func silent() {
        var session = SessionHarness()
        session.assign()
        session.heartbeat()
        session.agents[2].isConnected = false
        session.advance(seconds: 599)
        session.observe()
        #expect(session.attempt?.phase == .running)
        session.advance(seconds: 1)
        session.observe()
        #expect(session.attempt?.phase == .lost)
        #expect(session.attempt?.failure?.message == "nothing was heard of the job on mongo-2 for 600 s")
    }

    @Test("an agent that said good-bye in the middle of a job loses it after the lease")
    func gone() {
        var session = SessionHarness()
        session.assign()
        session.heartbeat()
        session.agents[2].isGone = true
        session.observe()
        #expect(session.attempt?.phase == .running)
        session.advance(seconds: 75)
        session.observe()
        #expect(session.attempt?.phase == .lost)
    }

    @Test("a job that was never begun goes to the agent's new process")
    func adopted() {
        var session = SessionHarness()
        session.assign()
        session.restartAgent()
        session.advance(seconds: 80)
        session.observe()
        #expect(session.attempt?.phase == .assigned)
        #expect(session.attempt?.incarnation == "2")
        #expect(session.heartbeat() == .desire(.run))
    }

    @Test("an agent that comes back without its journal has lost its job")
    func withoutJournal() {
        var session = SessionHarness()
        session.assign()
        session.heartbeat()
        session.restartAgent()
        session.advance(seconds: 75)
        session.observe()
        #expect(session.attempt?.phase == .lost)
    }

    @Test("after a restart of the coordinator every lease counts from now")
    func restarted() {
        var session = SessionHarness()
        session.assign()
        session.heartbeat()
        session.agents[2].isGone = true
        session.advance(seconds: 3000)
        session.send(.restarted)
        session.observe()
        #expect(session.attempt?.phase == .running)
        #expect(session.heartbeat() == .desire(.run))
    }

    @Test(
        "a restart begins again what was under way",
        arguments: [
            (SessionState.Stage.pending, [] as [SessionEffect]), (.queued, []), (.preparing, [.prepare]),
            (.running, []), (.stopping, []), (.finalizing, [.writeManifest]), (.cleaning, [.clean]), (.ended, []),
        ]
    )
    func resume(stage: SessionState.Stage, effects: [SessionEffect]) {
        var session = SessionHarness()
        session.state.stage = stage
        #expect(SessionMachine.resume(session.state) == effects)
    }

    @Test("a group that no member can serve fails with every member's reason")
    func noMember() {
        let agents = [SessionHarness.agent("a", .arbiter), SessionHarness.agent("b", .other)]
        var session = SessionHarness(agents: agents)
        session.assign()
        session.advance(seconds: 180)
        session.observe()
        #expect(
            session.state.outcome?.message
                == "no member of rs0 can be used: a is an arbiter; b is neither primary nor secondary now"
        )
    }

    @Test("a manifest that can't be written is tried again, and then the backup does not exist")
    func manifestFails() {
        var session = SessionHarness()
        session.assign()
        session.succeed()
        for _ in 1..<session.timings.maximumTries {
            session.send(.manifestFailed(message: "storage is away", isRetryable: true))
            #expect(session.effects == [.writeManifest])
        }
        session.send(.manifestFailed(message: "storage is away", isRetryable: true))
        #expect(session.effects == [.clean])
        session.send(.cleaned(problem: "lock file remains"))
        #expect(session.state.phase == .failed)
        #expect(session.state.outcome?.reason == "ManifestNotWritten")
        #expect(session.state.hasRepositoryLocks)
        #expect(session.events.contains("CleanupIncomplete"))
        // It is kept while its lock file may stop others, and not for ever.
        #expect(session.state.mayHoldLocks(session.now, staleMs: 1000))
        #expect(!session.state.mayHoldLocks(session.now.adding(milliseconds: 1000), staleMs: 1000))
        session.state.hasRepositoryLocks = false
        #expect(!session.state.mayHoldLocks(session.now, staleMs: 1000))
    }

    @Test("job ids depend on session, pod and attempt, and on nothing else")
    func jobIDs() {
        let id = JobID.make(session: "s", pod: "p", attempt: 1)
        #expect(id.count == 32)
        #expect(id == JobID.make(session: "s", pod: "p", attempt: 1))
        let others = [
            JobID.make(session: "sp", pod: "", attempt: 1), JobID.make(session: "s", pod: "p", attempt: 2),
            JobID.make(session: "s", pod: "p1", attempt: 1),
        ]
        #expect(!others.contains(id))
    }
}
