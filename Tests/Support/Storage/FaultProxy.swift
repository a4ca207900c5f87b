import Synchronization

/// Stands between clients and an HTTP server on loopback and spoils what a test wants spoiled: the network and the store
/// at their worst, with a real store behind.
///
/// What passes is passed byte for byte, the `Host` field too, so signatures stay valid.
public final class FaultProxy: Sendable {
    /// A request as a rule sees it, before anything of it is passed on.
    public struct Request: Sendable, Hashable {
        /// Like `GET`.
        public var method: String
        /// With its query.
        public var path: String
        /// Bytes of its body.
        public var length: Int
        /// 1 for the first request of this proxy.
        public var number: Int
        /// 1 when this method and path are seen for the first time, 2 for the second.
        public var attempt: Int
    }

    /// What happens to a request instead of what it wants.
    public enum Fault: Sendable, Hashable {
        /// The store never sees it; the client gets this status with an S3 error of this code.
        case answer(status: Int, code: String)
        /// Half of its body reaches the store, then both connections break.
        case breakUpload
        /// Half of the answer's body reaches the client, then both connections break.
        case breakDownload
        /// The store does it, and the connection breaks before the client hears of it.
        case loseAnswer
        /// Nothing moves for so long in the middle of it, then it goes on.
        case stall(Duration)
        /// Nothing of it moves until another rule is given, or the connection breaks.
        case hold

        /// The kind, for counting.
        var name: String {
            switch self {
            case .answer(let status, _): "\(status)"
            case .breakUpload: "broken upload"
            case .breakDownload: "broken download"
            case .loseAnswer: "lost answer"
            case .stall: "stall"
            case .hold: "hold"
            }
        }
    }

    /// Decides what happens to a request; nil lets it pass.
    public typealias Rule = @Sendable (Request) -> Fault?

    /// Where it listens, on 127.0.0.1.
    public var port: UInt16 { server.port }
    /// Where clients connect instead of at the store.
    public var endpoint: String { server.url }

    private struct State {
        var rule: Rule
        /// Counts the rules: what an old one holds goes on.
        var generation = 0
        var isGone = false
        var requests = 0
        var seen: [String: Int] = [:]
        var injected: [String: Int] = [:]
    }
    private let state: Mutex<State>
    private let server: RawServer

    /// Listens before the server on the loopback port `upstream`.
    ///
    /// - Throws: `TestSupportError` when there is no port.
    public init(before upstream: UInt16, rule: @escaping Rule = { _ in nil }) throws {
        state = Mutex(State(rule: rule))
        server = try RawServer()
        server.start { [weak self] client in
            // Whatever ends a connection here, ends it as a crash would.
            client.resetAtEnd()
            guard let self, !state.withLock({ $0.isGone }) else { return }
            ProxyExchange(client: client, upstream: upstream)?.run(self.decide)
        }
    }

    /// From now on this rule decides; what is held goes on.
    public func obey(_ rule: @escaping Rule) {
        state.withLock { state in
            state.rule = rule
            state.generation += 1
        }
    }

    /// Lets everything pass, what is held too.
    public func release() { obey { _ in nil } }

    /// The store can't be reached any more: connections break, new ones too, until `comeBack`.
    public func vanish() {
        state.withLock { $0.isGone = true }
        server.breakConnections()
    }

    /// The store can be reached again, and everything passes.
    public func comeBack() {
        state.withLock { $0.isGone = false }
        release()
    }

    /// How often each kind of fault has happened: `503`, `broken upload`, `broken download`, `lost answer`, `stall`, `hold`.
    public var injected: [String: Int] { state.withLock { $0.injected } }

    /// Ends it and all its connections.
    public func end() {
        state.withLock { $0.isGone = true }
        server.stop()
    }

    deinit { server.stop() }

    // MARK: For connections

    /// What happens to a request.
    struct Decision: Sendable {
        /// What becomes of one that is held.
        enum Standing: Sendable {
            case held, released, broken
        }

        var fault: Fault?
        var standing: @Sendable () -> Standing
    }

    /// What happens to a request with this head.
    func decide(method: String, path: String, length: Int) -> Decision {
        let (rule, generation, request) = state.withLock { state in
            state.requests += 1
            state.seen["\(method) \(path)", default: 0] += 1
            let attempt = state.seen["\(method) \(path)"] ?? 1
            return (
                state.rule, state.generation,
                Request(method: method, path: path, length: length, number: state.requests, attempt: attempt)
            )
        }
        let fault = rule(request)
        if let fault { state.withLock { $0.injected[fault.name, default: 0] += 1 } }
        return Decision(fault: fault) { [weak self] in
            self?.state.withLock { $0.isGone ? .broken : $0.generation == generation ? .held : .released } ?? .broken
        }
    }
}
