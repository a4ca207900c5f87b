import BackupModel
import Logging

// What goes on as long as a coordinator decides.
extension CoordinatorCore {
    /// How often time is looked at, in milliseconds.
    private static let tickMs: Int64 = 1000
    /// How often restic lock files are renewed (`restic`: stale after 30 minutes).
    private static let lockRefresh = Duration.seconds(300)

    func ticks() async {
        // With the seconds of the clock: a schedule's minute begins with one.
        while await pause(.milliseconds(Self.tickMs - conductor.clock().unixMs % Self.tickMs)) {
            await conductor.tick()
        }
    }

    /// Renews the lock files of sessions under way, beginning with those that an earlier process left.
    func refreshLocks() async {
        repeat {
            let held = Set(keeper.sessionsWithLocks)
            for session in await conductor.sessionsWithLocks {
                await refreshLocks(of: session, areHeld: held.contains(session.key))
            }
        } while await pause(Self.lockRefresh)
    }

    private func refreshLocks(of session: SessionState, areHeld: Bool) async {
        do {
            if areHeld {
                for problem in await keeper.refreshLocks(of: session.key) {
                    logger.warning("session \(session.key): \(problem)")
                }
            } else {
                try await keeper.adoptLocks(of: session)
            }
            // One that has tidied up meanwhile would leave for good what was written after that.
            let isUnderWay = await conductor.sessionsWithLocks.contains { $0.key == session.key }
            if !isUnderWay { try await keeper.removeLocks(of: session) }
        } catch {
            logger.warning("session \(session.key): its lock files could not be renewed: \(error)")
        }
    }
}

/// Waits; false when the task was cancelled meanwhile.
func pause(_ duration: Duration) async -> Bool {
    // Cancelled means that the coordinator stops, which the answer says.
    try? await Task.sleep(for: duration)
    return !Task.isCancelled
}
