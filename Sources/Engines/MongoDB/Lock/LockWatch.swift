import BSON
import BackupModel

/// Looks after a locked member: whatever threatens it, its set or the promise of the lock ends the lock at once.
///
/// Three tasks that know nothing of each other, so that a question that hangs can't delay the deadline.
struct LockWatch: Sendable {
    let lock: MemberLock
    let engine: MongoDBEngine
    let context: any JobContext
    let config: BSONDocument
    let grant: MemberLock.Grant
    let budget: Duration
    /// Share of the primary's history before the lock that it may lose meanwhile.
    let oplogShare: Double

    /// Returns when the lock is over; ends it when the task is cancelled.
    ///
    /// A dump that is cancelled ends when the server has answered what was asked last, which may take minutes. The lock
    /// doesn't wait for that.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await deadline() }
            group.addTask { await lease() }
            group.addTask { await look() }
            // Each returns once it has ended the lock; the others have nothing left to do then.
            await group.next()
            // After a dump that ended the lock is over already, and this does nothing.
            if Task.isCancelled { await lock.release(reason: "cancelled") }
            group.cancelAll()
        }
    }

    private func deadline() async {
        do {
            try await Task.sleep(for: budget)
        } catch {
            return  // the dump was faster
        }
        await lock.release(reason: "budget of \(seconds(budget)) used up")
    }

    private func lease() async {
        do {
            try await context.leaseLapse()
        } catch {
            return  // the dump was faster
        }
        await lock.release(reason: "lease lapsed")
    }

    private func look() async {
        let clock = ContinuousClock()
        var withoutPrimarySince: ContinuousClock.Instant?
        var silentSince: ContinuousClock.Instant?
        var primaryOplog = PrimaryOplog(engine: engine)
        var connection: MongoConnection?
        while !Task.isCancelled, await lock.isHeld {
            await lock.report(isHeld: true)
            do {
                let open = try connection ?? engine.connect(timeout: 3_000)
                connection = open
                let status = try await open.command("admin", ["replSetGetStatus": 1])
                silentSince = nil
                if let set = ReplicaSetView(status: status, config: config) {
                    if set.primary == nil {
                        let since = withoutPrimarySince ?? clock.now
                        withoutPrimarySince = since
                        if since.duration(to: clock.now) >= engine.tuning.noPrimaryGrace {
                            await lock.release(
                                reason: "the set had no primary for \(seconds(engine.tuning.noPrimaryGrace))"
                            )
                            return
                        }
                    } else {
                        withoutPrimarySince = nil
                        if let reason = set.notLockableReason {
                            await lock.release(reason: "the set needs this member: \(reason)")
                            return
                        }
                    }
                    if let reason = await window(set, &primaryOplog) {
                        await lock.release(reason: reason)
                        return
                    }
                }
            } catch {
                connection = nil
                let since = silentSince ?? clock.now
                silentSince = since
                if since.duration(to: clock.now) >= engine.tuning.silenceGrace {
                    await lock.release(reason: "the locked member does not answer: \(error)")
                    return
                }
            }
            do {
                try await Task.sleep(for: engine.tuning.watchInterval)
            } catch {
                return  // the dump was faster
            }
        }
    }

    /// Why the oplog doesn't allow the lock to last; nil when it does.
    ///
    /// Time is the budget's business; this is what the primary really throws away.
    private func window(_ set: ReplicaSetView, _ source: inout PrimaryOplog) async -> String? {
        guard let primary = set.primary?.host, let oldest = await source.oldest(of: primary) else { return nil }
        let first = source.first ?? oldest
        source.first = first
        let point = grant.point.time
        guard oldest > first, point > first else { return nil }
        let lost = Double(oldest.t - min(oldest.t, first.t)) / Double(max(1, point.t - first.t))
        guard oldest >= point || lost > oplogShare else { return nil }
        return "the primary's oplog now begins at \(oldest), and this member must go on from \(point)"
    }
}

/// The oldest entry in the primary's oplog, asked over the network every few seconds where that is possible.
private struct PrimaryOplog {
    let engine: MongoDBEngine
    private var connection: (host: String, connection: MongoConnection)?
    private var lastAsked: ContinuousClock.Instant?
    /// What the oplog began with when it was asked first.
    var first: ClusterTime?

    init(engine: MongoDBEngine) { self.engine = engine }

    mutating func oldest(of host: String) async -> ClusterTime? {
        if let lastAsked, lastAsked.duration(to: .now) < .seconds(5) { return nil }
        lastAsked = .now
        do {
            let open: MongoConnection
            if let connection, connection.host == host {
                open = connection.connection
            } else {
                open = try engine.connect(to: host, timeout: 2_000)
            }
            connection = (host, open)
            let entries = try await open.all(
                "local",
                [
                    "find": "oplog.rs", "sort": ["$natural": 1], "limit": 1, "singleBatch": true,
                    "projection": ["ts": 1], "maxTimeMS": 1_000,
                ]
            )
            return entries.first?["ts"]?.timestamp.map { ClusterTime(bits: $0) }
        } catch {
            // Optional knowledge: an agent may have no way to the primary, and the share of the window still holds.
            connection = nil
            return nil
        }
    }
}
