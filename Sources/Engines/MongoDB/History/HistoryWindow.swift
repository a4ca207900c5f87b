import BSON
import BackupModel
import Synchronization

/// What an agent must remember of a member that it is about to make keep more of its history.
struct HistoryNote: Codable, Sendable, Hashable {
    /// The job that wants it.
    var jobID: String
    /// The member as its set knows it.
    var host: String
    /// Seconds of history that it kept before.
    var before: Int64
    /// Seconds of history that it is told to keep.
    var raised: Int64
    /// Seconds since 1970, for people.
    var since: Int64
}

/// Notes on disk: one file a member.
typealias HistoryNotes = Notes<HistoryNote>

extension HistoryNote: Note {
    static let prefix = "mongodb-history-"
    var subject: String { host }

    static func unkept(_ path: String, _ reason: String) -> JobFailure {
        JobFailure(
            code: "stateUnwritable",
            message: "can't keep the note of the member's history window in \(path): \(reason); nothing was changed",
            isRetryable: true
        )
    }
}

/// How much history a member keeps for reads at a point of it: `minSnapshotHistoryWindowInSeconds`, 300 by default.
///
/// Older versions of documents cost cache and disk, so it is raised on the one member that is read, as long as it is
/// read; nobody replicates it, and a restart forgets it (MongoDB manual: Parameters).
struct HistoryWindow: Sendable {
    private static let parameter = "minSnapshotHistoryWindowInSeconds"

    let engine: MongoDBEngine
    let host: String
    let context: any JobContext

    private static func key(_ host: String) -> String { "history \(host)" }

    /// Runs `body` while the member keeps at least `wanted` of its history; it keeps as much as before on every way out.
    ///
    /// A user who may not change it is told so in the log, and what the member keeps has to do.
    ///
    /// - Throws: what `body` throws, or `JobFailure`.
    func raised<Value>(to wanted: Duration, _ body: () async throws -> Value) async throws -> Value {
        guard let note = try await raise(to: wanted.components.seconds) else { return try await body() }
        let result: Value
        do {
            result = try await body()
        } catch {
            await putBack(note)
            throw error
        }
        await putBack(note)
        return result
    }

    private func raise(to wanted: Int64) async throws -> HistoryNote? {
        guard let before = try await permitted({ connection throws(MongoError) in try await Self.seconds(connection) }),
            before < wanted
        else { return nil }
        let note = HistoryNote(
            jobID: context.jobID,
            host: host,
            before: before,
            raised: wanted,
            since: unixSeconds()
        )
        try engine.historyNotes.write(note)
        _ = engine.activeLocks.withLock { $0.insert(Self.key(host)) }
        do {
            let isSet = try await permitted { connection throws(MongoError) in
                try await Self.set(wanted, connection)
                return true
            }
            if isSet == true {
                log(.info, "\(host) keeps \(wanted) s of its history instead of \(before) s while it is read")
                return note
            }
        } catch {
            await putBack(note)
            throw error
        }
        await putBack(note)
        return nil
    }

    /// What `body` returns; nil, said in the log, when the user may not do it.
    private func permitted<Value>(
        _ body: (MongoConnection) async throws(MongoError) -> Value
    ) async throws -> Value? {
        let connection = try engine.connect()
        do throws(MongoError) {
            return try await body(connection)
        } catch {
            guard error.code == MongoError.ServerCode.unauthorized else {
                throw MongoDBFailure.failed("raising the history window", error, host: host)
            }
            log(
                .warning,
                "the user may not make \(host) keep more of its history (getParameter, setParameter: role hostManager): a "
                    + "read that takes longer than what it keeps is done in another way"
            )
            return nil
        }
    }

    private func putBack(_ note: HistoryNote) async {
        // A task of its own: it must not be cancelled with the job.
        let failure = await Task { await HistoryWindow.putBack(note, engine) }.value
        _ = engine.activeLocks.withLock { $0.remove(Self.key(host)) }
        if let failure {
            log(
                .error,
                "\(host) still keeps \(note.raised) s of its history instead of \(note.before) s, and \(failure); the agent "
                    + "tries again when it starts"
            )
        } else {
            log(.info, "\(host) keeps \(note.before) s of its history again")
        }
    }

    /// Undoes what a note tells of, unless somebody has changed it since, and forgets the note.
    ///
    /// - Returns: why it could not be done; the note stays then.
    static func putBack(_ note: HistoryNote, _ engine: MongoDBEngine) async -> String? {
        do {
            let connection = try engine.connect(to: note.host)
            if try await seconds(connection) == note.raised { try await set(note.before, connection) }
            try engine.historyNotes.remove(note.host)
            return nil
        } catch {
            return "\(error)"
        }
    }

    /// Whether this very process uses the window of a note's member now.
    static func isActive(_ note: HistoryNote, _ engine: MongoDBEngine) -> Bool {
        engine.activeLocks.withLock { $0.contains(key(note.host)) }
    }

    private static func seconds(_ connection: MongoConnection) async throws(MongoError) -> Int64 {
        let reply = try await connection.command("admin", ["getParameter": 1, .init(parameter): 1])
        guard let seconds = reply[parameter]?.integer else {
            throw MongoError(.badReply, "\(connection.host) doesn't say how much of its history it keeps")
        }
        return seconds
    }

    private static func set(_ seconds: Int64, _ connection: MongoConnection) async throws(MongoError) {
        _ = try await connection.command("admin", ["setParameter": 1, .init(parameter): .int64(seconds)])
    }

    private func log(_ level: JobLogLevel, _ message: String) { context.log(level, "history", message) }
}
