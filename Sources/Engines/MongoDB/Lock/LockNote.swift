import BackupModel

/// What an agent must remember of a lock that it is about to take, since the lock outlives the agent.
struct LockNote: Codable, Sendable, Hashable {
    /// How far it got.
    enum State: String, Codable, Sendable {
        /// The lock is about to be asked for; whether it was granted isn't known.
        case requested
        /// The server granted it to us alone.
        case held
    }

    /// The job that wants the lock.
    var jobID: String
    /// The member as its set knows it.
    var host: String
    /// The server process: a lock dies with it.
    var processID: String
    /// How far it got.
    var state: State
    /// Seconds since 1970, for people.
    var since: Int64
    /// Whether the member was kept out of elections.
    var isFrozen: Bool
    /// How the lock was asked for; nil where the server has no sessions.
    var request: LockRequest?
    /// The server's operation that holds the lock, once it is held.
    var operation: Int64?
}

/// Lock notes on disk: one file a member.
typealias LockNotes = Notes<LockNote>

extension LockNote: Note {
    static let prefix = "mongodb-lock-"
    var subject: String { host }

    static func unkept(_ path: String, _ reason: String) -> JobFailure {
        JobFailure(
            code: "stateUnwritable",
            message: "can't keep the lock note in \(path): \(reason); nothing was locked",
            isRetryable: true
        )
    }
}
