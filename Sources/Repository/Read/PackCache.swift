import ObjectStorage
import Synchronization

/// Whole packs that readers want most of, kept for a while: each is downloaded once, however many files' chunks
/// interleave in it and however many tasks ask at the same time.
final class PackCache: Sendable {
    private struct State {
        var loading: [PackID: Task<[UInt8], any Error>] = [:]
        /// Latest use last.
        var order: [PackID] = []
        var readers = 0
    }

    private let store: any ObjectStore
    private let limit: Int
    private let state = Mutex(State())

    /// Keeps at most `limit` packs.
    ///
    /// Three, of 16 MiB and more: with a fourth a restore of six collections read as many and took 10 to 20 MiB more.
    init(store: any ObjectStore, limit: Int = 3) {
        self.store = store
        self.limit = limit
    }

    /// The pack's bytes, from memory or from the store.
    func pack(_ id: PackID) async throws -> [UInt8] {
        let task = state.withLock { state in
            state.order.removeAll { $0 == id }
            state.order.append(id)
            if let task = state.loading[id] { return task }
            // The task belongs to everybody who waits for this pack, so no single reader's end may cancel it.
            let task = Task { [store] in try await store.read(.pack, id) }
            state.loading[id] = task
            while state.order.count > limit { state.loading[state.order.removeFirst()] = nil }
            return task
        }
        do {
            return try await task.value
        } catch {
            state.withLock { state in
                guard state.loading[id] == task else { return }
                state.loading[id] = nil
                state.order.removeAll { $0 == id }
            }
            throw error
        }
    }

    /// The pack's bytes if they are in memory or on their way.
    func packIfPresent(_ id: PackID) async throws -> [UInt8]? {
        guard state.withLock({ $0.loading[id] != nil }) else { return nil }
        return try await pack(id)
    }

    /// Forgets all packs.
    func clear() {
        state.withLock { state in
            state.loading = [:]
            state.order = []
        }
    }

    /// Somebody begins to read a file.
    func beginReading() {
        state.withLock { $0.readers += 1 }
    }

    /// Somebody has read a file; after the last one nothing is kept.
    func endReading() {
        let isLast = state.withLock { state in
            state.readers -= 1
            return state.readers == 0
        }
        if isLast { clear() }
    }
}
