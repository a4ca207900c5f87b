import Dispatch
import Synchronization

/// Waits for asynchronous work on a thread that may block, like the conductor's.
///
/// Never call it on the cooperative pool: the work that is waited for may need the very thread.
enum Blocking {
    /// Runs `body` and waits for its end.
    static func wait<Value: Sendable>(_ body: @escaping @Sendable () async -> Value) -> Value {
        let done = DispatchSemaphore(value: 0)
        let result = Box<Value>()
        Task.detached {
            let value = await body()
            result.value.withLock { $0 = value }
            done.signal()
        }
        while true {
            done.wait()
            if let value = result.value.withLock({ $0 }) { return value }
        }
    }

    /// Runs `body`, which may block, on a thread of its own.
    static func detach<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue(label: "remora.blocking").async { continuation.resume(with: Result(catching: body)) }
        }
    }

    private final class Box<Value: Sendable>: Sendable {
        let value = Mutex<Value?>(nil)
    }
}
