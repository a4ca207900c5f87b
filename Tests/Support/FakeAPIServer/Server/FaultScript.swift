import Synchronization

/// How a server that isn't well answers.
public enum Misbehaviour: Sendable {
    /// The body comes in pieces of so many bytes, each a chunk and a packet of its own, whatever characters they cut.
    case splitBody(every: Int)
    /// The connection is closed when so many bytes of the body are out; 0: before any answer.
    ///
    /// Over HTTP/2 that ends all its streams.
    case closeConnection(afterBytes: Int)
    /// The connection takes no more requests when so many bytes of the body are out, and ends when all streams have.
    ///
    /// GOAWAY of HTTP/2, as a server that shuts down sends it; over HTTP/1.1 the connection ends behind the answer.
    case goAway(afterBytes: Int)
    /// GOAWAY when so many bytes of the body are out, and the connection is closed at once.
    case goAwayAndClose(afterBytes: Int)
    /// The answer ends by RST_STREAM when so many bytes of the body are out; over HTTP/1.1 the connection ends.
    case resetStream(afterBytes: Int)
    /// Answered with this status instead; `Retry-After` in seconds when given.
    case status(Int, retryAfter: Int?)
    /// Answered as usual, so much later.
    case delay(Duration)
    /// Nothing is answered until the fault is lifted or the client goes.
    case hang
    /// A body in pieces of so many bytes, with a pause before each.
    case slowBody(bytes: Int, pause: Duration)
    /// 410 with reason `Expired`: for lists and watches.
    case gone
    /// A watch ends with an ERROR event of code 410, behind what it has to send at once.
    case expiredEvent
    /// A watch sends no bookmarks.
    case noBookmarks
    /// Status 200 with this text as JSON.
    case body(String)
    /// 401, as for a token that has just expired.
    case unauthorized
}

/// One scripted fault; it stays until it has been used up, or is lifted.
public final class Fault: Sendable {
    let verb: String?
    let path: String
    let behaviour: Misbehaviour
    private let state: Mutex<(left: Int, uses: Int, isLifted: Bool)>
    private let bell = Bell()

    init(verb: String?, path: String, times: Int, behaviour: Misbehaviour) {
        self.verb = verb
        self.path = path
        self.behaviour = behaviour
        state = Mutex((times, 0, false))
    }

    /// How many requests it has hit.
    public var uses: Int { state.withLock { $0.uses } }

    /// Ends it; requests that hang are answered.
    public func lift() {
        state.withLock { $0.isLifted = true }
        bell.close()
    }

    func isLifted() -> Bool { state.withLock { $0.isLifted } }

    func use(_ info: RequestInfo) -> Bool {
        guard verb == nil || verb == info.verb, info.path.contains(path) else { return false }
        return state.withLock { state in
            guard !state.isLifted, state.left > 0 else { return false }
            state.left -= 1
            state.uses += 1
            return true
        }
    }

    /// Waits until it is lifted.
    func wait() async {
        let clock = ContinuousClock()
        while !isLifted(), !Task.isCancelled { await bell.wait(past: 0, until: clock.now + .seconds(3600)) }
    }
}

/// All faults that a test has arranged.
final class FaultScript: Sendable {
    private let faults = Mutex<[Fault]>([])

    func add(_ fault: Fault) { faults.withLock { $0.append(fault) } }
    func liftAll() {
        for fault in faults.withLock({ list in
            defer { list = [] }
            return list
        }) { fault.lift() }
    }

    /// The faults that hit a request.
    func hitting(_ info: RequestInfo) -> [Fault] {
        faults.withLock { $0 }.filter { $0.use(info) }
    }

    /// What concerns a watch while it runs.
    struct Watching: Sendable {
        var faults: [Fault]
        var dropsBookmarks: Bool {
            faults.contains { if case .noBookmarks = $0.behaviour { !$0.isLifted() } else { false } }
        }
        func expiresNow() -> Bool {
            faults.contains { if case .expiredEvent = $0.behaviour { true } else { false } }
        }
    }
}
