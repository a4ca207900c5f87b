import NIOCore
import NIOHTTP2
import NIOSSL
import Synchronization

/// A connection as the server saw it.
public struct LoggedConnection: Sendable {
    /// Whether it speaks HTTP/2; else HTTP/1.1.
    public var isHTTP2: Bool
    /// Requests that came over it so far.
    public var requests: Int
    /// Whether it is open.
    public var isOpen: Bool
}

/// All connections that were made, and the way to those that are open.
final class ConnectionBook: Sendable {
    private struct State {
        var all: [LoggedConnection] = []
        var open: [ObjectIdentifier: (channel: any Channel, number: Int)] = [:]
        /// Connections that may not have agreed on anything yet.
        var accepted: [ObjectIdentifier: any Channel] = [:]
    }

    private let state = Mutex(State())

    var connections: [LoggedConnection] { state.withLock { $0.all } }

    func accepted(_ channel: any Channel) {
        let key = ObjectIdentifier(channel)
        state.withLock { $0.accepted[key] = channel }
        channel.closeFuture.whenComplete { [self] _ in state.withLock { _ = $0.accepted.removeValue(forKey: key) } }
    }

    func opened(_ channel: any Channel, isHTTP2: Bool) {
        let key = ObjectIdentifier(channel)
        state.withLock { state in
            state.open[key] = (channel, state.all.count)
            state.all.append(LoggedConnection(isHTTP2: isHTTP2, requests: 0, isOpen: true))
        }
        channel.closeFuture.whenComplete { [self] _ in
            state.withLock { state in
                if let entry = state.open.removeValue(forKey: key) { state.all[entry.number].isOpen = false }
            }
        }
    }

    /// The connection that a request came over: over HTTP/2, its channel is a stream of it.
    func wire(of channel: any Channel) -> Wire {
        state.withLock { state in
            if let entry = state.open[ObjectIdentifier(channel)] {
                state.all[entry.number].requests += 1
                return Wire(connection: channel, stream: nil)
            }
            guard let parent = channel.parent, let entry = state.open[ObjectIdentifier(parent)] else {
                return Wire(connection: channel, stream: nil)
            }
            state.all[entry.number].requests += 1
            return Wire(connection: parent, stream: channel)
        }
    }

    /// Asks all clients to go elsewhere, as a server that shuts down does.
    func goAway() { for wire in open { wire.goAway() } }

    /// Cuts all connections.
    func cut() { for wire in open { wire.cut() } }

    /// Cuts also those that have not agreed on a protocol yet.
    func cutAccepted() {
        for channel in state.withLock({ Array($0.accepted.values) }) { Wire(connection: channel, stream: nil).cut() }
    }

    /// Makes all connections dumb and deaf.
    func freeze() async { for wire in open { await wire.freeze() } }

    private var open: [Wire] { state.withLock { $0.open.values.map { Wire(connection: $0.channel, stream: nil) } } }
}

/// What can be done to a request's connection behind HTTP's back.
struct Wire: Sendable {
    let connection: any Channel
    /// The request's own channel, over HTTP/2.
    let stream: (any Channel)?

    /// The certificate that the client showed.
    func clientCertificate() async -> NIOSSLCertificate? {
        // Plain HTTP has none.
        try? await connection.nioSSL_peerCertificate().get()
    }

    /// Ends the connection without a word of TLS, as the end of a process does.
    func cut() {
        connection.eventLoop.execute { [connection] in
            let pipeline = connection.pipeline.syncOperations
            guard let tls = try? pipeline.context(handlerType: NIOSSLServerHandler.self) else {
                connection.close(promise: nil)
                return
            }
            // From here it goes down to the socket, past TLS.
            tls.close(promise: nil)
        }
    }

    /// Neither reads nor writes any more, and stays open.
    func freeze() async {
        // It may be closed already; then there is nothing to freeze.
        try? await connection.pipeline.addHandler(Frost(), position: .first).get()
    }

    /// Takes no more requests, and ends when the ones under way have.
    func goAway() {
        connection.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
    }

    /// Says that no request behind this one was looked at, and ends.
    func goAwayAndCut() async {
        if let id = await streamID() {
            let payload = HTTP2Frame.FramePayload.goAway(lastStreamID: id, errorCode: .noError, opaqueData: nil)
            // It may be closed already, which is what is wanted.
            try? await connection.writeAndFlush(HTTP2Frame(streamID: .rootStream, payload: payload))
        }
        cut()
    }

    /// Ends the request's stream in the middle.
    func reset() async {
        guard let id = await streamID() else { return cut() }
        // It may be closed already, which is what is wanted.
        try? await connection.writeAndFlush(HTTP2Frame(streamID: id, payload: .rstStream(.internalError)))
    }

    private func streamID() async -> HTTP2StreamID? {
        guard let stream else { return nil }
        return try? await stream.getOption(HTTP2StreamChannelOptions.streamID).get()
    }
}

/// Lets nothing through, as a machine does that has gone without a word.
private final class Frost: ChannelDuplexHandler, Sendable {
    typealias InboundIn = Any
    typealias OutboundIn = Any

    func read(context: ChannelHandlerContext) {}
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}
    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) { promise?.succeed() }
    func flush(context: ChannelHandlerContext) {}
}
