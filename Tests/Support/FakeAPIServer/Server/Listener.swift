import Hummingbird
import HummingbirdCore
import Kubernetes
import Logging
import NIOCore
import ServiceLifecycle

/// A request's connection, so that faults can cut it.
struct ConnectionContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }
}

/// Thrown to end a connection in the middle of an answer.
private struct ConnectionCut: Error {}

/// Between HTTP and the server's core.
struct Listener: HTTPResponder {
    let core: ServerCore
    let tls: ServerTLS?

    static let bodyLimit = 3 << 20

    /// What serves until it is told to shut down.
    ///
    /// Never by cancelling it: a connection that is accepted at that moment ends the whole process (Hummingbird 2.28 with
    /// NIO 2.101, "Deinited NIOAsyncWriter without calling finish()").
    func service(onRunning: @escaping @Sendable (Int) -> Void) -> ServiceGroup {
        var logger = Logger(label: "fake-api-server")
        logger.logLevel = .critical
        let application = Application(
            responder: self,
            server: HTTPServerBuilder { ConnectionChannel(core: core, tls: tls, responder: $0) },
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0), serverName: nil),
            onServerRunning: { channel in onRunning(channel.localAddress?.port ?? 0) },
            logger: logger
        )
        return ServiceGroup(configuration: .init(services: [application], logger: logger))
    }

    func respond(to request: Request, context: ConnectionContext) async throws -> Response {
        let query = request.uri.query ?? ""
        let method = request.method.rawValue
        let info = RequestInfo(method: method, path: request.uri.path, query: Query(query))
        let faults = core.faults.hitting(info)
        let wire = core.connections.wire(of: context.channel)
        let body: [UInt8]?
        if method == "GET" || method == "HEAD" { body = [] } else { body = try await Self.body(request) }
        var call = Call(
            info: info,
            query: Query(query),
            accept: request.headers[.accept] ?? "",
            contentType: request.headers[.contentType] ?? "",
            userAgent: request.headers[.userAgent] ?? "",
            identity: Identity(username: "system:anonymous", groups: ["system:unauthenticated"]),
            body: body ?? []
        )
        let refusal = await authenticate(&call, request, wire)
        let number = core.log.begin(call, query: query, method: method)
        var reply = await answer(call, body: body, refusal: refusal, faults: faults)
        for text in call.notes.warnings {
            let escaped = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: " ")
            reply.headers.append(("Warning", "299 - \"\(escaped)\""))
        }
        core.log.end(number, status: reply.status, audit: call.notes.audit)
        return try response(reply, request, method, info, faults, wire)
    }

    /// The whole body; nil when it is too large.
    private static func body(_ request: Request) async throws -> [UInt8]? {
        var bytes: [UInt8] = []
        var isTooLarge = false
        for try await buffer in request.body {
            if bytes.count + buffer.readableBytes > bodyLimit { isTooLarge = true }
            if !isTooLarge { bytes += buffer.readableBytesView }
        }
        return isTooLarge ? nil : bytes
    }

    private func authenticate(_ call: inout Call, _ request: Request, _ wire: Wire) async -> APIError? {
        guard let header = request.headers[.authorization], header.lowercased().hasPrefix("bearer ") else {
            // Said to everybody, as the role system:public-info-viewer has it.
            if ServerCore.publicPaths.contains(call.info.path) { return nil }
            guard let certificate = await wire.clientCertificate(), let identity = tls?.client(certificate) else {
                return .unauthorized
            }
            call.identity = identity
            return impersonate(&call, request)
        }
        switch core.tokens.bearer(
            String(header.dropFirst(7)).trimmed,
            audiences: [TokenBook.apiAudience],
            store: core.store
        ) {
        case .success(let (identity, _)):
            call.identity = identity
            return impersonate(&call, request)
        case .failure: return .unauthorized
        }
    }

    /// `Impersonate-User` and `Impersonate-Group`, for those who may.
    private func impersonate(_ call: inout Call, _ request: Request) -> APIError? {
        func values(_ name: String) -> [String] {
            HTTPFields.Element.Name(name).map { request.headers[values: $0] } ?? []
        }
        guard let user = values("Impersonate-User").first else { return nil }
        var info = RequestInfo(method: "POST", path: "/", query: Query(""))
        info.isResource = true
        (info.verb, info.resource, info.name) = ("impersonate", "users", user)
        do {
            try core.authorize(info, call.identity)
        } catch {
            return error as? APIError
        }
        call.identity = Identity(username: user, groups: values("Impersonate-Group"))
        return nil
    }

    private func answer(_ call: Call, body: [UInt8]?, refusal: APIError?, faults: [Fault]) async -> Reply {
        for fault in faults {
            switch fault.behaviour {
            case .delay(let time):
                // Cancelled when the server stops.
                try? await Task.sleep(for: time)
            case .hang: await fault.wait()
            case .status(let code, let seconds):
                let reasons = [
                    429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout",
                    403: "Forbidden", 409: "Conflict",
                ]
                return .failure(
                    APIError(
                        code: code,
                        reason: reasons[code] ?? "",
                        message: "scripted answer \(code)",
                        retryAfter: seconds
                    )
                )
            case .gone: return .failure(.expired("The resourceVersion for the provided list is too old."))
            case .unauthorized: return .failure(.unauthorized)
            case .body(let text): return Reply(content: .bytes(Array(text.utf8)))
            default: break
            }
        }
        if let refusal { return .failure(refusal) }
        guard body != nil else { return .failure(.tooLarge("Request entity too large: limit is \(Self.bodyLimit)")) }
        return await core.respond(call)
    }

    private func response(
        _ reply: Reply,
        _ request: Request,
        _ method: String,
        _ info: RequestInfo,
        _ faults: [Fault],
        _ wire: Wire
    ) throws -> Response {
        var headers: HTTPFields = [.contentType: reply.contentType, .cacheControl: "no-cache, private"]
        for (name, value) in reply.headers {
            guard let field = HTTPFields.Element.Name(name) else { continue }
            headers.append(HTTPFields.Element(name: field, value: value))
        }
        let shape = BodyShape(faults)
        // What HTTP/2 says by a frame.
        if shape.breach?.how == .goAway, wire.stream == nil { headers[.connection] = "close" }
        switch reply.content {
        case .bytes(let bytes):
            if shape.isPlain || method == "HEAD" {
                return Response(
                    status: .init(code: reply.status),
                    headers: headers,
                    body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
                )
            }
            return Response(
                status: .init(code: reply.status),
                headers: headers,
                body: ResponseBody { writer in
                    let out = Outlet(writer, shape, wire)
                    try await out.write(bytes)
                    try await out.finish()
                }
            )
        case .watch(let stream): return watch(stream, headers, request, info, faults, wire)
        }
    }

    private func watch(
        _ stream: WatchStream,
        _ headers: HTTPFields,
        _ request: Request,
        _ info: RequestInfo,
        _ faults: [Fault],
        _ wire: Wire
    ) -> Response {
        // The end of a body must come from a buffer, or watching the connection ends badly (Hummingbird 2.28).
        var request = request
        request.body = RequestBody(buffer: ByteBuffer())
        let (core, body) = (core, request.body)
        let shape = BodyShape(faults)
        return Response(
            status: .ok,
            headers: headers,
            body: ResponseBody { writer in
                let out = Outlet(writer, shape, wire)
                core.log.watchBegan(info.path)
                defer { core.log.watchEnded(info.path) }
                try await out.flushHead()
                try await body.consumeWithCancellationOnInboundClose { _ in
                    try await core.run(stream, script: FaultScript.Watching(faults: faults)) { line in
                        try await out.write(line)
                    }
                }
                try await out.finish()
            }
        )
    }
}

