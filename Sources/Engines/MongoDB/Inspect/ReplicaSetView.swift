import BSON
import BackupModel

/// A replica set as one of its members sees it, joined from `replSetGetStatus` and `replSetGetConfig`.
struct ReplicaSetView: Sendable, Hashable {
    /// One member.
    struct Member: Sendable, Hashable {
        var host: String
        var state: String
        var isHealthy: Bool
        var isSelf: Bool
        var votes: Int
        var priority: Double
        var isHidden: Bool
        var isArbiter: Bool
        var buildsIndexes: Bool
        var delaySeconds: Int
        /// Milliseconds since 1970 of the newest operation it has.
        var newestOperation: Int64?

        var isAlive: Bool { isHealthy && ["PRIMARY", "SECONDARY", "ARBITER"].contains(state) }
        var holdsData: Bool { isHealthy && ["PRIMARY", "SECONDARY"].contains(state) }
    }

    var members: [Member]
    var majorityVotes: Int
    var writeMajority: Int
    var electionTimeoutMilliseconds: Int

    var me: Member? { members.first(where: \.isSelf) }
    var primary: Member? { members.first { $0.state == "PRIMARY" && $0.isHealthy } }

    /// Joins the two replies by member id.
    init?(status: BSONDocument, config: BSONDocument) {
        let configured = config["members"]?.array?.compactMap(\.document) ?? []
        let seen = status["members"]?.array?.compactMap(\.document) ?? []
        guard !configured.isEmpty, !seen.isEmpty else { return nil }
        members = configured.map { member in
            let state = seen.first { $0["_id"]?.integer == member["_id"]?.integer }
            var newest: Int64?
            if case .date(let milliseconds)? = state?["optimeDate"] { newest = milliseconds }
            return Member(
                host: member["host"]?.string ?? "",
                state: state?["stateStr"]?.string ?? "UNKNOWN",
                isHealthy: state?["health"]?.truth ?? false,
                isSelf: state?["self"]?.truth ?? false,
                votes: Int(member["votes"]?.integer ?? 1),
                priority: member["priority"]?.number ?? 1,
                isHidden: member["hidden"]?.truth ?? false,
                isArbiter: member["arbiterOnly"]?.truth ?? false,
                buildsIndexes: member["buildIndexes"]?.truth ?? true,
                delaySeconds: Int(member["secondaryDelaySecs"]?.integer ?? member["slaveDelay"]?.integer ?? 0),
                newestOperation: newest
            )
        }
        let votes = members.reduce(0) { $0 + $1.votes }
        let writable = members.filter { $0.votes > 0 && !$0.isArbiter }.count
        majorityVotes = Int(status["majorityVoteCount"]?.integer ?? Int64(votes / 2 + 1))
        writeMajority = Int(status["writeMajorityCount"]?.integer ?? Int64(min(votes / 2 + 1, writable)))
        electionTimeoutMilliseconds = Int(config[path: "settings", "electionTimeoutMillis"]?.integer ?? 10_000)
    }

    /// Seconds that this member is behind the primary.
    var lagSeconds: Int? {
        guard let mine = me?.newestOperation, let theirs = primary?.newestOperation else { return nil }
        return Int(max(0, theirs - mine) / 1000)
    }

    /// Why this member must not be locked; nil when the set does well without it.
    ///
    /// A locked member neither confirms writes nor votes, and it can depose a healthy primary if it stands for
    /// election (observed), so the others must be a majority of both kinds, and it must not be preferred to the primary.
    var notLockableReason: String? {
        guard let me else { return "it is not a member of its own set" }
        switch me.state {
        case "SECONDARY": break
        case "PRIMARY": return "it is the primary, and a lock would block every write to the set"
        default: return "it is \(me.state), not SECONDARY"
        }
        if me.isArbiter { return "it is an arbiter and holds no data" }
        if me.delaySeconds > 0 { return "it is delayed by \(me.delaySeconds) s on purpose" }
        if !me.buildsIndexes { return "it is configured with buildIndexes: false and lacks indexes" }
        guard let primary else { return "the set has no primary at the moment" }
        if me.priority > primary.priority {
            return
                "its priority \(me.priority) is higher than that of the primary \(primary.host) (\(primary.priority)),"
                + " so it may stand for election"
        }
        let others = members.filter { !$0.isSelf }
        let votes = others.filter(\.isAlive).reduce(0) { $0 + $1.votes }
        if votes < majorityVotes {
            return "without it only \(votes) of the \(majorityVotes) votes needed for a primary are left"
        }
        let confirming = others.filter { $0.holdsData && $0.votes > 0 }.count
        if confirming < writeMajority {
            return
                "without it only \(confirming) of the \(writeMajority) members needed to confirm majority writes are left"
        }
        return nil
    }
}
