import Synchronization

/// A value that tasks can wait on: every change is judged by every waiter at the moment it happens, so that a state
/// that lasts only an instant is still seen by those who waited for it.
final class Watched<Value: Sendable>: Sendable {
    private struct Waiter {
        var accepts: @Sendable (Value) -> Bool
        var continuation: CheckedContinuation<Value, any Error>
    }

    private struct State {
        var value: Value
        var nextID: UInt64 = 0
        var waiters: [UInt64: Waiter] = [:]
        /// Waits cancelled before they were entered.
        var cancelled: Set<UInt64> = []
    }

    private let state: Mutex<State>

    init(_ value: Value) {
        state = Mutex(State(value: value))
    }

    /// The value right now.
    var value: Value { state.withLock { $0.value } }

    /// Changes the value and wakes those who waited for what it became.
    @discardableResult
    func update<Result: Sendable>(_ change: (inout Value) -> Result) -> Result {
        let (result, value, woken) = state.withLock { state in
            let result = change(&state.value)
            let ids = state.waiters.filter { $0.value.accepts(state.value) }.map(\.key)
            let woken = ids.compactMap { state.waiters.removeValue(forKey: $0)?.continuation }
            return (result, state.value, woken)
        }
        for continuation in woken { continuation.resume(returning: value) }
        return result
    }

    /// Replaces the value.
    func set(_ value: Value) {
        update { $0 = value }
    }

    /// Lets every waiter judge again, because something else that it looks at has changed.
    func touch() {
        update { _ in }
    }

    /// The value as soon as it is one that `accepts` takes; at once if it is already.
    ///
    /// - Throws: `CancellationError` when the task is cancelled while it waits.
    func first(where accepts: @escaping @Sendable (Value) -> Bool) async throws -> Value {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        // A cancellation that comes between the wake-up and the end of the wait leaves a mark that nobody reads.
        defer { state.withLock { _ = $0.cancelled.remove(id) } }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                enter(id, Waiter(accepts: accepts, continuation: continuation))
            }
        } onCancel: {
            leave(id)
        }
    }

    private enum Entry {
        case waiting
        case cancelled
        case accepted(Value)
    }

    private func enter(_ id: UInt64, _ waiter: Waiter) {
        let entry: Entry = state.withLock { state in
            if state.cancelled.remove(id) != nil { return .cancelled }
            if waiter.accepts(state.value) { return .accepted(state.value) }
            state.waiters[id] = waiter
            return .waiting
        }
        switch entry {
        case .waiting: break
        case .cancelled: waiter.continuation.resume(throwing: CancellationError())
        case .accepted(let value): waiter.continuation.resume(returning: value)
        }
    }

    private func leave(_ id: UInt64) {
        let waiter = state.withLock { state in
            let waiter = state.waiters.removeValue(forKey: id)
            if waiter == nil { state.cancelled.insert(id) }
            return waiter
        }
        waiter?.continuation.resume(throwing: CancellationError())
    }
}
