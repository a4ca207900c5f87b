import Hummingbird
import Logging
import ServiceLifecycle

/// One HTTP server of the coordinator, from its start until it is told to end.
///
/// A server that has taken connections is never cancelled: with one of them not looked at yet, that would end the whole
/// process (Hummingbird 2.28 with NIO 2.101, "Deinited NIOAsyncWriter without calling finish()"). It is told to end instead.
struct HTTPService<Server: ApplicationProtocol>: Sendable {
    let application: Server
    let address: ListenAddress
    /// What is served, for error texts.
    var purpose = ""
    /// How long it serves on when it is told to end: whoever sends requests hears of it later than we do.
    var lingering = Duration.zero
    /// Called when it is told to end, before it lingers.
    var onEnding: @Sendable () -> Void = {}

    /// Serves until it is told to end and has answered everything.
    ///
    /// Cancelled, it returns at once, and answers what has come while nobody waits for it.
    ///
    /// - Throws: ``CoordinatorError`` when the address can't be used.
    func run() async throws {
        let group = ServiceGroup(configuration: .init(services: [application], logger: application.logger))
        let (over, end) = AsyncThrowingStream.makeStream(of: Never.self)
        // Detached, because a task of ours would hear of the end and of cancelling as it comes.
        Task.detached {
            do {
                try await group.run()
                end.finish()
            } catch {
                end.finish(throwing: error)
            }
        }
        do {
            try await withTaskCancellationHandler {
                try await withGracefulShutdownHandler {
                    for try await _ in over {}
                } onGracefulShutdown: {
                    onEnding()
                    Task {
                        // Nobody cancels it.
                        try? await Task.sleep(for: lingering)
                        await group.triggerGracefulShutdown()
                    }
                }
            } onCancel: {
                Task { await group.triggerGracefulShutdown() }
            }
        } catch {
            throw CoordinatorError(
                .unavailable,
                "can't serve \(purpose)on \(address): \(error); is another coordinator running there?"
            )
        }
    }
}
