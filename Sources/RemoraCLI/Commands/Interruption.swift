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
        let task = Task { try await body() }
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
        defer {
            for (source, number) in zip(sources, [SIGINT, SIGTERM]) {
                source.cancel()
                signal(number, SIG_DFL)
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
