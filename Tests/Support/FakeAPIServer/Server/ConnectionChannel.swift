import HummingbirdCore
import HummingbirdHTTP2
import Logging
import NIOCore
import NIOHTTP2
import NIOSSL
import NIOTLS

/// Sets up a connection: plain, or with TLS and the version of HTTP that the client chose.
///
/// Hummingbird's own keeps one certificate for ever, and its number of streams can't be set.
struct ConnectionChannel: ServerChildChannel {
    enum Negotiated: Sendable {
        case http1(HTTP1Channel.Value)
        case http2(HTTP2Channel.Value)
    }

    struct Value: ServerChildChannelValue {
        let channel: any Channel
        let negotiated: EventLoopFuture<Negotiated>
    }

    let core: ServerCore
    let tls: ServerTLS?
    private let http1: HTTP1Channel
    private let http2: HTTP2Channel

    init(core: ServerCore, tls: ServerTLS?, responder: @escaping HTTPChannelHandler.Responder) {
        self.core = core
        self.tls = tls
        let configuration = HTTP1Channel.Configuration(
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: 32 << 10,
                maxHeaderListSize: 64 << 10,
                maxHeaderFieldCount: 200
            )
        )
        http1 = HTTP1Channel(responder: responder, configuration: configuration)
        http2 = HTTP2Channel(responder: responder, configuration: HTTP2Channel.Configuration())
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        core.connections.accepted(channel)
        guard let tls else {
            return setupHTTP1(channel, logger).map { negotiated in
                Value(channel: channel, negotiated: channel.eventLoop.makeSucceededFuture(negotiated))
            }
        }
        return channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(NIOSSLServerHandler(context: tls.context))
            let negotiation = NIOTypedApplicationProtocolNegotiationHandler<Negotiated> { [self] result in
                result == .negotiated("h2") ? setupHTTP2(channel, logger) : setupHTTP1(channel, logger)
            }
            try pipeline.addHandler(negotiation)
            return Value(channel: channel, negotiated: negotiation.protocolNegotiationResult)
        }
    }

    private func setupHTTP1(_ channel: any Channel, _ logger: Logger) -> EventLoopFuture<Negotiated> {
        core.connections.opened(channel, isHTTP2: false)
        return http1.setup(channel: channel, logger: logger).map { .http1($0) }
    }

    private func setupHTTP2(_ channel: any Channel, _ logger: Logger) -> EventLoopFuture<Negotiated> {
        core.connections.opened(channel, isHTTP2: true)
        return http2.setup(channel: channel, logger: logger).map { [core] value in
            // Right behind the first settings, which are Hummingbird's.
            let limit = HTTP2Setting(parameter: .maxConcurrentStreams, value: core.options.maxConcurrentStreams)
            let frame = HTTP2Frame(streamID: .rootStream, payload: .settings(.settings([limit])))
            channel.writeAndFlush(frame, promise: nil)
            return .http2(value)
        }
    }

    func handle(value: Value, logger: Logger) async {
        // Who doesn't finish the handshake has no request to be answered.
        guard let negotiated = try? await value.negotiated.get() else { return }
        switch negotiated {
        case .http1(let connection): await http1.handle(value: connection, logger: logger)
        case .http2(let connection): await http2.handle(value: connection, logger: logger)
        }
    }
}
