import Testing

@testable import Agent

@Suite("What a supervisor does about its worker")
struct SupervisionTests {
    private let begin = ContinuousClock.now

    /// Lets workers die one after the other as soon as they start, and tells the pauses between them.
    private func pauses(_ count: Int, living life: Duration = .zero) -> [Int64] {
        var supervision = Supervision(at: begin)
        var now = begin
        return (0..<count).map { _ in
            supervision.started(at: now)
            now += life
            _ = supervision.ended("ended with code 1", at: now)
            let next = supervision.nextStart ?? now
            defer { now = next }
            return now.duration(to: next).components.seconds
        }
    }

    @Test("a worker that dies again and again is started ever more seldom, but never less than every minute")
    func backOff() {
        #expect(pauses(10) == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60])
    }

    @Test("a worker that lived for a minute was well: the next one starts at once")
    func longLife() {
        #expect(pauses(4, living: Supervision.longLife) == [1, 1, 1, 1])
    }

    @Test("the first worker starts at once, and nobody is worried before it had time to speak")
    func beginning() {
        var supervision = Supervision(at: begin)
        #expect(supervision.isStartDue(at: begin))
        #expect(supervision.health(at: begin).state == .healthy)
        supervision.started(at: begin)
        #expect(!supervision.isStartDue(at: begin + .seconds(3600)))
        #expect(supervision.health(at: begin).state == .healthy)
        supervision.heard(HealthReport(.healthy, "the agent works"))
        #expect(supervision.health(at: begin) == HealthReport(.healthy, "the agent works"))
    }

    @Test("what a worker said last is the reason of its end, in the log and for who asks")
    func reason() {
        var supervision = Supervision(at: begin)
        supervision.started(at: begin)
        supervision.heard(HealthReport(.troubled, "missing: --pod"))
        let sentence = supervision.ended("ended with code 2", at: begin)
        #expect(sentence == "the worker ended with code 2: missing: --pod; the next one starts in 1 s")
        let health = supervision.health(at: begin)
        #expect(health.state == .troubled)
        #expect(health.sentence == "the worker ended with code 2: missing: --pod; start 2 comes in 1 s")
        supervision.started(at: begin + .seconds(1))
        #expect(supervision.health(at: begin + .seconds(1)).state == .troubled, "until the new one has spoken")
        supervision.heard(HealthReport(.healthy, "the agent works"))
        #expect(supervision.health(at: begin + .seconds(1)).state == .healthy)
    }

    @Test(
        "a worker that is silent is worried about, and is stuck after two minutes; a pod that stood still is not its fault"
    )
    func silence() {
        var supervision = Supervision(at: begin)
        supervision.started(at: begin)
        supervision.heard(HealthReport(.healthy, "the agent works"))
        // One round that took an hour: everything stood still.
        supervision.passed(.seconds(3600))
        #expect(!supervision.isStuck)
        #expect(supervision.health(at: begin).state == .healthy)
        for _ in 0..<30 { supervision.passed(.seconds(1)) }
        #expect(supervision.health(at: begin).state == .troubled)
        #expect(!supervision.isStuck)
        for _ in 0..<100 { supervision.passed(.seconds(1)) }
        #expect(supervision.isStuck)
        supervision.heard(HealthReport(.healthy, "the agent works"))
        #expect(!supervision.isStuck)
    }
}
