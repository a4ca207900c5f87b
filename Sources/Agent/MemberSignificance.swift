import BackupModel

/// Which changes of a member are worth telling at once; the rest goes with the next check-in.
enum MemberSignificance {
    /// Lag, in seconds, at whose crossing a choice of member may turn out differently.
    static let lagSteps = [5, 15, 60, 300, 3600]

    /// Whether the coordinator should know of the change now.
    static func differs(_ old: MemberStatus, _ new: MemberStatus) -> Bool {
        essence(old) != essence(new)
    }

    /// The status without what changes all the time.
    private static func essence(_ status: MemberStatus) -> MemberStatus {
        var essence = status
        essence.dataBytes = nil
        essence.oplogWindowSeconds = status.oplogWindowSeconds.map { lengthClass($0) }
        essence.lagSeconds = status.lagSeconds.map { lag in lagSteps.count { lag >= $0 } }
        return essence
    }

    /// The power of two below: a window that halves matters, one that grows by a second does not.
    private static func lengthClass(_ seconds: Int) -> Int {
        seconds <= 0 ? 0 : Int.bitWidth - seconds.leadingZeroBitCount
    }
}
