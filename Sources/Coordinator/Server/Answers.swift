import BackupModel
import Hummingbird
import Logging

/// What handlers share: bounded bodies in, JSON out, and one shape for every error.
enum Answers {
    /// Largest body of a call, in bytes; log patches have their own.
    static let bodyLimit = 256 << 10
    /// Largest log patch.
    static let logPatchLimit = 1 << 20
    /// A body must have arrived within this.
    static let bodyTimeout = Duration.seconds(30)

    /// The whole body of a request.
    static func body(_ request: Request, limit: Int) async throws -> [UInt8] {
        if let text = request.headers[.contentLength], let length = Int(text), length > limit { throw tooLarge(limit) }
        return try await withThrowingTaskGroup(of: [UInt8].self) { group in
            let stream = request.body
            group.addTask {
                var bytes: [UInt8] = []
                for try await buffer in stream {
                    guard bytes.count + buffer.readableBytes <= limit else { throw tooLarge(limit) }
                    bytes.append(contentsOf: buffer.readableBytesView)
                }
                return bytes
            }
            group.addTask {
                try await Task.sleep(for: bodyTimeout)
                throw RequestError(
                    status: 408,
                    code: "timeout",
                    message: "the body did not arrive within \(bodyTimeout)",
                    isRetryable: true
                )
            }
            defer { group.cancelAll() }
            return try await group.next() ?? []
        }
    }

    private static func tooLarge(_ limit: Int) -> RequestError {
        RequestError(status: 413, code: "tooLarge", message: "the body is larger than \(limit) bytes")
    }

    /// The body as a message.
    static func message<Message: Decodable>(
        _ type: Message.Type,
        _ request: Request,
        limit: Int = bodyLimit
    ) async throws -> Message {
        let bytes = try await body(request, limit: limit)
        do {
            return try WireJSON.decode(type, from: bytes)
        } catch let error as DecodingError {
            throw RequestError(status: 400, code: "malformed", message: "the body is no \(type): \(sentence(error))")
        }
    }

    private static func sentence(_ error: DecodingError) -> String {
        let path = { (context: DecodingError.Context) in
            context.codingPath.map(\.stringValue).joined(separator: ".")
        }
        return switch error {
        case .keyNotFound(let key, let context):
            "field \((context.codingPath + [key]).map(\.stringValue).joined(separator: ".")) is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            "field \(path(context)) has the wrong type"
        case .dataCorrupted(let context):
            context.codingPath.isEmpty ? "it is not JSON" : "field \(path(context)) has a value that isn't allowed"
        @unknown default:
            "it can't be read"
        }
    }

    /// The request's body for noticing that the client is gone, once its bytes have been read.
    ///
    /// Hummingbird (2.28.1) merges what stands in the body with what the connection still brings. If the end of the body
    /// came from the connection, and was read before or never, its source would be let go unfinished, which ends the
    /// process: so the end always comes from a buffer.
    static func watch(_ request: Request) -> RequestBody {
        var request = request
        request.body = RequestBody(buffer: ByteBuffer())
        return request.body
    }

    /// JSON.
    static func json(_ value: some Encodable, status: Int = 200) throws -> Response {
        Response(
            status: .init(code: status),
            headers: jsonHeaders,
            body: .init(byteBuffer: ByteBuffer(bytes: try WireJSON.encode(value)))
        )
    }

    /// Nothing.
    static func empty(status: Int) -> Response { Response(status: .init(code: status)) }

    /// Headers of every JSON answer.
    static let jsonHeaders: HTTPFields = [.contentType: "application/json", .cacheControl: "no-store"]

    /// An error.
    static func failure(_ error: RequestError) -> Response {
        let body = ErrorResponse(
            ErrorResponse.Body(
                code: error.code,
                message: error.message,
                retryable: error.isRetryable,
                retryAfterMs: error.retryAfterMs,
                nextOffset: error.nextOffset
            )
        )
        // A message of texts and numbers can be encoded; if not, the status alone has to do.
        let bytes = (try? WireJSON.encode(body)) ?? []
        return Response(
            status: .init(code: error.status),
            headers: jsonHeaders,
            body: .init(byteBuffer: ByteBuffer(bytes: bytes))
        )
    }

    /// The token of `Authorization: Bearer …`.
    static func bearer(_ request: Request) -> String? {
        guard let header = request.headers[.authorization] else { return nil }
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return String(parts[1])
    }
}

/// Turns whatever is thrown into an ``ErrorResponse``.
struct ErrorAnswers<Context: RequestContext>: RouterMiddleware {
    let logger: Logger

    @concurrent func handle(
        _ input: Request,
        context: Context,
        next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(input, context)
        } catch let error as RequestError {
            return Answers.failure(error)
        } catch let error as HTTPError {
            let text =
                error.status == .notFound ? "there is no \(input.method) \(input.uri.path)" : error.body ?? "refused"
            return Answers.failure(
                RequestError(
                    status: error.status.code,
                    code: error.status == .notFound ? "notFound" : "refused",
                    message: text
                )
            )
        } catch let error as StoreError {
            logger.error("\(input.method) \(input.uri.path): \(error)")
            return Answers.failure(
                RequestError(
                    status: 503,
                    code: "storeUnavailable",
                    message: "the coordinator can't write its state; nothing was done",
                    isRetryable: true,
                    retryAfterMs: 5000
                )
            )
        } catch let error as CancellationError {
            throw error
        } catch {
            logger.error("\(input.method) \(input.uri.path): \(error)")
            return Answers.failure(
                RequestError(
                    status: 500,
                    code: "internal",
                    message: "the coordinator failed at this; its log says why",
                    isRetryable: true
                )
            )
        }
    }
}
