import Synchronization

/// How soon a key that failed comes again.
public struct WorkQueueTiming: Sendable {
    /// The pause after the first failure; each further one doubles it.
    public var firstDelay: Duration
    /// The longest pause.
    public var longestDelay: Duration
    /// Most retries a second of all keys together, lasting.
    public var retriesPerSecond: Double
    /// Most retries at once.
    public var burst: Int

    /// Makes one; the defaults keep a broken object from eating the controller's time.
    public init(
        firstDelay: Duration = .milliseconds(250),
        longestDelay: Duration = .seconds(300),
        retriesPerSecond: Double = 10,
        burst: Int = 100
    ) {
        self.firstDelay = firstDelay
        self.longestDelay = longestDelay
        self.retriesPerSecond = retriesPerSecond
        self.burst = burst
    }
}

/// The keys that a controller has to look at; each is looked at by one worker at a time.
///
/// ``process(workers:_:)`` does all that a controller needs. Those with workers of their own call ``next()``, ``done(_:)``
/// and, beside them, ``runTimer()``.
public final class WorkQueue<Key: Hashable & Sendable>: Sendable {
    /// What became of a key.
    public enum Outcome: Sendable, Hashable {
        /// Nothing more to do until it is added again.
        case done
        /// It failed: it comes again after a pause that grows from failure to failure.
        case retry
        /// It is well, and is to be looked at again after this time, such as at a deadline.
        case again(after: Duration)
    }

    private struct State {
        var keys = WorkQueueState<Key>()
        var retries: TokenBucket
        var isShutDown = false
        var nextWaiter = 0
        var workers: [(id: Int, continuation: CheckedContinuation<Key?, Never>)] = []
        var timers: [Int: CheckedContinuation<Void, Never>] = [:]
        /// Counts what may have changed the next timer.
        var timerVersion = 0
    }

    private let state: Mutex<State>
    private let timing: WorkQueueTiming
    private let time: TimeSource

    /// Makes an empty queue.
    public init(timing: WorkQueueTiming = WorkQueueTiming(), time: TimeSource = .system) {
        self.timing = timing
        self.time = time
        let retries = TokenBucket(perSecond: timing.retriesPerSecond, burst: timing.burst, now: time.elapsed())
        state = Mutex(State(retries: retries))
    }

    /// Keys that wait and are due; those at work and those that wait for a time don't count.
    public var count: Int { state.withLock { $0.keys.count } }
    /// Keys that wait for a time.
    public var delayedCount: Int { state.withLock { $0.keys.delayedCount } }
    /// Keys at work.
    public var workingCount: Int { state.withLock { $0.keys.workingCount } }

    /// Adds a key, unless it waits already; one at work comes again afterwards.
    public func add(_ key: Key) {
        change { $0.keys.add(key) }
    }

    /// Adds a key after some time; of several times for one key the earliest counts.
    public func add(_ key: Key, after delay: Duration) {
        guard delay > .zero else { return add(key) }
        let due = time.elapsed() + delay
        change { $0.keys.add(key, at: due) }
    }

    /// Adds a key that failed, after a pause that grows from failure to failure.
    public func addFailed(_ key: Key) {
        let now = time.elapsed()
        change { state in
            let failures = state.keys.fail(key)
            let own = Backoff.ceiling(failures: failures, first: timing.firstDelay, longest: timing.longestDelay)
            state.keys.add(key, at: now + max(own, state.retries.take(now: now)))
        }
    }

    /// Makes earlier failures of a key count no more.
    public func forget(_ key: Key) { state.withLock { $0.keys.forget(key) } }

    /// How often a key failed in a row.
    public func failures(of key: Key) -> Int { state.withLock { $0.keys.failures(of: key) } }

    /// Waits for a key to work on, which must be given back by ``done(_:)``; nil once the queue is shut down or the task
    /// is cancelled.
    public func next() async -> Key? {
        let id = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Key?? = state.withLock { state in
                    // Looked at under the lock that the handler takes, too: one of the two sees the other.
                    if state.isShutDown || Task.isCancelled { return .some(nil) }
                    if let key = state.keys.take() { return key }
                    state.workers.append((id, continuation))
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.workers.firstIndex { $0.id == id }.map { state.workers.remove(at: $0) }
            }
            waiter?.continuation.resume(returning: nil)
        }
    }

    /// Work on a key is done.
    public func done(_ key: Key) {
        change { $0.keys.done(key) }
    }

    /// Lets no worker have another key.
    public func shutDown() {
        let (workers, timers) = state.withLock { state in
            state.isShutDown = true
            defer {
                state.workers = []
                state.timers = [:]
            }
            return (state.workers, state.timers)
        }
        for worker in workers { worker.continuation.resume(returning: nil) }
        for timer in timers.values { timer.resume() }
    }

    /// Works on keys until the task is cancelled or the queue shut down, and lets work in hand come to its end.
    ///
    /// - Parameters:
    ///   - workers: how many keys at once.
    ///   - body: looks at one key; called by several tasks, but never twice at once for one key.
    public func process(workers: Int, _ body: @escaping @Sendable (Key) async -> Outcome) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.runTimer() }
            for _ in 0..<max(1, workers) {
                group.addTask {
                    while let key = await self.next() {
                        switch await body(key) {
                        case .done: self.forget(key)
                        case .retry: self.addFailed(key)
                        case .again(let delay):
                            self.forget(key)
                            self.add(key, after: delay)
                        }
                        self.done(key)
                    }
                }
            }
        }
    }

    /// Adds keys when their time comes, until the task is cancelled or the queue shut down.
    public func runTimer() async {
        while !Task.isCancelled {
            let now = time.elapsed()
            change { $0.keys.fire(now: now) }
            let (version, pause, isShutDown) = state.withLock { state in
                (state.timerVersion, state.keys.nextDue.map { $0 - now }, state.isShutDown)
            }
            if isShutDown { return }
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.timerChange(after: version) }
                if let pause {
                    group.addTask {
                        // Cancelled means that an earlier time was set, or that all is over.
                        try? await self.time.sleep(pause)
                    }
                }
                await group.next()
                group.cancelAll()
            }
        }
    }

    /// Waits until another time is the next one.
    private func timerChange(after version: Int) async {
        let id = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.timerVersion != version || state.isShutDown || Task.isCancelled { return true }
                    state.timers[id] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            let timer = state.withLock { $0.timers.removeValue(forKey: id) }
            timer?.resume()
        }
    }

    /// Changes the keys, then hands keys to workers that wait and wakes the timer if it has to look again.
    private func change(_ body: (inout State) -> Void) {
        let (ready, timers) = state.withLock { state in
            let before = state.keys.nextDue
            body(&state)
            var ready: [(CheckedContinuation<Key?, Never>, Key)] = []
            while !state.workers.isEmpty, let key = state.keys.take() {
                ready.append((state.workers.removeFirst().continuation, key))
            }
            guard state.keys.nextDue != before else { return (ready, [Int: CheckedContinuation<Void, Never>]()) }
            state.timerVersion += 1
            defer { state.timers = [:] }
            return (ready, state.timers)
        }
        for (continuation, key) in ready { continuation.resume(returning: key) }
        for timer in timers.values { timer.resume() }
    }
}
