import Dispatch

/// Runs an actor that blocks in system calls (fsync) on a queue of its own, so that it never holds up a thread of the
/// cooperative pool, on which heartbeats depend.
final class QueueExecutor: SerialExecutor {
    private let queue: DispatchQueue

    init(label: String) {
        queue = DispatchQueue(label: label)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = asUnownedSerialExecutor()
        queue.async { job.runSynchronously(on: executor) }
    }
}
