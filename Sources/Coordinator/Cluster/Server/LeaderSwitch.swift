import BackupModel
import Hummingbird
import Logging
import Synchronization

/// Answers for a replica: with the leader's routes while it leads, with `notLeader` while it doesn't.
final class LeaderSwitch: HTTPResponder {
    typealias Context = BasicRequestContext

    private struct State {
        var leading: (any HTTPResponder<BasicRequestContext>)?
        var isDraining = false
    }

    private let state = Mutex(State())
    private let isReady: @Sendable () async -> String?
    private let who: @Sendable () -> String?

    /// Makes a switch that doesn't lead.
    ///
    /// - Parameters:
    ///   - isReady: why the replica isn't ready, or nil when it is.
    ///   - who: the leader's name, if it is known.
    init(isReady: @escaping @Sendable () async -> String?, who: @escaping @Sendable () -> String?) {
        self.isReady = isReady
        self.who = who
    }

    /// Answers with these routes from now on.
    func lead(_ responder: any HTTPResponder<BasicRequestContext>) { state.withLock { $0.leading = responder } }

    /// Answers with nothing but `notLeader` from now on.
    func follow() { state.withLock { $0.leading = nil } }

    /// Whether the leader's routes are served.
    var isLeading: Bool { state.withLock { $0.leading != nil } }

    /// Says that it isn't ready any more, since it is about to end.
    func drain() { state.withLock { $0.isDraining = true } }

    @Sendable @concurrent func respond(to request: Request, context: BasicRequestContext) async throws -> Response {
        switch request.uri.path {
        case "/healthz": return Self.text("ok\n")
        case "/readyz":
            if state.withLock({ $0.isDraining }) { return Self.refusal("draining", "the coordinator is shutting down") }
            if let reason = await isReady() { return Self.refusal("notReady", reason) }
            return Self.text("ok\n")
        default: break
        }
        guard let leading = state.withLock({ $0.leading }) else {
            let name = who().map { "\($0) does" } ?? "nobody does yet"
            return Self.refusal("notLeader", "this replica of the coordinator doesn't lead; \(name)")
        }
        return try await leading.respond(to: request, context: context)
    }

    private static func text(_ text: String) -> Response {
        Response(status: .ok, body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    private static func refusal(_ code: String, _ message: String) -> Response {
        Answers.failure(
            RequestError(status: 503, code: code, message: message, isRetryable: true, retryAfterMs: 2000)
        )
    }
}
