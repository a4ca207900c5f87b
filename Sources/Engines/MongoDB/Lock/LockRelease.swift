import BackupModel

/// Takes one lock off a member and doesn't rest before the member says that it is gone.
struct LockRelease {
    /// How it went.
    struct Outcome: Sendable {
        /// The lock was still there and it was the only one.
        var wasOurs = false
        /// Locks of others that are left.
        var others = 0
        /// The server process that had the lock has ended, and the lock with it.
        var diedWithServer = false
        var failure: JobFailure?
    }

    private let engine: MongoDBEngine
    private let note: LockNote
    private let host: String?
    private let log: (JobLogLevel, String) -> Void
    private let clock = ContinuousClock()

    /// Prepares a release; `host` is the address to connect to when it isn't the configured one.
    init(_ engine: MongoDBEngine, _ note: LockNote, host: String? = nil, log: @escaping (JobLogLevel, String) -> Void) {
        self.engine = engine
        self.note = note
        self.host = host
        self.log = log
    }

    /// Unlocks, thaws, forgets the note, in this order: a crash in between leaves a note that leads here again.
    func run(_ commands: inout LockCommands) async -> Outcome {
        var outcome = await unlock(&commands)
        guard outcome.failure == nil else { return outcome }
        if note.isFrozen, !outcome.diedWithServer {
            do throws(MongoError) {
                try await commands.freeze(seconds: 0)
            } catch {
                log(.warning, "\(note.host) stays out of elections for some minutes: replSetFreeze 0 failed: \(error)")
            }
        }
        do {
            try engine.notes.remove(note.host)
        } catch {
            outcome.failure = error as? JobFailure ?? MongoDBFailure.unlockFailed(note.host, "\(error)")
        }
        return outcome
    }

    private func unlock(_ commands: inout LockCommands) async -> Outcome {
        var deadline = clock.now + engine.tuning.unlockPatience
        var pause = Duration.milliseconds(50)
        var lastTold = clock.now
        while true {
            do throws(MongoError) {
                return try await attempt(commands)
            } catch {
                if error.code == MongoError.ServerCode.unauthorized {
                    return Outcome(failure: MongoDBFailure.failed("unlocking", error, host: note.host))
                }
                guard clock.now < deadline else {
                    return Outcome(failure: MongoDBFailure.unlockFailed(note.host, error.message))
                }
                // A server that answers at all will be unlocked, so patience counts from its last answer.
                if error.kind == .server { deadline = clock.now + engine.tuning.unlockPatience }
                if lastTold.duration(to: clock.now) > .seconds(10) || pause == .milliseconds(50) {
                    log(.warning, "unlocking \(note.host) failed, trying again: \(error)")
                    lastTold = clock.now
                }
            }
            // The pause only spaces the attempts; whoever cancels the job still wants the lock gone.
            try? await Task.sleep(for: pause)
            pause = min(pause * 2, .seconds(1))
            do {
                commands = LockCommands(connection: try engine.connect(to: host))
            } catch {
                return Outcome(failure: MongoDBFailure.unlockFailed(note.host, "\(error)"))
            }
        }
    }

    private func attempt(_ commands: LockCommands) async throws(MongoError) -> Outcome {
        if !note.processID.isEmpty, try await commands.processID() != note.processID {
            log(.info, "\(note.host) has been restarted since the lock was taken, so the lock is gone")
            return Outcome(diedWithServer: true)
        }
        guard try await commands.isLocked() else {
            log(.warning, "\(note.host) was not locked any more")
            return Outcome()
        }
        guard let left = try await commands.unlock() else { return Outcome() }
        if left > 0 {
            log(.warning, "\(note.host) is still locked by \(left) other locks, which are not ours and stay")
            return Outcome(others: left)
        }
        // Asked again, because only the member itself knows.
        if try await commands.isLocked() {
            log(.warning, "\(note.host) was locked anew by somebody else right after our unlock")
            return Outcome(wasOurs: true, others: 1)
        }
        return Outcome(wasOurs: true)
    }
}
