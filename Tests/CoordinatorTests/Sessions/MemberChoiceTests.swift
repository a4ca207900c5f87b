import BackupModel
import Testing

@testable import Coordinator

@Suite struct MemberChoiceTests {
    typealias H = SessionHarness

    private func backup(
        _ agents: [AgentSnapshot],
        _ wanted: Consistency? = nil,
        failed: Set<String> = [],
        last: String? = nil
    ) -> String {
        switch MemberChoice.forBackup(agents, wanted: wanted, failedBefore: failed, lastDumped: last) {
        case .chosen(let chosen): "\(chosen.agent.pod) \(chosen.consistency?.rawValue ?? "-")"
        case .none(let reason): reason
        case .never(let reason): "never: \(reason)"
        }
    }

    @Test("hidden comes before priority 0, that before the least lag")
    func order() {
        let low = H.agent("low", .secondary, lag: 9, priority: 0)
        let near = H.agent("near", .secondary, lag: 1)
        let far = H.agent("far", .secondary, lag: 100)
        #expect(backup([near, low, H.hidden, H.primary]) == "mongo-2 lock")
        #expect(backup([near, low, H.primary]) == "low lock")
        #expect(backup([far, near, H.primary]) == "near lock")
        #expect(backup([far, near, H.primary], failed: ["uid-near"]) == "far lock")
    }

    @Test("the member that was read last time is taken again: its chunks are known")
    func sticky() {
        let near = H.agent("a", .secondary, lag: 0)
        var last = H.agent("b", .secondary, lag: 20)
        last.member.host = "b:27017"
        #expect(backup([near, last, H.primary]) == "a lock")
        #expect(backup([near, last, H.primary], last: "b:27017") == "b lock")
        #expect(backup([near, last, H.primary], failed: ["uid-b"], last: "b:27017") == "a lock")
        last.member.lagSeconds = 60
        #expect(backup([near, last, H.primary], last: "b:27017") == "a lock")
        #expect(backup([H.hidden, last, H.primary], last: "b:27017") == "mongo-2 lock")
    }

    @Test("arbiters, delayed, locked, unreachable and departed members are never chosen")
    func never() {
        let arbiter = H.agent("arbiter", .arbiter)
        var delayed = H.agent("delayed", .secondary)
        delayed.member.delaySeconds = 3600
        var foreign = H.agent("foreign", .secondary)
        foreign.member.lock = .init(isOurs: false)
        var away = H.agent("away", .secondary)
        away.isConnected = false
        var dead = H.agent("dead", .secondary)
        dead.member.isReachable = false
        let text = backup([arbiter, delayed, foreign, away, dead])
        #expect(text.contains("arbiter is an arbiter"))
        #expect(text.contains("delayed is delayed by 3600 s"))
        #expect(text.contains("foreign is locked by somebody else (fsyncLock)"))
        #expect(text.contains("away is not connected"))
        #expect(text.contains("dead does not reach its member"))
        #expect(backup([arbiter, delayed, foreign, H.primary]) == "mongo-0 oplog")
    }

    @Test("a member that its group can't spare isn't locked; the primary is read with its oplog")
    func unlockable() {
        let needed = H.agent("needed", .secondary, isLockable: false)
        #expect(backup([needed, H.primary]) == "mongo-0 oplog")
        #expect(backup([needed]) == "needed oplog")
        #expect(
            backup([needed, H.primary], .lock) == "needed can't be locked: the set would lose its majority"
        )
        #expect(backup([needed, H.primary], .oplog) == "needed oplog")
        #expect(backup([H.agent("mute", .secondary, isLockable: nil), H.primary]) == "mongo-0 oplog")
    }

    @Test("a standalone is read as it is, and nothing else is promised of it")
    func standalone() {
        let alone = H.agent("alone", .standalone)
        #expect(backup([alone]) == "alone none")
        #expect(backup([alone], Consistency.none) == "alone none")
        #expect(backup([alone], .lock).contains("only be read with consistency none"))
        #expect(backup([alone], .lock).hasPrefix("never"))
    }

    @Test("who insists on a lock is told at once when the group could never spare a member, and waits when it may soon")
    func neverLockable() {
        func choice(_ states: [(String, votes: Int)]) -> String {
            var needed = H.agent("needed", .secondary, isLockable: false)
            needed.member.members = states.enumerated().map { index, member in
                GroupMember(
                    host: "m\(index)",
                    state: member.0,
                    isHealthy: index == 0,
                    votes: member.votes,
                    priority: 1
                )
            }
            return backup([needed, H.primary], .lock)
        }
        #expect(
            choice([("PRIMARY", 1), ("SECONDARY", 1)])
                == "never: rs0 can't spare a member for a lock: 2 members with data and 2 votes, and the others must keep a "
                + "majority; add a member, or use consistency snapshot or oplog"
        )
        #expect(choice([("PRIMARY", 1)]).hasPrefix("never: rs0 can't spare a member for a lock: 1 member with data"))
        #expect(choice([("PRIMARY", 1), ("ARBITER", 1), ("ARBITER", 1)]).hasPrefix("never"))
        for possible in [
            [("PRIMARY", 1), ("SECONDARY", 1), ("(not reachable/healthy)", 1)],
            [("PRIMARY", 1), ("SECONDARY", 0)],
            [("PRIMARY", 1), ("SECONDARY", 1), ("ARBITER", 1)],
        ] {
            #expect(choice(possible) == "needed can't be locked: the set would lose its majority")
        }
    }

    @Test("the reason tells why this member, and why not the others")
    func reason() {
        let needed = H.agent("needed", .secondary, isLockable: false)
        guard case .chosen(let chosen) = MemberChoice.forBackup([needed, H.primary], wanted: nil, failedBefore: [])
        else {
            Issue.record("nobody was chosen")
            return
        }
        #expect(
            chosen.reason
                == "mongo-0: the primary, as no secondary can be used, read without a lock (oplog); "
                + "needed can't be locked: the set would lose its majority"
        )
    }

    @Test("a restore works beside the primary, or else from any member")
    func restore() {
        guard case .chosen(let best) = MemberChoice.forRestore([H.secondary, H.primary]),
            case .chosen(let other) = MemberChoice.forRestore([H.secondary])
        else {
            Issue.record("nobody was chosen")
            return
        }
        #expect(best.agent.pod == "mongo-0")
        #expect(other.agent.pod == "mongo-1")
        #expect(MemberChoice.forRestore([]) == .none("no agent of the group is connected"))
    }
}
