import BackupModel
import Logging

/// A call that shares a commit with others.
struct WaitingCall: Sendable {
    /// Does it in memory and in the open transaction; what comes back answers the caller, once that is durable.
    var perform: @Sendable (isolated Conductor) throws -> @Sendable () -> Void
    /// Answers the caller that it could not be stored.
    var fail: @Sendable (any Error) -> Void
}

/// What nobody may learn before it is durable.
struct Announcements: Sendable {
    var work: [Conductor.Work] = []
    var bells: [String] = []
}

// Commits that many share. Each takes as long as the disk needs to be sure, and when a thousand agents come at once, one
// after the other would be seconds.
extension Conductor {
    /// What a commit that failed takes back.
    private struct Memory {
        var active: [ResourceKey: SessionState]
        var whereabouts: Whereabouts
        var recent: [ResourceKey: SessionState]
        var sessionOfJob: [String: ResourceKey]
        var fleet: [String: AgentState]
        var fleetOfTarget: [ResourceKey: Set<String>]
        var locks: LockBook
        var scheduleCache: [ResourceKey: ScheduleCache]
        var logWaits: [String: Timestamp]
        var forgotten: [SessionState]
        var lastDumped: [ResourceKey: [String: String]]
        var volatileSavedAt: [ResourceKey: Timestamp]
    }

    private var memory: Memory {
        get {
            Memory(
                active: active,
                whereabouts: whereabouts,
                recent: recent,
                sessionOfJob: sessionOfJob,
                fleet: fleet,
                fleetOfTarget: fleetOfTarget,
                locks: locks,
                scheduleCache: scheduleCache,
                logWaits: logWaits,
                forgotten: forgotten,
                lastDumped: lastDumped,
                volatileSavedAt: volatileSavedAt
            )
        }
        set {
            active = newValue.active
            whereabouts = newValue.whereabouts
            recent = newValue.recent
            sessionOfJob = newValue.sessionOfJob
            fleet = newValue.fleet
            fleetOfTarget = newValue.fleetOfTarget
            locks = newValue.locks
            scheduleCache = newValue.scheduleCache
            logWaits = newValue.logWaits
            forgotten = newValue.forgotten
            lastDumped = newValue.lastDumped
            volatileSavedAt = newValue.volatileSavedAt
        }
    }

    /// Runs `body` in one commit with whoever comes until its turn; returns when that is durable.
    ///
    /// `body` may be run twice: when the commit that it shares fails, memory is as before, and each is run by itself.
    func together<Value: Sendable>(
        _ body: @escaping @Sendable (isolated Conductor) throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let call = WaitingCall(
                perform: { conductor in
                    do {
                        let value = try body(conductor)
                        return { continuation.resume(returning: value) }
                    } catch let error as StoreError {
                        throw error
                    } catch {
                        return { continuation.resume(throwing: error) }
                    }
                },
                fail: { continuation.resume(throwing: $0) }
            )
            waiting.append(call)
            guard waiting.count == 1 else { return }
            executor.behindOthers { self.assumeIsolated { $0.commitWaiting() } }
        }
    }

    private func commitWaiting() {
        let calls = waiting
        waiting = []
        if calls.count == 1 { performOneByOne(calls) } else { commit(calls) }
    }

    /// Runs calls in one transaction, then answers them all; one by one if that can't be stored.
    func commit(_ calls: [WaitingCall]) {
        let before = memory
        announcements = Announcements()
        var answers: [@Sendable () -> Void] = []
        do {
            try store.together { for call in calls { answers.append(try call.perform(self)) } }
        } catch {
            announcements = nil
            memory = before
            logger.warning("\(calls.count) calls could not be stored in one commit, each is by itself now: \(error)")
            performOneByOne(calls)
            return
        }
        let made = announcements ?? Announcements()
        announcements = nil
        for item in made.work { work.yield(item) }
        for key in made.bells { bell.ring(key) }
        for answer in answers { answer() }
    }

    private func performOneByOne(_ calls: [WaitingCall]) {
        for call in calls {
            do {
                try call.perform(self)()
            } catch {
                call.fail(error)
            }
        }
    }

    /// Has an effect begun, as soon as the state that wants it is durable.
    func begin(_ item: Work) {
        if announcements == nil { work.yield(item) } else { announcements?.work.append(item) }
    }

    /// Wakes who waits for news about a key, as soon as they are durable.
    func ring(_ key: String) {
        if announcements == nil { bell.ring(key) } else { announcements?.bells.append(key) }
    }
}
