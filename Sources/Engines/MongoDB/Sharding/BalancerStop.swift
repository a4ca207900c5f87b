import BSON
import BackupModel
import Synchronization

/// The stop of one cluster's balancer, from the note on disk to the proof that it runs again.
///
/// As with a lock: a durable note first, every way out goes through `giveBack`, and the note goes last. What was off
/// before stays off.
actor BalancerStop {
    private enum State {
        case idle
        case stopped(since: ContinuousClock.Instant)
        case givingBack(Task<JobFailure?, Never>)
    }

    /// The config server's replica set.
    let configServer: String
    private let engine: MongoDBEngine
    private let context: any JobContext
    private let primary: GroupPrimary
    private var state = State.idle
    /// Whether it was on before; nil until it was asked.
    private(set) var wasOn: Bool?
    /// Whether automatic splitting was on before.
    private(set) var autoSplitWasOn: Bool?
    /// The note, as the coordinator has it.
    private var evidence: String?
    private let clock = ContinuousClock()

    /// Describes the balancer of the cluster to whose config servers `member` belongs; touches nothing.
    init(_ engine: MongoDBEngine, of member: MemberAssessment, context: any JobContext) {
        self.engine = engine
        configServer = member.group
        self.context = context
        primary = GroupPrimary(engine: engine, hosts: member.dataHosts)
    }

    /// How the process knows that a note is in use.
    static func key(_ configServer: String) -> String { "balancer \(configServer)" }

    /// Turns the balancer off and makes sure that it is idle: no round, no migration.
    ///
    /// - Throws: `JobFailure` `balancerBusy`, `missingPrivilege`, `stateUnwritable`, …; it is as it was then.
    func stop() async throws {
        do {
            let (status, splits) = try await primary.run(within: engine.tuning.balancerPatience) {
                connection throws(MongoError) in
                let balancer = Balancer(connection: connection)
                return (try await balancer.status(), try await balancer.isAutoSplitOn())
            }
            wasOn = status.isOn
            autoSplitWasOn = splits
            if status.isOn {
                try await turnOff(autoSplitWasOn: splits)
            } else {
                log(.info, "the balancer of \(configServer) is off (\(status.mode)) already, and stays so")
                context.report(
                    BalancerReport(
                        configServer: configServer,
                        isStopped: false,
                        wasOn: false,
                        endReason: "was off already"
                    )
                )
            }
            try await waitUntilIdle()
        } catch {
            let failure = await giveBack(reason: "the balancer could not be stopped")
            if let failure { throw failure }
            if let error = error as? MongoError {
                throw MongoDBFailure.failed("stopping the balancer", error, host: configServer)
            }
            throw error
        }
    }

    private func turnOff(autoSplitWasOn: Bool) async throws {
        try Task.checkCancellation()
        let note = BalancerNote(
            jobID: context.jobID,
            configServer: configServer,
            hosts: primary.hosts,
            autoSplitWasOn: autoSplitWasOn,
            since: unixSeconds()
        )
        try engine.balancerNotes.write(note)
        evidence = note.evidence
        _ = engine.activeLocks.withLock { $0.insert(Self.key(configServer)) }
        state = .stopped(since: clock.now)
        report()
        try await context.recorded()
        await engine.tuning.pause("balancer noted")
        try Task.checkCancellation()
        log(.info, "stopping the balancer of \(configServer)")
        try await primary.run(within: engine.tuning.balancerPatience) { connection throws(MongoError) in
            // Short, so that a cancelled job doesn't wait for a round: whether it has ended is asked anyway.
            try await Balancer(connection: connection).stop(waiting: 3_000)
        }
        await engine.tuning.pause("balancer stopped")
    }

    /// A round that has begun may still begin migrations, and those run on by themselves.
    private func waitUntilIdle() async throws {
        let deadline = clock.now + engine.tuning.balancerWait
        while true {
            let (status, migrations) = try await primary.run(within: engine.tuning.balancerPatience) {
                connection throws(MongoError) in
                let balancer = Balancer(connection: connection)
                return (try await balancer.status(), try await balancer.migrations())
            }
            if !status.isOn, !status.isInRound, migrations.isEmpty { break }
            guard clock.now < deadline else {
                let reason =
                    if status.isOn {
                        "somebody turns it on again"
                    } else if let moved = migrations.first {
                        "a chunk of \(moved) is still being moved"
                    } else {
                        "its round doesn't end"
                    }
                throw MongoDBFailure.balancerBusy(configServer, reason)
            }
            try await Task.sleep(for: .milliseconds(100))
        }
        log(.info, "the balancer of \(configServer) is off and idle")
    }

    /// Whether it is still off; throws what the config server says instead of an answer.
    func isOff() async throws -> Bool {
        try await primary.run(within: engine.tuning.balancerPatience) { connection throws(MongoError) in
            try await !Balancer(connection: connection).status().isOn
        }
    }

    /// Looks after the stopped balancer until the task is cancelled: it doesn't stay off without a lease, nor for ever.
    func watch() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await self.context.leaseLapse()
                } catch {
                    return  // the job was faster
                }
                await self.giveBack(reason: "lease lapsed")
            }
            group.addTask {
                do {
                    try await Task.sleep(for: self.engine.tuning.balancerLimit)
                } catch {
                    return  // the job was faster
                }
                await self.giveBack(reason: "it was off for \(seconds(self.engine.tuning.balancerLimit))")
            }
            group.addTask {
                while !Task.isCancelled {
                    await self.report()
                    do {
                        try await Task.sleep(for: .seconds(1))
                    } catch {
                        return  // the job was faster
                    }
                }
            }
        }
    }

    /// Runs `body`, looks after the balancer meanwhile, and gives it back on every way out.
    ///
    /// - Parameters:
    ///   - job: `backup` or `restore`, for the reason in the report.
    ///   - body: stops the balancer or begins when it is stopped; what it locked is unlocked when it ends.
    /// - Returns: what `body` returns.
    /// - Throws: what `body` throws; the `JobFailure` of a balancer that could not be shown to run, when `body` succeeded.
    nonisolated func guarding<Value>(_ job: String, _ body: () async throws -> Value) async throws -> Value {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await self.watch() }
            defer { group.cancelAll() }
            let value: Value
            do {
                value = try await body()
            } catch {
                let reason = error is CancellationError || Task.isCancelled ? "cancelled" : "\(job) failed"
                // What ended the job is what is reported; a balancer that stays off is in the log and has its note.
                await giveBack(reason: reason)
                throw error
            }
            if let failure = await giveBack(reason: "\(job) finished") { throw failure }
            return value
        }
    }

    /// Turns the balancer on again if it was on, whoever asks first; the others get the same answer.
    ///
    /// Never stops half-way: a cancelled job waits for it too.
    ///
    /// - Returns: why it could not be shown to run, if so; the note stays then.
    @discardableResult
    func giveBack(reason: String) async -> JobFailure? {
        switch state {
        case .idle: return nil
        case .givingBack(let task): return await task.value
        case .stopped(let since):
            // A task of its own: it must not be cancelled with the job.
            let task = Task { await self.start(reason, since) }
            state = .givingBack(task)
            return await task.value
        }
    }

    private func start(_ reason: String, _ since: ContinuousClock.Instant) async -> JobFailure? {
        let note = BalancerNote(
            jobID: context.jobID,
            configServer: configServer,
            hosts: primary.hosts,
            autoSplitWasOn: autoSplitWasOn ?? true,
            since: 0
        )
        let failure = await BalancerRelease(engine, note).run()
        let stopped = since.duration(to: clock.now)
        if let failure {
            log(.error, failure.message)
        } else {
            _ = engine.activeLocks.withLock { $0.remove(Self.key(configServer)) }
            log(.info, "the balancer of \(configServer) is on again after \(seconds(stopped)): \(reason)")
        }
        context.report(
            BalancerReport(
                configServer: configServer,
                isStopped: failure != nil,
                wasOn: true,
                stoppedMs: Int64(milliseconds(stopped)),
                endReason: reason
            )
        )
        return failure
    }

    private func report() {
        guard case .stopped(let since) = state else { return }
        let stopped = since.duration(to: clock.now)
        context.report(
            BalancerReport(
                configServer: configServer,
                isStopped: true,
                wasOn: true,
                stoppedMs: Int64(milliseconds(stopped)),
                remainingMs: Int64(milliseconds(max(.zero, engine.tuning.balancerLimit - stopped))),
                evidence: evidence
            )
        )
    }

    private func log(_ level: JobLogLevel, _ message: String) { context.log(level, "balancer", message) }
}

/// Turns a balancer on and doesn't rest before the config server says that it is; then forgets the note.
struct BalancerRelease: Sendable {
    private let engine: MongoDBEngine
    private let note: BalancerNote

    init(_ engine: MongoDBEngine, _ note: BalancerNote) {
        self.engine = engine
        self.note = note
    }

    /// Returns why it could not be done; the note stays then.
    func run() async -> JobFailure? {
        let primary = GroupPrimary(engine: engine, hosts: note.hosts)
        do {
            try await primary.run(within: engine.tuning.balancerPatience) { connection throws(MongoError) in
                let balancer = Balancer(connection: connection)
                if try await !balancer.status().isOn { try await balancer.start() }
                if !note.autoSplitWasOn { try await balancer.turnAutoSplitOff() }
                guard try await balancer.status().isOn else {
                    throw MongoError(.connection, "the balancer is still off after it was started")
                }
            }
            try engine.balancerNotes.remove(note.configServer)
            return nil
        } catch let error as MongoError {
            return MongoDBFailure.balancerStuck(note.configServer, error.description)
        } catch {
            return error as? JobFailure ?? MongoDBFailure.balancerStuck(note.configServer, "\(error)")
        }
    }
}
