import Synchronization

/// Lets tasks wait until a number has grown.
final class Bell: Sendable {
    private struct State {
        var value: Int64 = 0
        var isClosed = false
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
        var next = 0
        /// Cancelled before they were there.
        var cancelled: Set<Int> = []
    }

    private let state = Mutex(State())

    /// Sets the number, and wakes everybody if it has grown.
    func ring(_ value: Int64) {
        wake { state in
            guard value > state.value else { return false }
            state.value = value
            return true
        }
    }

    /// Wakes everybody, now and in future.
    func close() {
        wake { state in
            state.isClosed = true
            return true
        }
    }

    private func wake(_ change: (inout State) -> Bool) {
        let woken = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            guard change(&state) else { return [] }
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in woken { waiter.resume() }
    }

    /// Waits until the number is greater, the time has come, or the task is cancelled.
    func wait(past value: Int64, until deadline: ContinuousClock.Instant) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.wait(past: value) }
            // Cancelled when the bell rings first.
            group.addTask { try? await Task.sleep(until: deadline) }
            await group.next()
            group.cancelAll()
        }
    }

    private func wait(past value: Int64) async {
        let id = state.withLock { state in
            state.next += 1
            return state.next
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.value > value || state.isClosed || state.cancelled.remove(id) != nil { return true }
                    state.waiters[id] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                let waiter = state.waiters.removeValue(forKey: id)
                if waiter == nil { state.cancelled.insert(id) }
                return waiter
            }
            waiter?.resume()
        }
        state.withLock { _ = $0.cancelled.remove(id) }
    }
}
