import Foundation
import Synchronization

/// The one thread that starts child processes, for as long as this process lives.
///
/// Children ask the kernel to kill them when their parent dies (`PR_SET_PDEATHSIG`), and to the kernel the parent is the
/// *thread* that forked: one of a pool's threads may end at any moment, and would take its servers with it.
final class SpawnThread: Sendable {
    static let shared = SpawnThread()

    private let queue = Mutex<[@Sendable () -> Void]>([])
    private let work = DispatchSemaphore(value: 0)

    private init() {
        let thread = Thread { [self] in
            while true { step() }
        }
        thread.name = "test-spawn"
        thread.start()
    }

    private func step() {
        work.wait()
        queue.withLock { $0.removeFirst() }()
    }

    /// Runs `body` on the thread.
    func run<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
        await withCheckedContinuation { continuation in
            queue.withLock { $0.append { continuation.resume(returning: body()) } }
            work.signal()
        }
    }
}
