import Synchronization

/// Bounds how many bytes are on their way at once; who wants more waits, in order of arrival.
final class ByteBudget: Sendable {
    private struct State {
        var free: Int
        var waiters: [(id: Int, bytes: Int, continuation: CheckedContinuation<Void, any Error>)] = []
        var next = 0
    }

    private let capacity: Int
    private let state: Mutex<State>

    init(_ capacity: Int) {
        self.capacity = capacity
        state = Mutex(State(free: capacity))
    }

    /// Takes `bytes` from the budget, and the whole of it for more than there is.
    ///
    /// - Throws: `CancellationError` while it waits.
    func take(_ bytes: Int) async throws {
        let bytes = min(bytes, capacity)
        let id = state.withLock { state -> Int? in
            if state.waiters.isEmpty, state.free >= bytes {
                state.free -= bytes
                return nil
            }
            state.next += 1
            return state.next
        }
        guard let id else { return }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isTaken = state.withLock { state in
                    // Room may have been made since the look above, with nobody there to be woken.
                    if state.waiters.isEmpty, state.free >= bytes {
                        state.free -= bytes
                        return true
                    }
                    state.waiters.append((id, bytes, continuation))
                    return false
                }
                if isTaken {
                    continuation.resume()
                } else if Task.isCancelled {
                    cancel(id)
                }
            }
        } onCancel: {
            cancel(id)
        }
    }

    /// Gives `bytes` back.
    func give(_ bytes: Int) {
        let bytes = min(bytes, capacity)
        let ready = state.withLock { state in
            state.free += bytes
            var ready: [CheckedContinuation<Void, any Error>] = []
            while let first = state.waiters.first, first.bytes <= state.free {
                state.free -= first.bytes
                ready.append(first.continuation)
                state.waiters.removeFirst()
            }
            return ready
        }
        for continuation in ready { continuation.resume() }
    }

    private func cancel(_ id: Int) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, any Error>? in
            guard let index = state.waiters.firstIndex(where: { $0.id == id }) else { return nil }
            return state.waiters.remove(at: index).continuation
        }
        waiter?.resume(throwing: CancellationError())
    }
}
