import Synchronization

/// Who may use a core for storing: as many tasks as there are cores, and so many bytes at once.
///
/// A reader counts as one from beginning to end. It stores its chunks itself while all cores have work, which keeps a
/// chunk in the cache of the core that filled it and needs no memory for chunks that wait. When a core has nothing to
/// do (fewer readers than cores, a large collection left over at the end), a task of its own stores the chunk.
/// Nobody ever waits here.
final class StoreSlots: Sendable {
    private struct State {
        /// Below zero with more readers than slots.
        var slots: Int
        var bytes: Int
    }

    private let state: Mutex<State>

    /// - Parameters:
    ///   - slots: Tasks that store at once.
    ///   - bytes: Bytes of chunks that tasks other than readers hold at once.
    init(_ slots: Int, bytes: Int) { state = Mutex(State(slots: slots, bytes: bytes)) }

    /// A reader begins.
    func enter() { state.withLock { $0.slots -= 1 } }

    /// A reader has ended.
    func leave() { state.withLock { $0.slots += 1 } }

    /// Takes a slot for a task with a chunk of so many bytes; false when the reader has to store it itself.
    func take(_ bytes: Int) -> Bool {
        state.withLock { state in
            guard state.slots > 0, state.bytes >= bytes else { return false }
            state.slots -= 1
            state.bytes -= bytes
            return true
        }
    }

    /// Gives back what `take` took.
    func give(_ bytes: Int) {
        state.withLock { state in
            state.slots += 1
            state.bytes += bytes
        }
    }
}
