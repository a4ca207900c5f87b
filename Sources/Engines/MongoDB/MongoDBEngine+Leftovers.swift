import BSON
public import BackupModel
import Synchronization

extension MongoDBEngine {
    /// Releases what an earlier process of this agent left locked, by its notes; touches nothing that no note names.
    ///
    /// - Returns: one sentence per note, for the log.
    /// - Throws: `JobFailure` when a note can't be read, or its lock can't be shown to be gone.
    public func releaseLeftovers() async throws -> [String] {
        var sentences: [String] = []
        for note in try notes.all() where !activeLocks.withLock({ $0.contains(note.host) }) {
            let lines = LogLines()
            var commands = LockCommands(connection: try connect())
            let outcome = await LockRelease(self, note, log: lines.add).run(&commands)
            if let failure = outcome.failure { throw failure }
            let what =
                if outcome.diedWithServer {
                    "the lock that job \(note.jobID) left on \(note.host) had died with the server"
                } else if outcome.wasOurs {
                    "released the lock that job \(note.jobID) left on \(note.host)"
                } else if outcome.others > 0 {
                    "released the lock that job \(note.jobID) left on \(note.host); \(outcome.others) of others stay"
                } else {
                    "job \(note.jobID) left a lock note for \(note.host), but no lock"
                }
            sentences.append(what)
        }
        return sentences
    }

    /// Takes one lock off another member of the group, which its own agent can't do any more.
    ///
    /// - Throws: `JobFailure` when the member can't be reached or stays locked.
    public func release(_ spec: ReleaseSpec, context: any JobContext) async throws {
        var commands = LockCommands(connection: try connect(to: spec.host))
        let isLocked: Bool
        do throws(MongoError) {
            isLocked = try await commands.isLocked()
        } catch {
            throw MongoDBFailure.failed("asking whether it is locked", error, host: spec.host)
        }
        guard isLocked else {
            context.log(.info, "lock", "\(spec.host) is not locked: nothing of job \(spec.ownerJobID) to release")
            context.report(LockReport(host: spec.host, isHeld: false, endReason: "was not locked"))
            return
        }
        let note = LockNote(
            jobID: spec.ownerJobID,
            host: spec.host,
            processID: "",
            state: .held,
            since: unixSeconds(),
            isFrozen: true
        )
        let release = LockRelease(self, note, host: spec.host) { context.log($0, "lock", $1) }
        let outcome = await release.run(&commands)
        if let failure = outcome.failure { throw failure }
        context.log(.info, "lock", "released the lock that job \(spec.ownerJobID) left on \(spec.host)")
        context.report(LockReport(host: spec.host, isHeld: outcome.others > 0, endReason: "released over the network"))
    }
}

/// Swallows log lines of a release that has no job: what happened is in the sentence that it returns.
private struct LogLines: Sendable {
    func add(_ level: JobLogLevel, _ message: String) {}
}
