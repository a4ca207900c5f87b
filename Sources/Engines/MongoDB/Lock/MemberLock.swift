import BSON
import BackupModel
import Synchronization

/// One lock on one member, from the note on disk to the proof that it is gone.
///
/// A lock belongs to the server process and outlives its client. So: a durable note first; asking bounded from
/// another connection; every way out goes through `release`, which tries until the member says that it isn't locked;
/// the note goes last.
actor MemberLock {
    /// What a granted lock means.
    struct Grant: Sendable {
        /// The newest operation that the member has applied, which stays the newest while the lock lasts.
        var point: OpTime
        var acquisition: Duration
    }

    /// How a lock ended.
    struct Ending: Sendable {
        var reason: String
        var held: Duration
        /// Whether the lock was still there, alone, and nothing had been applied under it until the end.
        var wasIntact: Bool
        /// Why it could not be shown to be gone, if so.
        var failure: JobFailure?
    }

    private enum State {
        case idle
        case requested
        case held(Grant, since: ContinuousClock.Instant)
        case releasing(Task<Ending, Never>)
    }

    let host: String
    private let engine: MongoDBEngine
    private let context: any JobContext
    private let budget: Duration
    /// Kept apart so that a question that hangs can't stand in the way of an unlock.
    private let locker: LockCommands
    private let unlocker: LockCommands
    /// Sends the request for the lock and nothing else, so that its session proves that the request arrived.
    private let asker: LockCommands
    private var state = State.idle
    private var knowledge = LockRelease.Knowledge.isGone
    private var note: LockNote
    private let clock = ContinuousClock()

    init(_ engine: MongoDBEngine, host: String, freezes: Bool, budget: Duration, context: any JobContext) throws {
        self.engine = engine
        self.host = host
        self.budget = budget
        self.context = context
        locker = LockCommands(connection: try engine.connect(timeout: milliseconds(engine.tuning.lateLock)))
        unlocker = LockCommands(connection: try engine.connect(timeout: milliseconds(engine.tuning.lateLock)))
        asker = LockCommands(connection: try engine.connect(timeout: milliseconds(engine.tuning.lateLock)))
        note = LockNote(
            jobID: context.jobID,
            host: host,
            processID: "",
            state: .requested,
            since: unixSeconds(),
            isFrozen: freezes
        )
    }

    /// Whether the lock is there and nobody has begun to release it.
    var isHeld: Bool {
        if case .held = state { return true }
        return false
    }

    /// Whether the lock is there, and nothing has been applied under it until now.
    var isIntact: Bool {
        get async {
            guard case .held(let grant, _) = state, await isUntouched(grant) else { return false }
            // Asked again: it may have ended during the question.
            return isHeld
        }
    }

    /// Locks the member.
    ///
    /// - Throws: `JobFailure` `foreignLock`, `lockFailed`, `stateUnwritable`, …; nothing of ours is left then.
    func take() async throws -> Grant {
        do {
            // Both connections are opened before the lock; reads and log-ins work under it, but a habit is cheap.
            note.processID = try await unlocker.processID()
            if try await locker.isLocked() {
                throw MongoDBFailure.foreignLock(host, "currentOp shows fsyncLock before ours was asked for")
            }
            try await waitForTransactions()
            note.request = try await unlocker.request(through: asker.connection)
        } catch let error as MongoError {
            throw MongoDBFailure.failed("preparing the lock", error, host: host)
        }
        try Task.checkCancellation()
        note.since = unixSeconds()
        try engine.notes.write(note)
        _ = engine.activeLocks.withLock { $0.insert(host) }
        state = .requested
        report(isHeld: true)
        do {
            try await context.recorded()
            if note.isFrozen { try await locker.freeze(seconds: freezeSeconds) }
            await engine.tuning.pause("noted")
            try Task.checkCancellation()
            let grant = try await request()
            state = .held(grant, since: clock.now)
            note.state = .held
            note.operation = try await unlocker.lockOperation()
            try engine.notes.write(note)
            report(isHeld: true)
            return grant
        } catch {
            let ending = await release(reason: "the lock could not be used")
            if let failure = ending.failure { throw failure }
            if let error = error as? MongoError { throw MongoDBFailure.failed("locking", error, host: host) }
            throw error
        }
    }

    /// Longer than any use of the lock, so that only a dead agent lets it run out.
    private var freezeSeconds: Int { Int(budget.components.seconds) + 300 }

    private func waitForTransactions() async throws {
        let deadline = clock.now + engine.tuning.lockAcquisition
        var isTold = false
        while true {
            let count = try await unlocker.openTransactions()
            if count == 0 { return }
            guard clock.now < deadline else {
                throw MongoDBFailure.lockFailed(
                    host,
                    "\(count) open transactions did not end within \(seconds(engine.tuning.lockAcquisition)),"
                        + " and a lock would have blocked all writes behind them"
                )
            }
            if !isTold { log(.info, "waiting for \(count) open transactions before the lock is asked for") }
            isTold = true
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    /// Asks for the lock, and undoes it from another connection when it doesn't come in time.
    private func request() async throws -> Grant {
        let begin = clock.now
        let limit = engine.tuning.lockAcquisition
        let (asker, unlocker, host, jobID) = (asker, unlocker, host, note.jobID)
        enum Event { case answer(Result<Int, MongoError>), late, undone(Int?) }
        knowledge = .unknown
        let answer = try await withThrowingTaskGroup(of: Event.self) { group -> Int in
            group.addTask {
                do throws(MongoError) {
                    return .answer(.success(try await asker.lock(jobID: jobID)))
                } catch {
                    return .answer(.failure(error))
                }
            }
            group.addTask {
                // Cancelled by the answer, or with the job: then, too, the lock must not come unnoticed.
                try? await Task.sleep(for: limit)
                return .late
            }
            var (isLate, isUndone) = (false, false)
            var answer: Result<Int, MongoError>?
            while let event = try await group.next() {
                switch event {
                case .answer(let result):
                    answer = result
                    group.cancelAll()
                case .late where answer == nil:
                    isLate = true
                    self.log(
                        .warning,
                        "the lock did not come within \(seconds(limit)): it is undone as soon as it does"
                    )
                    group.addTask {
                        .undone(try await unlocker.unlock())
                    }
                case .undone(let left): isUndone = left != nil
                case .late: break
                }
            }
            switch answer {
            case .success?: knowledge = isUndone ? .isGone : .isOurs
            // An answer at all means that nothing was granted; a connection that broke means nothing.
            case .failure(let error)? where error.kind == .server: knowledge = .isGone
            case .failure?, nil: break
            }
            if isLate {
                throw MongoDBFailure.lockFailed(
                    host,
                    "the server did not grant the lock within \(seconds(limit)); writes on it were blocked meanwhile,"
                        + " probably behind a transaction that stayed open"
                )
            }
            guard let answer else { throw CancellationError() }
            return try answer.get()
        }
        guard answer == 1 else {
            throw MongoDBFailure.foreignLock(host, "after ours there are \(answer) locks; ours is taken off again")
        }
        let now = try await ReplicationState(asking: locker.connection)
        guard now.document["myState"]?.integer == 2 else {
            throw MongoDBFailure.lockFailed(host, "it stopped being a secondary while it was being locked")
        }
        return Grant(point: now.applied, acquisition: begin.duration(to: clock.now))
    }

    /// Unlocks the member, whoever asks first; the others get the same answer.
    ///
    /// Never stops half-way: a cancelled job
    /// waits for it too.
    @discardableResult
    func release(reason: String) async -> Ending {
        switch state {
        case .idle: return Ending(reason: reason, held: .zero, wasIntact: false)
        case .releasing(let task): return await task.value
        case .requested, .held:
            // A task of its own: it must not be cancelled with the job that wants the lock gone.
            let before = state
            let task = Task { await self.unlock(reason, before) }
            state = .releasing(task)
            return await task.value
        }
    }

    private func unlock(_ reason: String, _ before: State) async -> Ending {
        var ending = Ending(reason: reason, held: .zero, wasIntact: false)
        var grant: Grant?
        if case .held(let given, let since) = before {
            grant = given
            ending.wasIntact = await isUntouched(given)
            ending.held = since.duration(to: clock.now)
        }
        let begin = clock.now
        var commands = unlocker
        let outcome = await LockRelease(engine, note, knowledge, log: log).run(&commands)
        ending.held += begin.duration(to: clock.now)
        ending.wasIntact = ending.wasIntact && outcome.wasOurs
        ending.failure = outcome.failure
        return finish(ending, grant?.point.time)
    }

    /// Whether the member applied nothing since the lock was granted: the lock was there all the time.
    private func isUntouched(_ grant: Grant) async -> Bool {
        do throws(MongoError) {
            return try await ReplicationState(asking: locker.connection).applied == grant.point
        } catch {
            log(.warning, "could not see whether the lock was intact until now: \(error)")
            return false
        }
    }

    private func finish(_ ending: Ending, _ point: ClusterTime?) -> Ending {
        _ = engine.activeLocks.withLock { $0.remove(host) }
        let isGone = ending.failure == nil
        log(
            isGone ? .info : .error,
            isGone
                ? "unlocked \(host) after \(seconds(ending.held)): \(ending.reason)"
                : "\(host) may still be locked: \(ending.failure?.message ?? "")"
        )
        context.report(
            LockReport(
                host: host,
                isHeld: !isGone,
                heldMs: Int64(milliseconds(ending.held)),
                point: point,
                endReason: ending.reason
            )
        )
        return ending
    }

    private func log(_ level: JobLogLevel, _ message: String) { context.log(level, "lock", message) }

    /// Tells how long the lock has lasted and may last.
    func report(isHeld: Bool) {
        var report = LockReport(host: host, isHeld: isHeld, remainingMs: Int64(milliseconds(budget)))
        if case .held(let grant, let since) = state {
            let held = since.duration(to: clock.now)
            report.heldMs = Int64(milliseconds(held))
            report.remainingMs = Int64(milliseconds(max(.zero, budget - held)))
            report.point = grant.point.time
        }
        report.evidence = note.evidence
        context.report(report)
    }
}
