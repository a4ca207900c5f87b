import Dispatch
import Glibc

/// Turns SIGINT and SIGTERM into cancellation, so that what a command holds is given back.
enum Interruption {
    /// Runs `body` in a task that a signal cancels, and waits for its end either way.
    ///
    /// `notice` is called at the first signal, because a person should know that it was heard; `ended` is thrown when
    /// `body` gave up because of it.
    static func cancelling<Result: Sendable>(
        notice: @escaping @Sendable () -> Void = {},
        ended: CommandFailure,
        _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        // Nothing is begun before a signal would be heard: it would end the process with whatever that holds.
        let (begin, gate) = AsyncStream.makeStream(of: Void.self)
        let task = Task {
            for await _ in begin {}
            return try await body()
        }
        let sources = [SIGINT, SIGTERM].map { number in
            // The source hears signals even while their default action is off.
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                if !task.isCancelled { notice() }
                task.cancel()
            }
            source.resume()
            return source
        }
        gate.finish()
        defer {
            for (source, number) in zip(sources, [SIGINT, SIGTERM]) {
                source.cancel()
                // Signals often come twice, to the process and to its group: the second must not cut off what is said.
                if !task.isCancelled { signal(number, SIG_DFL) }
            }
        }
        return try await withTaskCancellationHandler {
            do {
                return try await task.value
            } catch {
                // Cancelled work fails in many words; the signal is the reason.
                if task.isCancelled, isCancellation(error) { throw ended }
                throw error
            }
        } onCancel: {
            task.cancel()
        }
    }

    private static func isCancellation(_ error: any Error) -> Bool {
        error is CancellationError || CommandFailure(describing: error).status == .cancelled
    }
}