/// How faults cut a body up.
private struct BodyShape: Sendable {
    var pieceBytes: Int?
    var pause: Duration?
    /// How it ends early, and behind how many bytes.
    var breach: (after: Int, how: Breach)?

    enum Breach { case cut, goAway, goAwayAndCut, reset }

    init(_ faults: [Fault]) {
        for fault in faults {
            switch fault.behaviour {
            case .splitBody(let bytes): pieceBytes = max(1, bytes)
            case .slowBody(let bytes, let time):
                pieceBytes = max(1, bytes)
                pause = time
            case .closeConnection(let bytes): breach = (bytes, .cut)
            case .goAway(let bytes): breach = (bytes, .goAway)
            case .goAwayAndClose(let bytes): breach = (bytes, .goAwayAndCut)
            case .resetStream(let bytes): breach = (bytes, .reset)
            default: break
            }
        }
    }

    var isPlain: Bool { pieceBytes == nil && breach == nil }
}

/// Writes a body as its shape says.
///
/// Unchecked because a writer isn't sendable: one task at a time uses it.
private final class Outlet: @unchecked Sendable {
    private var writer: any ResponseBodyWriter
    private var shape: BodyShape
    private let wire: Wire
    private var sent = 0

    init(_ writer: any ResponseBodyWriter, _ shape: BodyShape, _ wire: Wire) {
        self.writer = writer
        self.shape = shape
        self.wire = wire
    }

    func flushHead() async throws { try await breakOff() }

    func write(_ bytes: [UInt8]) async throws {
        var rest = bytes[...]
        try await breakOff()
        while !rest.isEmpty {
            var count = min(rest.count, shape.pieceBytes ?? rest.count)
            if let breach = shape.breach { count = min(count, breach.after - sent) }
            if let pause = shape.pause { try await Task.sleep(for: pause) }
            try await writer.write(ByteBuffer(bytes: rest.prefix(count)))
            rest = rest.dropFirst(count)
            sent += count
            try await breakOff()
        }
    }

    /// Does to the connection what the script says, when it is time.
    private func breakOff() async throws {
        guard let breach = shape.breach, sent >= breach.after else { return }
        shape.breach = nil
        switch breach.how {
        case .goAway: return wire.goAway()
        case .cut: wire.cut()
        case .goAwayAndCut: await wire.goAwayAndCut()
        case .reset: await wire.reset()
        }
        throw ConnectionCut()
    }

    func finish() async throws { try await writer.finish(nil) }
}
