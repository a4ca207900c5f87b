import Dispatch

/// A thread for calls that block on the local disk or a pipe: on the cooperative pool they would stop everything else.
final class BlockingQueue: Sendable {
    private let queue = DispatchQueue(label: "remora.repository.files")

    /// Runs `body` there, after what was handed in before.
    func run<Output: Sendable>(_ body: @escaping @Sendable () throws -> Output) async throws -> Output {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result { try body() }) }
        }
    }
}
