import BSON
import BackupModel

/// What follows from a member's answers: pure, so that every case can be tested without a server.
struct MemberAssessment: Sendable {
    let facts: MemberFacts
    let host: String
    let set: ReplicaSetView?
    let role: MemberStatus.Role

    init(_ facts: MemberFacts, connectedTo address: String) {
        self.facts = facts
        host = facts.hello["me"]?.string ?? address
        if let status = facts.status, let config = facts.config {
            set = ReplicaSetView(status: status, config: config)
        } else {
            set = nil
        }
        role = Self.role(facts.hello)
    }

    private static func role(_ hello: BSONDocument) -> MemberStatus.Role {
        if hello["arbiterOnly"]?.truth == true { return .arbiter }
        if hello["setName"] == nil {
            let isStarting = hello["isreplicaset"]?.truth == true || hello["msg"]?.string == "isdbgrid"
            return isStarting ? .other : .standalone
        }
        if hello["isWritablePrimary"]?.truth == true { return .primary }
        return hello["secondary"]?.truth == true ? .secondary : .other
    }

    /// Supported major versions: 5.0 to 8.0 speak the commands that we use; tested on 6.0.
    static let supportedMajors = 5...8

    var isSupported: Bool {
        let parts = facts.version.split(separator: ".")
        guard let major = parts.first.flatMap({ Int($0) }) else { return false }
        // 8.1 and later change time series and are not the 8.0 that we mean.
        return Self.supportedMajors.contains(major) && (major < 8 || parts.dropFirst().first == "0")
    }

    /// The name of its replica set; empty for a standalone.
    var group: String { facts.hello["setName"]?.string ?? "" }

    /// Where the members of its set are that hold data.
    var dataHosts: [String] { (set?.members ?? []).filter { !$0.isArbiter }.map(\.host) }

    /// What stands in the way of any backup of this member; nil when nothing does.
    var obstacle: JobFailure? {
        if facts.hello["msg"]?.string == "isdbgrid" {
            return MongoDBFailure.unsupported("\(host) is a mongos: an agent serves a mongod, never a router")
        }
        if !isSupported { return MongoDBFailure.unsupportedVersion(host, facts.version) }
        if role == .arbiter { return MongoDBFailure.notUsable(host, "it is an arbiter and holds no data") }
        if facts.refusesAnonymous {
            return MongoDBFailure.missingPrivileges(host, ["the server asks for a log-in and none is configured"])
        }
        let missing = missingPrivileges(
            Privileges.reading + (role == .standalone ? [] : Privileges.replication)
                + (refusesDirectOperations ? Privileges.direct : [])
        )
        if !missing.isEmpty { return MongoDBFailure.missingPrivileges(host, missing) }
        switch role {
        case .other: return MongoDBFailure.notUsable(host, "it is neither primary nor secondary at the moment")
        case .standalone, .primary, .secondary, .arbiter: return nil
        }
    }

    /// Whether it is a shard that refuses who doesn't come through a router.
    private var refusesDirectOperations: Bool {
        let major = facts.version.split(separator: ".").first.flatMap { Int($0) } ?? 0
        return major >= 8 && facts.sharding.map { !$0.isConfigServer } == true
    }

    func missingPrivileges(_ needs: [Privileges.Need]) -> [String] {
        Privileges(facts.connectionStatus).missing(needs).map(\.description)
    }

    /// What the user lacks for a backup of the whole cluster that the member belongs to.
    var missingClusterPrivileges: [String] {
        guard let sharding = facts.sharding else { return [] }
        return missingPrivileges(Privileges.cluster + (sharding.isConfigServer ? Privileges.balancing : []))
    }

    /// Why the member must not be locked, privileges included; nil when it may.
    var notLockableReason: String? {
        if role == .standalone { return "it is a standalone, and a lock would block every write" }
        guard let set else { return "its view of the replica set could not be read" }
        if let reason = set.notLockableReason { return reason }
        let isElectable = (set.me?.priority ?? 0) > 0
        let missing = missingPrivileges(Privileges.locking + (isElectable ? Privileges.freezing : []))
        return missing.isEmpty ? nil : "the MongoDB user lacks " + missing.joined(separator: "; ")
    }

    /// Seconds of history in the member's oplog.
    var oplogWindowSeconds: Int? {
        guard let first = facts.oplogFirst, let last = facts.oplogLast else { return nil }
        return Int(last.t) - Int(first.t)
    }

    /// Seconds of history that the oplog will have when it is full, at the rate of what is in it now.
    ///
    /// A young oplog holds seconds and will hold days: the former is no reason to hurry.
    var expectedOplogWindowSeconds: Int? {
        guard let now = oplogWindowSeconds else { return nil }
        guard let (used, most) = facts.oplogFill, used > 0, most > used else { return now }
        return Int(min(Double(now) * most / used, Double(Int32.max)))
    }

    /// Everything that the coordinator and people want to know.
    func status(ownLock note: LockNote?) -> MemberStatus {
        var status = MemberStatus(isReachable: true)
        status.version = facts.version
        status.featureCompatibilityVersion = facts.featureCompatibilityVersion
        status.role = role
        status.group = facts.hello["setName"]?.string
        status.host = host
        status.primary = facts.hello["primary"]?.string
        status.members = (set?.members ?? []).map {
            GroupMember(
                host: $0.host,
                state: $0.state,
                isHealthy: $0.isHealthy,
                votes: $0.votes,
                priority: $0.priority
            )
        }
        status.lagSeconds = role == .primary ? 0 : set?.lagSeconds
        status.priority = set?.me?.priority
        status.isHidden = set?.me?.isHidden
        status.votes = set?.me?.votes
        status.delaySeconds = set?.me?.delaySeconds
        status.oplogWindowSeconds = oplogWindowSeconds
        status.dataBytes = facts.dataBytes
        status.sharding = facts.sharding
        status.notLockableReason = notLockableReason
        status.isLockable = status.notLockableReason == nil
        if facts.isLocked { status.lock = MemberStatus.Lock(isOurs: note != nil, jobID: note?.jobID) }
        if let obstacle { status.problems.append(obstacle.message) }
        if facts.isLocked, note == nil {
            status.problems.append(MongoDBFailure.foreignLock(host, "currentOp shows fsyncLock").message)
        }
        let missing = missingClusterPrivileges
        if obstacle == nil, !missing.isEmpty {
            status.problems.append(
                "no backup of the whole cluster: the MongoDB user may not do on \(host) what it needs: "
                    + missing.joined(separator: "; ")
            )
        }
        if obstacle == nil {
            status.problems += facts.refusals.map { "a question to \(host) was refused: \($0)" }
        }
        return status
    }
}
