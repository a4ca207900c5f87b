import Testing

@testable import Coordinator

@Suite("Authorities come and go")
struct AuthorityRotationTests {
    private let day: Int64 = 86_400

    private func state(at now: Int64 = 0) throws -> AuthorityState {
        AuthorityState(current: try Authority.make(now: now))
    }

    private func step(_ state: AuthorityState?, _ now: Int64, published: Set<String> = [], agents: Set<String> = [])
        -> AuthorityRotation.Step
    {
        AuthorityRotation.step(state, .init(now: now, published: published, trustedByAgents: agents))
    }

    @Test("where there is none, one is made")
    func first() throws {
        #expect(step(nil, 0) == .create(reason: "there is none"))
        let made = try #require(try AuthorityRotation.carryOut(.create(reason: ""), nil, now: 0))
        #expect(made.former.isEmpty)
        #expect(made.bundle == made.current.certificate)
    }

    @Test("in its first two thirds one stays, then another one is published beside it")
    func prepare() throws {
        let old = try state()
        #expect(step(old, 240 * day) == .wait)
        #expect(step(old, 244 * day) == .prepare)
        let both = try #require(try AuthorityRotation.carryOut(.prepare, old, now: 244 * day))
        #expect(both.current == old.current)
        #expect(both.bundle == both.next.map { $0.certificate + old.current.certificate })
    }

    @Test("it signs only when every publication was confirmed, and ten minutes later")
    func twoPhases() throws {
        let both = try #require(try AuthorityRotation.carryOut(.prepare, state(), now: 244 * day))
        let next = try #require(both.next)
        let start = 244 * day
        #expect(step(both, start + 5 * day) == .wait)
        #expect(step(both, start, published: [both.current.fingerprint]) == .wait)
        #expect(step(both, start, published: [next.fingerprint]) == .confirm)
        let confirmed = try #require(try AuthorityRotation.carryOut(.confirm, both, now: start))
        #expect(step(confirmed, start + 599) == .wait)
        #expect(step(confirmed, start + 600) == .take)
        let taken = try #require(try AuthorityRotation.carryOut(.take, confirmed, now: start + 600))
        #expect(taken.current == next)
        #expect(taken.next == nil)
        #expect(taken.fingerprints == [next.fingerprint, both.current.fingerprint])
        #expect(!"\(taken.former)".contains("PRIVATE KEY"))
    }

    @Test("the former one is trusted for thirty days, or until every agent trusts the new one")
    func farewell() throws {
        var both = try #require(try AuthorityRotation.carryOut(.prepare, state(), now: 244 * day))
        let old = both.current.fingerprint
        both = try #require(try AuthorityRotation.carryOut(.take, both, now: 250 * day))
        #expect(step(both, 279 * day) == .wait)
        #expect(step(both, 280 * day) == .drop([old]))
        #expect(step(both, 251 * day, agents: [old]) == .wait)
        #expect(step(both, 251 * day, agents: [both.current.fingerprint]) == .drop([old]))
        // Another replica may serve for some seconds yet what the former one has signed.
        #expect(step(both, 250 * day + 599, agents: [both.current.fingerprint]) == .wait)
        #expect(step(both, 250 * day + 600, agents: [both.current.fingerprint]) == .drop([old]))
        both.former[0].since = nil
        #expect(step(both, 251 * day, agents: [both.current.fingerprint]) == .wait)
        let alone = try #require(try AuthorityRotation.carryOut(.drop([old]), both, now: 280 * day))
        #expect(alone.fingerprints == [both.current.fingerprint])
    }

    @Test("at the last moment the new one takes over though nobody confirmed it")
    func lastMoment() throws {
        let both = try #require(try AuthorityRotation.carryOut(.prepare, state(), now: 244 * day))
        #expect(step(both, 362 * day) == .wait)
        #expect(step(both, 363 * day + 1) == .take)
    }

    @Test("one that is damaged or expired is replaced at once, and trusted no longer than it lasts")
    func replaced() throws {
        var damaged = try state()
        damaged.current.key = ""
        guard case .create = step(damaged, 10) else { Issue.record("\(step(damaged, 10))"); return }
        let fresh = try #require(try AuthorityRotation.carryOut(step(damaged, 10), damaged, now: 10))
        #expect(fresh.fingerprints == [fresh.current.fingerprint, damaged.current.fingerprint])
        let late = try #require(try AuthorityRotation.carryOut(.create(reason: ""), try state(), now: 366 * day))
        #expect(late.former.isEmpty)
    }

    @Test("a new one that was damaged before it signed is made again")
    func damagedNext() throws {
        var both = try #require(try AuthorityRotation.carryOut(.prepare, state(), now: 244 * day))
        both.next?.certificate = ""
        #expect(step(both, 245 * day, published: Set(both.fingerprints)) == .prepare)
    }

    @Test(
        "over five years, whatever the delays: what signs has been published before, and nothing trusted is missing",
        arguments: 1...3
    )
    func years(seed: UInt64) throws {
        var delays = SplitMix(state: seed)
        var state = try #require(try AuthorityRotation.carryOut(.create(reason: ""), nil, now: 0))
        var published: Set<String> = Set(state.fingerprints)
        var publishedAt: [String: Int64] = [:]
        var takes = 0
        for now in stride(from: Int64(0), to: 1825 * day, by: Int(3 * day)) {
            for print in state.fingerprints where publishedAt[print] == nil {
                publishedAt[print] = now + Int64(delays.next() % 20) * day
            }
            published = Set(publishedAt.filter { $0.value <= now }.keys).intersection(state.fingerprints)
            let before = state.current.fingerprint
            let step = step(state, now, published: published)
            if let after = try AuthorityRotation.carryOut(step, state, now: now) {
                if after.current.fingerprint != before {
                    takes += 1
                    #expect(published.contains(after.current.fingerprint))
                    #expect(after.fingerprints.contains(before))
                }
                state = after
            }
            #expect(state.current.reasonAgainst(now: now) == nil)
            #expect(state.fingerprints.count <= 3)
        }
        #expect(takes >= 5)
    }
}

/// Numbers that a seed gives again.
private struct SplitMix {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        return mixed ^ (mixed >> 27)
    }
}
