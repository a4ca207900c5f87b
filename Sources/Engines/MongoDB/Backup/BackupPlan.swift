import BackupModel

/// How a member is going to be dumped, decided from what it says of itself and what was asked for: pure.
struct BackupPlan: Sendable {
    /// How it is made consistent.
    var consistency: Consistency
    /// Why so, for the log.
    var reason: String
    /// Whether the member must be kept out of elections while it is locked.
    var freezes: Bool
    /// How long the lock may last.
    var budget: Duration

    /// Decides.
    ///
    /// - Throws: `JobFailure` when what was asked for can't be had from this member.
    init(_ spec: BackupSpec, _ member: MemberAssessment) throws {
        guard spec.selection.renames.isEmpty else {
            throw MongoDBFailure.badSpec("a backup can't rename namespaces: rename them when restoring")
        }
        guard spec.lockBudgetSeconds >= 0, (0...1).contains(spec.lockBudgetOplogShare), spec.parallelism >= 0 else {
            throw MongoDBFailure.badSpec(
                "lockBudgetSeconds and parallelism must not be negative, lockBudgetOplogShare must lie from 0 to 1"
            )
        }
        if spec.cluster != nil, member.role == .standalone || spec.consistency == Consistency.none {
            throw MongoDBFailure.badSpec(
                "a sharded cluster has no cut without an oplog: use consistency 'lock', 'snapshot' or 'oplog' for "
                    + member.host
            )
        }
        let isElectable = (member.set?.me?.priority ?? 0) > 0
        freezes = isElectable
        var limit = Double(spec.lockBudgetSeconds)
        if let window = member.expectedOplogWindowSeconds, window > 0 {
            limit = min(limit, Double(window) * spec.lockBudgetOplogShare)
        }
        budget = .milliseconds(Int64(limit * 1000))
        switch (spec.consistency, member.role) {
        case (nil, .standalone), (.none?, .standalone):
            consistency = .none
            reason = "a standalone has no oplog; what is written during the dump makes it fuzzy"
        case (.lock?, .standalone), (.oplog?, .standalone), (.snapshot?, .standalone):
            throw MongoDBFailure.badSpec(
                "consistency '\(spec.consistency?.rawValue ?? "")' needs a replica set, and \(member.host) is a standalone"
            )
        case (.none?, _):
            consistency = .none
            reason = "asked for: the dump is fuzzy"
        case (.oplog?, _), (.snapshot?, _):
            consistency = spec.consistency ?? .oplog
            reason = "asked for"
        case (.lock?, _):
            if let obstacle = member.notLockableReason { throw Self.cannotLock(member, obstacle) }
            consistency = .lock
            reason = "asked for"
        case (nil, _):
            if let obstacle = member.notLockableReason {
                consistency = .oplog
                reason = "it can't be locked: \(obstacle)"
            } else {
                consistency = .lock
                reason = "the set keeps its majority without this secondary"
            }
        }
    }

    private static func cannotLock(_ member: MemberAssessment, _ obstacle: String) -> JobFailure {
        let isElectable = (member.set?.me?.priority ?? 0) > 0
        let missing = member.missingPrivileges(Privileges.locking + (isElectable ? Privileges.freezing : []))
        return missing.isEmpty
            ? MongoDBFailure.notLockable(member.host, obstacle)
            : MongoDBFailure.missingPrivileges(member.host, missing)
    }
}
