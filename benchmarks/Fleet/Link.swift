import BackupModel
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// What came back from a call.
struct Reply: Sendable {
    var status: Int
    var body: [UInt8]

    var isSuccess: Bool { (200..<300).contains(status) }
}

/// A call that did not do what it was made for: counted by its name.
struct CallFailure: Error, Sendable, CustomStringConvertible {
    /// `refused`, `broken`, or the status and code of the answer.
    var name: String
    /// What the answer asked for.
    var retryAfter: Duration = .zero

    static let unauthorized = "401 unauthorized"

    var description: String { name }
}

/// One HTTP connection to the coordinator, for one call at a time.
///
/// On an event loop and not on a thread, because a thousand of these wait at once.
final class Link: Sendable {
    /// Collects the answer to the call that is under way; lives on the channel's event loop.
    private final class Exchange: ChannelInboundHandler {
        typealias InboundIn = HTTPClientResponsePart

        private var waiting: EventLoopPromise<Reply>?
        private var reply = Reply(status: 0, body: [])

        func begin(_ promise: EventLoopPromise<Reply>) { waiting = promise }

        func fail() {
            waiting?.fail(CallFailure(name: "broken"))
            waiting = nil
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): reply = Reply(status: Int(head.status.code), body: [])
            case .body(let buffer): reply.body.append(contentsOf: buffer.readableBytesView)
            case .end:
                waiting?.succeed(reply)
                waiting = nil
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            fail()
            context.close(promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) {
            fail()
            context.fireChannelInactive()
        }
    }

    private let channel: any Channel
    private let exchange: NIOLoopBound<Exchange>

    private init(_ channel: any Channel, _ exchange: NIOLoopBound<Exchange>) {
        self.channel = channel
        self.exchange = exchange
    }

    /// Connects to a port on loopback.
    static func open(_ port: Int) async throws -> Link {
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .connectTimeout(.seconds(30))
        do {
            return try await bootstrap.connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let exchange = Exchange()
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(exchange)
                    return Link(channel, NIOLoopBound(exchange, eventLoop: channel.eventLoop))
                }
            }
        } catch {
            throw CallFailure(name: "refused")
        }
    }

    /// Whether another call can be made.
    var isOpen: Bool { channel.isActive }

    /// Ends the connection, and with it the call that waits.
    func close() { channel.close(promise: nil) }

    /// Makes one call; a task that is cancelled meanwhile ends the connection.
    func send(
        _ method: HTTPMethod,
        _ path: String,
        token: String,
        _ body: [UInt8],
        contentType: String = "application/json",
        headers extra: [(String, String)] = []
    ) async throws -> Reply {
        var head = HTTPRequestHead(version: .http1_1, method: method, uri: path)
        head.headers = [
            "Host": "127.0.0.1", "Authorization": "Bearer \(token)", "Content-Type": contentType,
            "Content-Length": "\(body.count)", AgentProtocol.versionHeader: "\(AgentProtocol.version)",
        ]
        head.headers.add(contentsOf: extra)
        return try await withTaskCancellationHandler {
            try await channel.eventLoop.flatSubmit { [channel, exchange, head] in
                let promise = channel.eventLoop.makePromise(of: Reply.self)
                exchange.value.begin(promise)
                channel.write(HTTPClientRequestPart.head(head), promise: nil)
                channel.write(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: body))), promise: nil)
                channel.writeAndFlush(HTTPClientRequestPart.end(nil)).whenFailure { _ in exchange.value.fail() }
                return promise.futureResult
            }.get()
        } onCancel: {
            close()
        }
    }
}

extension Link {
    /// Makes a call of the agent protocol.
    ///
    /// - Throws: ``CallFailure`` for every answer that is no success.
    func call<Answer: Decodable>(_ path: String, _ request: some Encodable, token: String) async throws -> Answer {
        try Self.decode(try await send(.POST, path, token: token, try WireJSON.encode(request)))
    }

    /// The message in a successful answer.
    static func decode<Answer: Decodable>(_ reply: Reply) throws -> Answer {
        guard reply.isSuccess else {
            // An answer that is no message of ours is told by its status.
            let error = try? WireJSON.decode(ErrorResponse.self, from: reply.body).error
            throw CallFailure(
                name: "\(reply.status) \(error?.code ?? "")",
                retryAfter: .milliseconds(error?.retryAfterMs ?? 0)
            )
        }
        return try WireJSON.decode(Answer.self, from: reply.body)
    }
}
