import FoundationEssentials

/// What is written down of a request for a lock before it is sent, so that a later process can find out on the server
/// whether it ever arrived.
struct LockRequest: Codable, Sendable, Hashable {
    /// The session that nothing but this request is sent with, 32 hexadecimal digits: the server remembers which
    /// sessions it has heard of.
    var session: String
    /// The server's number of the connection that the request goes through: never used again by that process.
    var connection: Int64?
    /// The server's counters just before.
    var counters: LockCounters?
}

/// Numbers of a server process that only rise.
struct LockCounters: Codable, Sendable, Hashable {
    /// How often it has moved its sessions to `config.system.sessions` and forgotten them itself.
    var sessionFlushes: Int64
    /// `fsyncUnlock` commands that succeeded.
    var unlocks: Int64
    /// `fsync` commands that failed.
    var failedLocks: Int64
}

/// Whose the lock is that a note was written for.
enum LockOwner: Sendable, Hashable {
    /// There is none, and none of ours will come.
    case nobody
    case ours
    /// Somebody else's, and why that is certain.
    case foreign(String)
    /// It may be ours, and why that can't be told.
    case unknown(String)
    /// Our request may still be on its way, and what it waits for.
    case pending(String)
}

/// What a server knows of a lock and of the request in a note: collected by `LockCommands.evidence`, judged here.
struct LockEvidence: Sendable, Hashable {
    /// What the connection that asked is doing.
    enum Connection: Sendable, Hashable { case gone, idle, busy, unknown }

    /// The member is locked, or a lock is waiting for it.
    var isLocked = false
    /// The number of the operation that holds the lock: new with every lock that isn't stacked on another.
    var operation: Int64?
    var connection = Connection.unknown
    /// The server has heard of the request's session; nil when it couldn't be asked.
    var knowsSession: Bool?
    var counters: LockCounters?
    var log = LockLog()

    /// Decides by the note and this evidence: see docs/explanation/locks.md, "Whose lock is it?".
    func owner(_ note: LockNote) -> LockOwner {
        switch note.state {
        case .held:
            guard isLocked else { return .nobody }
            if let held = note.operation, let operation, held != operation {
                return .foreign("ours was operation \(held), this is \(operation)")
            }
            return .ours
        case .requested:
            guard let request = note.request else {
                return isLocked ? .unknown("the note doesn't say how the lock was asked for") : .nobody
            }
            if connection == .busy { return .pending("the request for the lock is still being carried out") }
            guard isLocked else {
                return connection == .idle ? .pending("the connection that asked for the lock is still open") : .nobody
            }
            switch hasArrived(request) {
            case nil: return .unknown("neither its sessions nor its log tell whether our request arrived")
            case false?:
                if connection == .idle { return .pending("the connection that asked for the lock is still open") }
                return .foreign("our request never reached the server")
            case true?: return holder(request)
            }
        }
    }

    /// Whether the server has begun to carry out the request; nil when it can't be told.
    private func hasArrived(_ request: LockRequest) -> Bool? {
        if knowsSession == true || log.hasRequest { return true }
        if knowsSession == false, let before = request.counters, before.sessionFlushes == counters?.sessionFlushes {
            return false
        }
        return log.reachesBack ? false : nil
    }

    /// Whose the lock is after our request arrived: ours, unless it failed or somebody has taken it off since.
    private func holder(_ request: LockRequest) -> LockOwner {
        if let before = request.counters, let now = counters, before.unlocks == now.unlocks,
            before.failedLocks == now.failedLocks
        {
            return .ours
        }
        guard log.hasRequest else {
            return .unknown("others have locked or unlocked since, and its log doesn't reach back to our request")
        }
        if !log.isGranted { return .foreign("the server refused our request") }
        return log.isUnlocked ? .foreign("ours was taken off before this one") : .ours
    }
}

/// What the server's log, of which it keeps the last 1024 lines at hand, says of a request.
struct LockLog: Sendable, Hashable {
    /// The log still has the beginning of the connection that asked.
    var reachesBack = false
    /// The request was received.
    var hasRequest = false
    /// It was granted.
    var isGranted = false
    /// All locks were gone at a moment after it was granted.
    var isUnlocked = false

    init() {}

    private struct Entry: Decodable {
        struct Attributes: Decodable { var lockCount: Int? }
        var id: Int
        var ctx: String
        var attr: Attributes?
    }

    /// Reads the lines of `getLog`, oldest first, for one connection.
    init(_ lines: [String], connection: Int64) {
        let context = "conn\(connection)"
        for line in lines where line.contains("\"\(context)\"") || line.contains("\"id\":20466,") {
            // A line of another shape says nothing of locks, and what it may hide leaves the case doubtful.
            guard let entry = try? JSONDecoder().decode(Entry.self, from: Data(line.utf8)) else { continue }
            let isOfRequest = entry.ctx == context
            switch entry.id {
            case 20_461 where isOfRequest: hasRequest = true
            case 20_462 where isOfRequest: isGranted = true
            case 20_466 where isGranted && entry.attr?.lockCount == 0: isUnlocked = true
            default:
                // The client introduces itself or logs in before it can ask for anything.
                if isOfRequest, !hasRequest { reachesBack = true }
            }
        }
    }
}
