import BackupModel
import Logging

import struct Repository.RepositoryLock

/// When a configuration's schedule has to be looked at again.
struct ScheduleCache: Sendable {
    var schedule: CronSchedule
    var next: Timestamp?
}

// How sessions come to be: by schedule, by object, by request.
extension Conductor {
    /// Restores of a target that are remembered.
    private static let restoreHistoryLimit = 50
    /// Absent `backupHistoryLimit` means this.
    private static let backupHistoryLimit = 20

    // MARK: Requests

    /// Backs up now.
    func requestBackup(_ request: BackupRequest) throws -> SessionView {
        let key = ResourceKey(namespace: request.namespace, name: request.configuration)
        let plan = try PlanMaker.backup(
            key,
            objects: objects,
            consistency: request.consistency,
            trigger: .manual,
            requestedBy: request.requestedBy ?? "somebody"
        )
        return try view(of: try create(.backup, plan, namespace: key.namespace, prefix: key.name))
    }

    /// Says what a backup would do now; nothing is begun.
    func forecast(_ request: BackupRequest) throws -> BackupPlanView {
        let key = ResourceKey(namespace: request.namespace, name: request.configuration)
        let plan = try PlanMaker.backup(
            key,
            objects: objects,
            consistency: request.consistency,
            trigger: .manual,
            requestedBy: request.requestedBy
        )
        let target = ResourceKey(namespace: key.namespace, name: plan.target)
        let older = sessions(of: target)
        let good = SessionFilter(kind: .backup, target: target, phase: .succeeded, limit: 1)
        return BackupForecast(
            plan: plan,
            key: key,
            surroundings: surroundings(of: target, older: older, clock()),
            last: try store.sessions(good).first
        ).view()
    }

    /// Restores now.
    func requestRestore(_ request: RestoreRequest) throws -> SessionView {
        var spec = RestoreSessionSpec(target: request.target, from: request.from, conflict: request.conflict)
        spec.source = request.source
        spec.repository = request.repository
        spec.include = request.include
        spec.exclude = request.exclude
        spec.renames = request.renames
        spec.usersAndRoles = request.usersAndRoles
        spec.group = request.group
        spec.groups = request.groups
        spec.task = request.task
        let plan = try PlanMaker.restore(
            spec,
            namespace: request.namespace,
            objects: objects,
            requestedBy: request.requestedBy ?? "somebody"
        )
        return try view(
            of: try create(.restore, plan, namespace: request.namespace, prefix: "\(request.target)-restore")
        )
    }

    /// Stops a session.
    func requestCancel(_ key: ResourceKey, by requester: String) throws -> SessionView {
        if let session = active[key] {
            _ = try step(.cancel(by: requester), of: key)
            return try view(of: session.key)
        }
        guard let session = try store.session(key) else { throw RequestError.notFound("there is no session \(key)") }
        throw RequestError(
            status: 409,
            code: "finished",
            message: "session \(key) is over already: \(session.phase.rawValue)"
        )
    }

    private func create(
        _ kind: SessionView.Kind,
        _ plan: SessionPlan,
        namespace: String,
        prefix: String
    ) throws -> ResourceKey {
        let now = clock()
        // Seconds in the name keep it readable; a second request within one second counts on.
        for attempt in 0..<100 {
            let name = "\(prefix)-\(now.unixMs / 1000)\(attempt == 0 ? "" : "-\(attempt)")"
            let key = ResourceKey(namespace: namespace, name: name)
            if try insert(SessionState(key: key, uid: newUID(), kind: kind, plan: plan, created: now)) { return key }
        }
        throw RequestError(
            status: 429,
            code: "tooMany",
            message: "too many sessions of \(prefix) were asked for in this second",
            isRetryable: true,
            retryAfterMs: 1000
        )
    }

    private func newUID() -> String { Digest.hex(Digest.random(16)) }

    private func insert(_ session: SessionState) throws -> Bool {
        let by = session.plan.requestedBy.map { "by \($0)" } ?? "by schedule"
        let event = SessionEventView(time: session.created, type: "Created", message: "asked for \(by)")
        guard try store.insert(session, events: [event]) else { return false }
        if session.isOver {
            recent[session.key] = session
        } else {
            active[session.key] = session
            whereabouts.note(session, before: nil)
            logger.info("session \(session.key): created \(by)")
            observe(session.key, session.created)
        }
        return true
    }

