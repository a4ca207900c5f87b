import BackupModel
import Testing

@testable import Coordinator

@Suite struct WhereaboutsTests {
    @Test("sessions are found by target and by the agents of their live jobs, as long as these go on")
    func life() {
        let plan = SessionHarness.plan(target: "orders")
        let key = ResourceKey(namespace: "shop", name: "a")
        let target = ResourceKey(namespace: "shop", name: "orders")
        let created = SessionState(key: key, uid: "u", kind: .backup, plan: plan, created: Timestamp(unixMs: 0))
        var whereabouts = Whereabouts()
        whereabouts.note(created, before: nil)
        #expect(whereabouts.sessions(of: target) == [key])
        #expect(whereabouts.liveJobs == 0)

        var assigned = created
        assigned.groups = [GroupState(name: "rs0"), GroupState(name: "rs1")]
        assigned.groups[0].attempts = [Self.attempt("x")]
        assigned.groups[1].attempts = [Self.attempt("y")]
        whereabouts.note(assigned, before: created)
        whereabouts.note(assigned, before: assigned)
        #expect(whereabouts.liveJobs == 2)
        #expect(whereabouts.sessions(of: "x") == [key])

        var half = assigned
        half.groups[0].attempts[0].phase = .succeeded
        whereabouts.note(half, before: assigned)
        #expect(whereabouts.liveJobs == 1)
        #expect(whereabouts.sessions(of: "x").isEmpty)
        #expect(whereabouts.sessions(of: "y") == [key])

        var over = half
        over.stage = .ended
        whereabouts.note(over, before: half)
        whereabouts.note(over, before: over)
        #expect(whereabouts.liveJobs == 0)
        #expect(whereabouts.sessions(of: "y").isEmpty)
        #expect(whereabouts.sessions(of: target).isEmpty)
    }

    private static func attempt(_ agent: String) -> Attempt {
        Attempt(
            jobID: "job-\(agent)",
            number: 1,
            fence: 1,
            agentID: agent,
            pod: agent,
            host: agent,
            incarnation: "1",
            choice: "",
            phase: .assigned,
            desire: .run,
            assignedAt: Timestamp(unixMs: 0),
            lastContact: Timestamp(unixMs: 0),
            isReportedLost: false,
            logBytes: 0
        )
    }
}
