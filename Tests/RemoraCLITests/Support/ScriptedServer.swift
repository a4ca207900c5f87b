import Synchronization
import TestSupport

/// A coordinator that answers as a test says: one connection an answer, HTTP/1.1, on a port of its own.
final class ScriptedServer: Sendable {
    /// What goes out.
    struct Answer: Sendable {
        var status = 200
        var body: String
        /// Close the connection before this many bytes of the body are out: a server that dies.
        var breaksAfter: Int?

        static func ok(_ body: String) -> Answer { Answer(body: body) }
    }

    private final class Log: Sendable {
        let requests = Mutex<[RawRequest]>([])
    }

    private let server: RawServer
    private let log: Log

    /// Starts to listen; `answer` gets the request and how many came before it.
    init(_ answer: @escaping @Sendable (RawRequest, Int) -> Answer) throws {
        let log = Log()
        self.log = log
        server = try RawServer { connection in
            guard let request = connection.readRequest() else { return }
            let before = log.requests.withLock { requests in
                requests.append(request)
                return requests.count - 1
            }
            Self.send(answer(request, before), over: connection)
        }
    }

    deinit { stop() }

    var url: String { server.url }

    /// Refuses connections from now on.
    func stop() { server.stop() }

    /// Every request so far.
    var requests: [RawRequest] { log.requests.withLock { $0 } }

    private static func send(_ answer: Answer, over connection: RawConnection) {
        let body = Array(answer.body.utf8)
        connection.write(
            "HTTP/1.1 \(answer.status) X\r\nContent-Type: application/json\r\nConnection: close\r\n"
                + "Content-Length: \(body.count)\r\n\r\n"
        )
        connection.write(answer.breaksAfter.map { Array(body.prefix($0)) } ?? body)
    }
}
