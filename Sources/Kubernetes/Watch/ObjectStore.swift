import Synchronization

/// An informer's copy; one task writes, any task reads.
final class ObjectStore: Sendable {
    private struct State {
        var objects: [ObjectKey: KubernetesObject] = [:]
        var isSynced = false
        var nextWaiter = 0
        var waiters: [Int: CheckedContinuation<Bool, Never>] = [:]
    }

    private let state = Mutex(State())

    var isSynced: Bool { state.withLock(\.isSynced) }
    var count: Int { state.withLock(\.objects.count) }

    var all: [KubernetesObject] {
        let objects = state.withLock(\.objects)
        return objects.sorted { $0.key < $1.key }.map(\.value)
    }

    subscript(key: ObjectKey) -> KubernetesObject? { state.withLock { $0.objects[key] } }

    /// Takes an object in; nil when it is the same as before.
    func put(_ object: KubernetesObject) -> ObjectChange? {
        let old = state.withLock { $0.objects.updateValue(object, forKey: object.key) }
        return Self.change(from: old, to: object)
    }

    /// Lets an object go; nil when there was none.
    func remove(_ object: KubernetesObject) -> ObjectChange? {
        state.withLock { $0.objects.removeValue(forKey: object.key) }.map { _ in .deleted(object) }
    }

    /// Takes a whole list in, and says what is different now.
    func replace(by list: [KubernetesObject]) -> [ObjectChange] {
        let new = Dictionary(list.map { ($0.key, $0) }) { $1 }
        let old = state.withLock { state in
            defer { state.objects = new }
            return state.objects
        }
        let gone = old.filter { new[$0.key] == nil }.sorted { $0.key < $1.key }.map { ObjectChange.deleted($0.value) }
        return gone + new.sorted { $0.key < $1.key }.compactMap { Self.change(from: old[$0.key], to: $0.value) }
    }

    private static func change(from old: KubernetesObject?, to new: KubernetesObject) -> ObjectChange? {
        guard let old else { return .added(new) }
        // Equal versions are the same state; nothing else can be said of two of them.
        if !new.resourceVersion.isEmpty, old.resourceVersion == new.resourceVersion, old.uid == new.uid { return nil }
        return .modified(old: old, new: new)
    }

    func markSynced() {
        let waiters = state.withLock { state in
            state.isSynced = true
            defer { state.waiters = [:] }
            return state.waiters
        }
        for waiter in waiters.values { waiter.resume(returning: true) }
    }

    /// Waits until the copy was complete once; false when the task was cancelled.
    func waitUntilSynced() async -> Bool {
        let id = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    if state.isSynced { return true }
                    // Looked at under the lock that the handler takes, too: one of the two sees the other.
                    if Task.isCancelled { return false }
                    state.waiters[id] = continuation
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let waiter = state.withLock { $0.waiters.removeValue(forKey: id) }
            waiter?.resume(returning: false)
        }
    }
}
