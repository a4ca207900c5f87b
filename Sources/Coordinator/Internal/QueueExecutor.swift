import Dispatch

/// Runs an actor on a queue of its own, so that its short blocking calls (a synced commit) never hold up the pool.
final class QueueExecutor: SerialExecutor {
    private let queue: DispatchQueue

    init(label: String) { queue = DispatchQueue(label: label) }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    /// Runs `body` when everything has been run that waits now.
    func behindOthers(_ body: @escaping @Sendable () -> Void) { queue.async(execute: body) }

    func checkIsolated() { dispatchPrecondition(condition: .onQueue(queue)) }
}
