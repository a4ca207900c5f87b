import BackupModel
import Logging
import Testing

@testable import Agent

@Suite("Leases and waits")
struct TimingTests {
    /// Always the same number: 0 for the least jitter, `.max` for the most.
    private struct Fixed: RandomNumberGenerator {
        var value: UInt64
        mutating func next() -> UInt64 { value }
    }

    @Test("a lease counts from when the heartbeat was sent")
    func leaseCountsFromSending() {
        let start = ContinuousClock.now
        var lease = LeaseClock(lease: .seconds(60), maxDisconnected: .seconds(600), at: start)
        #expect(lease.standing(at: start + .seconds(59)) == .held)
        #expect(lease.standing(at: start + .seconds(60)) == .lapsed)
        lease.renew(sentAt: start + .seconds(20), lease: .seconds(60))
        #expect(lease.standing(at: start + .seconds(79)) == .held)
        #expect(lease.standing(at: start + .seconds(80)) == .lapsed)
        #expect(lease.nextChange(at: start + .seconds(70)) == start + .seconds(80))
        #expect(lease.nextChange(at: start + .seconds(90)) == start + .seconds(620))
        #expect(lease.standing(at: start + .seconds(619)) == .lapsed)
        #expect(lease.standing(at: start + .seconds(620)) == .disconnected)
        #expect(lease.nextChange(at: start + .seconds(620)) == nil)
    }

    @Test("an answer that was overtaken doesn't take the lease back, and a lapsed one can be renewed")
    func overtaken() {
        let start = ContinuousClock.now
        var lease = LeaseClock(lease: .seconds(60), maxDisconnected: .seconds(600), at: start)
        lease.renew(sentAt: start + .seconds(100), lease: .seconds(60))
        lease.renew(sentAt: start + .seconds(50), lease: .seconds(1))
        #expect(lease.standing(at: start + .seconds(159)) == .held)
        #expect(lease.standing(at: start + .seconds(300)) == .lapsed)
        lease.renew(sentAt: start + .seconds(290), lease: .seconds(30))
        #expect(lease.standing(at: start + .seconds(300)) == .held)
    }

    @Test("waits grow from one second to sixty, with full jitter")
    func backoff() {
        var least = Backoff()
        var none = Fixed(value: 0)
        for _ in 0..<5 { #expect(least.fail(using: &none) == .zero) }
        var most = Backoff()
        var full = Fixed(value: .max)
        let waits = (0..<9).map { _ in most.fail(using: &full) / .milliseconds(1000) }
        for (wait, expected) in zip(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]) {
            #expect(abs(wait - Double(expected)) < 0.01)
        }
        most.succeed()
        #expect(most.fail(using: &full) < .milliseconds(1001))
        #expect(least.fail(atLeast: .seconds(7), using: &none) == .seconds(7))
    }

    @Test("a thousand failures don't overflow")
    func manyFailures() {
        var backoff = Backoff()
        for _ in 0..<1000 { #expect(backoff.fail() <= .seconds(60)) }
    }

    @Test("the third failure in a row adds the coordinator's spread, once")
    func spread() {
        var policy = ReconnectPolicy()
        policy.spread = .seconds(1000)
        var full = Fixed(value: .max)
        let waits = (0..<4).map { _ in policy.delay(after: .retryable(after: .zero), using: &full) }
        #expect(waits[1] < .seconds(10))
        #expect(waits[2] > .seconds(900))
        #expect(waits[3] < .seconds(10))
    }

    @Test("a token that ran out is renewed at once, but a second refusal waits")
    func unauthorized() {
        var policy = ReconnectPolicy()
        var full = Fixed(value: .max)
        #expect(policy.delay(after: .unauthorized, using: &full) == .zero)
        #expect(policy.delay(after: .unauthorized, using: &full) > .seconds(1))
        policy.succeed()
        #expect(policy.delay(after: .unauthorized, using: &full) == .zero)
        #expect(policy.delay(after: .draining(after: .seconds(3)), using: &full) == .seconds(3))
    }

    @Test("waiting on a value sees a state that lasted only an instant, and ends when cancelled")
    func watched() async throws {
        let value = Watched(0)
        async let seen = value.first { $0 == 2 }
        // The waiter may come late: then it must not miss what is there now, so the last value is accepted too.
        while !Task.isCancelled {
            value.set(2)
            value.set(1)
            await Task.yield()
            value.set(2)
            break
        }
        #expect(try await seen == 2)

        let waiting = Task { try await value.first { $0 == 99 } }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
    }

    @Test("the log tells what is new about the database, and nothing twice")
    func news() {
        let away = MemberStatus(isReachable: false, problems: ["can't reach MongoDB"])
        var back = MemberStatus(isReachable: true)
        back.host = "h:1"
        back.role = .secondary
        back.group = "rs0"
        back.version = "6.0.5"
        #expect(MemberNews.lines(nil, away).map(\.sentence) == ["can't reach MongoDB"])
        #expect(MemberNews.lines(nil, away).map(\.level) == [.warning])
        #expect(MemberNews.lines(away, away).isEmpty)
        #expect(
            MemberNews.lines(away, back).map(\.sentence)
                == ["the database at h:1 answers: secondary of rs0, version 6.0.5"]
        )
        var poor = back
        poor.problems = ["the user lacks a role"]
        #expect(MemberNews.lines(back, poor).map(\.sentence) == ["the user lacks a role"])
        #expect(MemberNews.lines(poor, back).map(\.sentence) == ["nothing is wrong with the database any more"])
    }

    @Test("only changes of a member that can change a decision are told at once")
    func significance() {
        var old = MemberStatus(isReachable: true)
        old.role = .secondary
        old.lagSeconds = 1
        old.dataBytes = 1000
        old.oplogWindowSeconds = 90_000
        var new = old
        new.lagSeconds = 3
        new.dataBytes = 2000
        new.oplogWindowSeconds = 90_005
        #expect(!MemberSignificance.differs(old, new))
        new.lagSeconds = 20
        #expect(MemberSignificance.differs(old, new))
        new = old
        new.oplogWindowSeconds = 20_000
        #expect(MemberSignificance.differs(old, new))
        new = old
        new.role = .primary
        #expect(MemberSignificance.differs(old, new))
    }
}
