import BackupModel

/// What an agent must remember of a balancer that it is about to stop, since it stays stopped when the agent dies.
struct BalancerNote: Codable, Sendable, Hashable {
    /// The job that stops it.
    var jobID: String
    /// The config server's replica set.
    var configServer: String
    /// Its members, `host:port`: one of them is the primary that can start it again.
    var hosts: [String]
    /// Whether automatic splitting was on; stopping the balancer turns it off, and starting it on.
    var autoSplitWasOn: Bool
    /// Seconds since 1970, for people.
    var since: Int64
}

/// Balancer notes on disk: one file a cluster.
///
/// Only a balancer that was on gets a note, so whoever finds one may start it.
typealias BalancerNotes = Notes<BalancerNote>

extension BalancerNote: Note {
    static let prefix = "mongodb-balancer-"
    var subject: String { configServer }

    static func unkept(_ path: String, _ reason: String) -> JobFailure {
        JobFailure(
            code: "stateUnwritable",
            message: "can't keep the note of the balancer in \(path): \(reason); the balancer was not stopped",
            isRetryable: true
        )
    }
}
