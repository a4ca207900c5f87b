import BackupModel
import Logging

// What becomes of a session whose object, configuration or repository somebody deletes.
extension Conductor {
    /// Does something on the conductor's own thread, in one go.
    func perform<Value: Sendable>(_ body: @Sendable (isolated Conductor) throws -> Value) rethrows -> Value {
        try body(self)
    }

    /// Has a session stopped because something that it belongs to is deleted; true when there is nothing to wait for.
    func stopForDeletion(_ key: ResourceKey, of what: String) -> Bool {
        guard active[key] != nil else { return true }
        apply(.cancel(by: "the deletion of \(what)"), to: key)
        return active[key] == nil
    }

    /// Has the sessions stopped that a filter wants; true when there are none.
    func stopForDeletion(of what: String, where isMeant: (SessionState) -> Bool) -> Bool {
        for key in active.filter({ isMeant($0.value) }).keys.sorted() { _ = stopForDeletion(key, of: what) }
        return !active.values.contains(where: isMeant)
    }

    /// Gives up a session that can't be waited for any longer: its jobs are told to end, and nobody tidies up.
    ///
    /// Its locks stay in the ledger until they are known to be gone.
    func abandon(_ key: ResourceKey, because reason: String) {
        guard let before = active[key] else { return }
        let now = clock()
        var after = before
        after.stage = .ended
        after.ended = now
        after.waitingFor = nil
        after.outcome = .init(phase: .cancelled, reason: "Abandoned", message: reason)
        for group in after.groups.indices {
            guard let last = after.groups[group].attempts.indices.last, !after.groups[group].attempts[last].isOver
            else {
                continue
            }
            after.groups[group].attempts[last].phase = .lost
            after.groups[group].attempts[last].desire = .abort
            after.groups[group].attempts[last].endedAt = now
        }
        logger.warning("session \(key): given up: \(reason)")
        whereabouts.note(after, before: before)
        active[key] = nil
        recent[key] = after
        volatileSavedAt[key] = nil
        for agent in Set(before.groups.flatMap { $0.attempts.map(\.agentID) }) { ring(agent) }
        ring(Self.sessionBell(key))
    }

    /// Forgets a session whose object is gone; its local logs go next.
    func forget(_ key: ResourceKey) {
        guard let session = recent.removeValue(forKey: key) else { return }
        forgotten.append(session)
    }

    /// Forgets when a schedule fired last, since its configuration is gone.
    func forgetSchedule(_ key: ResourceKey) { scheduleCache[key] = nil }
}
