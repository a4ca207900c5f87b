import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Kubernetes
import Logging
import NIOCore
import NIOSSL

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

    static let bodyLimit = 3 << 20

    /// Serves until the task is cancelled.
    func run(tls: TLSConfiguration?, onRunning: @escaping @Sendable (Int) -> Void) async throws {
        var logger = Logger(label: "fake-api-server")
        logger.logLevel = .critical
        let http = HTTPServerBuilder.http1(
            configuration: .init(
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: 32 << 10,
                    maxHeaderListSize: 64 << 10,
                    maxHeaderFieldCount: 200
                )
            )
        )
        let application = Application(
            responder: self,
            server: try tls.map { try HTTPServerBuilder.tls(http, tlsConfiguration: $0) } ?? http,
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0), serverName: nil),
            onServerRunning: { channel in onRunning(channel.localAddress?.port ?? 0) },
            logger: logger
        )
        try await application.run()
    }

    func respond(to request: Request, context: ConnectionContext) async throws -> Response {
        let query = request.uri.query ?? ""
        let method = request.method.rawValue
        let info = RequestInfo(method: method, path: request.uri.path, query: Query(query))
        let faults = core.faults.hitting(info)
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
        let refusal = authenticate(&call, request)
        let number = core.log.begin(call, query: query, method: method)
        var reply = await answer(call, body: body, refusal: refusal, faults: faults, context)
        for text in call.notes.warnings {
            let escaped = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: " ")
            reply.headers.append(("Warning", "299 - \"\(escaped)\""))
        }
        core.log.end(number, status: reply.status, audit: call.notes.audit)
        return try response(reply, request, method, info, faults, context)
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

    private func authenticate(_ call: inout Call, _ request: Request) -> APIError? {
        if ["/healthz", "/livez", "/readyz"].contains(call.info.path) { return nil }
        guard let header = request.headers[.authorization], header.lowercased().hasPrefix("bearer ") else {
            return .unauthorized
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

    private func answer(_ call: Call, body: [UInt8]?, refusal: APIError?, faults: [Fault], _ context: ConnectionContext)
        async -> Reply
    {
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
        _ context: ConnectionContext
    ) throws -> Response {
        var headers: HTTPFields = [.contentType: reply.contentType, .cacheControl: "no-cache, private"]
        for (name, value) in reply.headers {
            guard let field = HTTPFields.Element.Name(name) else { continue }
            headers.append(HTTPFields.Element(name: field, value: value))
        }
        let shape = BodyShape(faults)
        switch reply.content {
        case .bytes(let bytes):
            if shape.isPlain || method == "HEAD" {
                return Response(
                    status: .init(code: reply.status),
                    headers: headers,
                    body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
                )
            }
            let channel = context.channel
            return Response(
                status: .init(code: reply.status),
                headers: headers,
                body: ResponseBody { writer in
                    let out = Outlet(writer, shape, channel)
                    try await out.write(bytes)
                    try await out.finish()
                }
            )
        case .watch(let stream): return watch(stream, headers, request, info, faults, context)
        }
    }

    private func watch(
        _ stream: WatchStream,
        _ headers: HTTPFields,
        _ request: Request,
        _ info: RequestInfo,
        _ faults: [Fault],
        _ context: ConnectionContext
    ) -> Response {
        // The end of a body must come from a buffer, or watching the connection ends badly (Hummingbird 2.28).
        var request = request
        request.body = RequestBody(buffer: ByteBuffer())
        let (core, channel, body) = (core, context.channel, request.body)
        let shape = BodyShape(faults)
        return Response(
            status: .ok,
            headers: headers,
            body: ResponseBody { writer in
                let out = Outlet(writer, shape, channel)
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
    var cutAfter: Int?

    init(_ faults: [Fault]) {
        for fault in faults {
            switch fault.behaviour {
            case .splitBody(let bytes): pieceBytes = max(1, bytes)
            case .slowBody(let bytes, let time):
                pieceBytes = max(1, bytes)
                pause = time
            case .closeConnection(let bytes): cutAfter = bytes
            default: break
            }
        }
    }

    var isPlain: Bool { pieceBytes == nil && cutAfter == nil }
}

/// Writes a body as its shape says.
///
/// Unchecked because a writer isn't sendable: one task at a time uses it.
private final class Outlet: @unchecked Sendable {
    private var writer: any ResponseBodyWriter
    private let shape: BodyShape
    private let channel: any Channel
    private var sent = 0

    init(_ writer: any ResponseBodyWriter, _ shape: BodyShape, _ channel: any Channel) {
        self.writer = writer
        self.shape = shape
        self.channel = channel
    }

    func flushHead() async throws { if shape.cutAfter == 0 { try await cut() } }

    func write(_ bytes: [UInt8]) async throws {
        var rest = bytes[...]
        if shape.cutAfter == 0 { try await cut() }
        while !rest.isEmpty {
            var count = min(rest.count, shape.pieceBytes ?? rest.count)
            if let limit = shape.cutAfter { count = min(count, limit - sent) }
            if let pause = shape.pause { try await Task.sleep(for: pause) }
            try await writer.write(ByteBuffer(bytes: rest.prefix(count)))
            rest = rest.dropFirst(count)
            sent += count
            if let limit = shape.cutAfter, sent >= limit { try await cut() }
        }
    }

    private func cut() async throws {
        // It may be closed already, which is what is wanted.
        try? await channel.close()
        throw ConnectionCut()
    }

    func finish() async throws { try await writer.finish(nil) }
}