    // MARK: Schedules

    /// Starts what is due.
    func watchSchedules(_ now: Timestamp) {
        for (key, configuration) in objects.configurations.sorted(by: { $0.key < $1.key }) {
            guard let text = configuration.spec.schedule else { continue }
            do {
                if scheduleCache[key] == nil {
                    let schedule = try CronSchedule(text, timeZone: configuration.spec.timeZone)
                    scheduleCache[key] = ScheduleCache(schedule: schedule, next: now)
                }
                guard let cache = scheduleCache[key], let next = cache.next, next <= now else { continue }
                try decide(key, configuration, cache.schedule, now)
            } catch {
                logger.error("schedule of \(key): \(error)")
            }
        }
        for object in objects.backupSessions.values { createDeclared(object) }
        for object in objects.restoreSessions.values { createDeclared(object) }
    }

    private func decide(
        _ key: ResourceKey,
        _ configuration: BackupConfiguration,
        _ schedule: CronSchedule,
        _ now: Timestamp
    ) throws {
        var entry = Scheduler.Entry(configuration: configuration, lastHandled: try store.lastHandled(key))
        let predecessor = objects.predecessor(of: configuration)
        if predecessor != nil { entry.configuration.spec.startingDeadlineSeconds = Self.sequenceDeadlineSeconds }
        switch Scheduler.decide(entry, schedule: schedule, now: now) {
        case .wait(let until):
            scheduleCache[key]?.next = until
            return
        case .adopt:
            try store.setLastHandled(key, now)
        case .missed(let scheduled, let count):
            try leaveOut(key, scheduled, count)
        case .fire(let scheduled, let skipped):
            switch try turn(after: predecessor, configuration, scheduled, now) {
            case .notYet: return
            case .never: try leaveOut(key, scheduled, skipped + 1)
            case .now:
                if skipped > 0 { logger.warning("schedule of \(key): \(skipped) earlier runs were missed") }
                if configuration.spec.paused == true {
                    logger.info("schedule of \(key): paused, nothing was started")
                } else {
                    try fire(key, scheduled)
                }
                // After the session exists: a crash in between finds its name taken and goes on.
                try store.setLastHandled(key, scheduled)
            }
        }
        scheduleCache[key]?.next = Scheduler.nextRun(
            of: configuration,
            schedule: schedule,
            after: try store.lastHandled(key),
            now: now
        )
    }

    private func leaveOut(_ key: ResourceKey, _ scheduled: Timestamp, _ count: Int) throws {
        let text = count == 1 ? "the run" : "\(count) runs up to the one"
        logger.warning("schedule of \(key): \(text) of \(scheduled) came too late and was left out")
        try store.setLastHandled(key, scheduled)
    }

    /// How long a member of a batch may wait for those before it: they have deadlines of their own.
    private static let sequenceDeadlineSeconds = 7 * 86_400

    private enum Turn { case now, notYet, never }

    /// Whether a member of a batch may begin: when the one before it is done with the same run.
    private func turn(
        after predecessor: BackupConfiguration?,
        _ configuration: BackupConfiguration,
        _ scheduled: Timestamp,
        _ now: Timestamp
    ) throws -> Turn {
        guard let predecessor else { return .now }
        let name = Scheduler.sessionName(configuration: predecessor.key.name, scheduled: scheduled)
        let key = ResourceKey(namespace: predecessor.key.namespace, name: name)
        if let session = try active[key] ?? recent[key] ?? store.session(key) { return session.isOver ? .now : .notYet }
        guard let handled = try store.lastHandled(predecessor.key), handled >= scheduled else { return .notYet }
        // It didn't run: then this one is as late as it is.
        let deadline =
            configuration.spec.startingDeadlineSeconds.map(Int64.init) ?? Scheduler.defaultStartingDeadlineSeconds
        let lateMs = Scheduler.jitterMilliseconds(of: configuration)
        return now <= scheduled.adding(seconds: max(deadline, 60)).adding(milliseconds: lateMs) ? .now : .never
    }

