import Synchronization

/// A request as the server saw it.
public struct LoggedRequest: Sendable {
    /// Counts from 1.
    public var number: Int
    /// Like `list`, or the method for what is no resource.
    public var verb: String
    /// Without the query.
    public var path: String
    /// The query as it came.
    public var query: String
    /// The header `User-Agent`.
    public var userAgent: String
    /// The header `Content-Type`.
    public var contentType: String
    /// Who asked; empty when nobody knows.
    public var user: String
    /// What it was answered with; 0 as long as it isn't.
    public var status: Int
    /// Bytes of the body that was sent.
    public var bodyBytes: Int
    /// The body that was sent.
    public var body: [UInt8]
    /// `auditAnnotations` that admission recorded.
    public var audit: [String: String] = [:]
}

/// What happened besides requests.
enum ServerNote: Sendable {
    case failedOpen(webhook: String, reason: String)
    case webhook(name: String, url: String, duration: Duration)
}

/// All requests, and the watches that are open.
final class RequestLog: Sendable {
    private struct State {
        var requests: [LoggedRequest] = []
        var notes: [ServerNote] = []
        var watches: [String: Int] = [:]
        var revision: Int64 = 0
    }

    private let state = Mutex(State())
    private let bell = Bell()

    private func change<Result>(_ body: (inout State) -> Result) -> Result {
        let (result, revision) = state.withLock { state in
            state.revision += 1
            return (body(&state), state.revision)
        }
        bell.ring(revision)
        return result
    }

    var requests: [LoggedRequest] { state.withLock { $0.requests } }
    var notes: [ServerNote] { state.withLock { $0.notes } }

    func begin(_ call: Call, query: String, method: String) -> Int {
        change { state in
            let number = state.requests.count + 1
            state.requests.append(
                LoggedRequest(
                    number: number,
                    verb: call.info.verb,
                    path: call.info.path,
                    query: query,
                    userAgent: call.userAgent,
                    contentType: call.contentType,
                    user: call.identity.username,
                    status: 0,
                    bodyBytes: call.body.count,
                    body: call.body
                )
            )
            return number
        }
    }

    func end(_ number: Int, status: Int, audit: [String: String]) {
        change { state in
            state.requests[number - 1].status = status
            state.requests[number - 1].audit = audit
        }
    }

    func note(_ note: ServerNote) { change { $0.notes.append(note) } }

    func watchBegan(_ path: String) { change { $0.watches[path, default: 0] += 1 } }
    func watchEnded(_ path: String) { change { $0.watches[path, default: 0] -= 1 } }

    func openWatches(_ path: String) -> Int {
        state.withLock { $0.watches.filter { path.isEmpty || $0.key == path }.values.reduce(0, +) }
    }

    /// Waits until the condition gives a value; nil when the time is over.
    func wait<Value: Sendable>(atMost limit: Duration, for condition: () -> Value?) async -> Value? {
        let clock = ContinuousClock()
        let deadline = clock.now + limit
        while true {
            let revision = state.withLock { $0.revision }
            if let value = condition() { return value }
            if clock.now >= deadline || Task.isCancelled { return nil }
            await bell.wait(past: revision, until: deadline)
        }
    }
}
