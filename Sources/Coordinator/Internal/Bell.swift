import Synchronization

/// Wakes those who wait for news about a key: long polls and followers of logs.
///
/// Take the ``version(_:)`` first, look at the thing itself, then wait for a newer version: no ring is missed.
final class Bell: Sendable {
    private struct State {
        var nextID = 0
        var versions: [String: Int] = [:]
        var waiting: [String: [Int: CheckedContinuation<Bool, Never>]] = [:]
    }

    private let state = Mutex(State())

    /// How often the key was rung.
    func version(_ key: String) -> Int { state.withLock { $0.versions[key] ?? 0 } }

    /// Wakes everybody who waits for a key.
    func ring(_ key: String) {
        let woken = state.withLock { state in
            state.versions[key, default: 0] += 1
            return state.waiting.removeValue(forKey: key) ?? [:]
        }
        for continuation in woken.values { continuation.resume(returning: true) }
    }

    /// Wakes everybody.
    func ringAll() {
        let keys = state.withLock { Array($0.waiting.keys) }
        for key in keys { ring(key) }
    }

    /// How many wait for a key.
    func waiters(_ key: String) -> Int { state.withLock { $0.waiting[key]?.count ?? 0 } }

    /// Waits until the key's version isn't `version` any more, at most so long; false when it still is.
    func wait(_ key: String, past version: Int, atMost duration: Duration) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask { await self.wait(key, past: version) }
            group.addTask {
                // Cancelled means that the ring came first.
                try? await Task.sleep(for: duration)
                return false
            }
            let first = await group.next() ?? false
            group.cancelAll()
            return first
        }
    }

    private func wait(_ key: String, past version: Int) async -> Bool {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    if (state.versions[key] ?? 0) != version { return true }
                    // Looked at under the lock that the handler takes, too: one of the two sees the other.
                    if Task.isCancelled { return false }
                    state.waiting[key, default: [:]][id] = continuation
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let continuation = state.withLock { state in
                let continuation = state.waiting[key]?.removeValue(forKey: id)
                if state.waiting[key]?.isEmpty == true { state.waiting[key] = nil }
                return continuation
            }
            continuation?.resume(returning: false)
        }
    }
}