    private func fire(_ key: ResourceKey, _ scheduled: Timestamp) throws {
        let plan = try PlanMaker.backup(
            key,
            objects: objects,
            consistency: nil,
            trigger: .schedule,
            requestedBy: nil
        )
        let name = Scheduler.sessionName(configuration: key.name, scheduled: scheduled)
        let session = ResourceKey(namespace: key.namespace, name: name)
        let target = ResourceKey(namespace: key.namespace, name: plan.target)
        let now = clock()
        if let other = sessions(of: target).min(by: { $0.created < $1.created }) {
            let message = "session \(other.key) was still under way on the same target"
            let skipped = SessionState.skipped(
                key: session,
                uid: newUID(),
                plan: plan,
                reason: "StillRunning",
                message: message,
                now: now
            )
            if try insert(skipped) { logger.warning("session \(session): Skipped: \(message)") }
            return
        }
        _ = try insert(SessionState(key: session, uid: newUID(), kind: .backup, plan: plan, created: now))
    }

    // MARK: Objects that are sessions

    private func createDeclared(_ object: BackupSession) {
        declare(object.key, BackupSessionSpec.kind, cancel: object.spec.cancel == true) {
            try PlanMaker.backup(
                ResourceKey(namespace: object.key.namespace, name: object.spec.invoker.name),
                objects: objects,
                consistency: object.spec.consistency,
                trigger: object.spec.trigger ?? .manual,
                requestedBy: object.spec.trigger == .schedule
                    ? nil : object.spec.requestedBy ?? "object \(object.key)"
            )
        }
    }

    private func createDeclared(_ object: RestoreSession) {
        declare(object.key, RestoreSessionSpec.kind, cancel: object.spec.cancel == true) {
            try PlanMaker.restore(
                object.spec,
                namespace: object.key.namespace,
                objects: objects,
                requestedBy: object.spec.requestedBy ?? "object \(object.key)"
            )
        }
    }

    /// An object is one session, once: what was dealt with is remembered for longer than the session's history, so
    /// that a restore never runs again because it was forgotten.
    private func declare(_ key: ResourceKey, _ kind: String, cancel: Bool, plan: () throws -> SessionPlan) {
        let mark = ResourceKey(namespace: key.namespace, name: "\(kind)/\(key.name)")
        do {
            if cancel, active[key] != nil { _ = try step(.cancel(by: "object \(key)"), of: key) }
            guard scheduleCache[mark] == nil, try store.lastHandled(mark) == nil else { return }
            let now = clock()
            if !cancel {
                let plan = try plan()
                let state = SessionState(
                    key: key,
                    uid: newUID(),
                    kind: plan.restore == nil ? .backup : .restore,
                    plan: plan,
                    created: now
                )
                if try !insert(state) { logger.warning("\(kind) \(key): a session of this name exists already") }
            }
            try store.setLastHandled(mark, now)
            declaredProblems[mark] = nil
        } catch {
            // Said once: it is tried again every second.
            if declaredProblems.updateValue("\(error)", forKey: mark) != "\(error)" {
                logger.error("\(kind) \(key): \(error)")
            }
        }
    }

    // MARK: History

    /// Forgets the oldest sessions beyond the limit, good and bad ones apart; backups stay where they are.
    func forgetHistory(of session: SessionState) {
        do {
            var filter = SessionFilter(kind: session.kind, target: session.target, isActive: false, limit: 10_000)
            filter.namespace = session.key.namespace
            let others = try store.sessions(filter).filter { $0.plan.configuration == session.plan.configuration }
            let configuration = session.plan.configuration.flatMap {
                objects.configurations[ResourceKey(namespace: session.key.namespace, name: $0)]
            }
            let limit =
                session.kind == .restore
                ? Self.restoreHistoryLimit : configuration?.spec.backupHistoryLimit ?? Self.backupHistoryLimit
            let good = others.filter { $0.phase == .succeeded }
            let bad = others.filter { $0.phase != .succeeded }
            let (now, staleMs) = (clock(), RepositoryLock.staleAfter.components.seconds * 1000)
            for old in good.dropFirst(limit) + bad.dropFirst(limit) where !old.mayHoldLocks(now, staleMs: staleMs) {
                try store.remove(old.key)
                recent[old.key] = nil
                forgotten.append(old)
            }
        } catch {
            logger.warning("history of \(session.target): \(error)")
        }
    }
}
