import BackupModel

/// Takes one lock off a member and doesn't rest before the member says that it is gone.
struct LockRelease {
    /// What the caller knows of its lock.
    enum Knowledge: Sendable {
        /// It was never asked for, was refused, or has been taken off already.
        case isGone
        /// It was granted.
        case isOurs
        /// The server's traces decide.
        case unknown
    }

    /// How it went.
    struct Outcome: Sendable {
        /// The lock was still there and it was the only one.
        var wasOurs = false
        /// The member is locked by somebody else alone, who was left alone: why that is certain.
        var foreign: String?
        /// A lock was taken off that may have been somebody else's: why that couldn't be told.
        var doubt: String?
        /// Locks of others that are left.
        var others = 0
        /// The server process that had the lock has ended, and the lock with it.
        var diedWithServer = false
        var failure: JobFailure?
    }

    private let engine: MongoDBEngine
    private let note: LockNote
    private let knowledge: Knowledge
    private let host: String?
    private let log: (JobLogLevel, String) -> Void
    private let clock = ContinuousClock()

    /// Prepares a release; `host` is the address to connect to when it isn't the configured one.
    init(
        _ engine: MongoDBEngine,
        _ note: LockNote,
        _ knowledge: Knowledge = .unknown,
        host: String? = nil,
        log: @escaping (JobLogLevel, String) -> Void
    ) {
        self.engine = engine
        self.note = note
        self.knowledge = knowledge
        self.host = host
        self.log = log
    }

    /// Unlocks, thaws, forgets the note, in this order: a crash in between leaves a note that leads here again.
    func run(_ commands: inout LockCommands) async -> Outcome {
        var outcome = Outcome()
        if case .isGone = knowledge {} else { outcome = await unlock(&commands) }
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
        let pendingUntil = clock.now + engine.tuning.unlockPatience
        var deadline = pendingUntil
        var pause = Duration.milliseconds(50)
        var lastTold = clock.now
        while true {
            do throws(MongoError) {
                return try await attempt(commands, mayWait: clock.now < pendingUntil)
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

    /// One try.
    ///
    /// An idle connection of the request's is waited for while `mayWait`: what a server that answers hasn't read for so
    /// long isn't in its buffers.
    private func attempt(_ commands: LockCommands, mayWait: Bool) async throws(MongoError) -> Outcome {
        if !note.processID.isEmpty, try await commands.processID() != note.processID {
            log(.info, "\(note.host) has been restarted since the lock was taken, so the lock is gone")
            return Outcome(diedWithServer: true)
        }
        var doubt: String?
        switch try await owner(commands, mayWait: mayWait) {
        case .nobody:
            log(.warning, "\(note.host) was not locked any more")
            return Outcome()
        case .foreign(let reason):
            log(.warning, "\(note.host) is locked by somebody else, whose lock stays: \(reason)")
            return Outcome(foreign: reason)
        case .pending(let reason): throw MongoError(.server, reason)
        case .unknown(let reason):
            // A member that we leave locked stops for good; whoever else locked it can see that his lock has gone.
            log(.error, "\(note.host) is unlocked although the lock may be somebody else's: \(reason)")
            doubt = reason
        case .ours: break
        }
        guard let left = try await commands.unlock() else { return Outcome() }
        if left > 0 {
            log(.warning, "\(note.host) is still locked by \(left) other locks, which are not ours and stay")
            return Outcome(doubt: doubt, others: left)
        }
        // Asked again, because only the member itself knows.
        if try await commands.isLocked() {
            log(.warning, "\(note.host) was locked anew by somebody else right after our unlock")
            return Outcome(wasOurs: true, doubt: doubt, others: 1)
        }
        return Outcome(wasOurs: true, doubt: doubt)
    }

    private func owner(_ commands: LockCommands, mayWait: Bool) async throws(MongoError) -> LockOwner {
        var note = note
        // Granted to this very process: the traces of the request add nothing.
        if case .isOurs = knowledge { note.state = .held }
        var evidence = try await commands.evidence(note)
        if evidence.connection == .idle, !mayWait { evidence.connection = .gone }
        return evidence.owner(note)
    }
}
