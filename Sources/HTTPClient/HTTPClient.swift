/// Sends requests by HTTP/1.1 over libcurl.
///
/// One thread of the client's own moves all its transfers, so nothing ever blocks the cooperative pool; it starts with the
/// first request. Connections are kept and used again. Redirects aren't followed and statuses aren't judged: both come
/// back as responses. Cancelling the task aborts the transfer.
///
/// The proxy variables of the environment (`https_proxy`, `no_proxy`, …) are heeded, except for loopback addresses.
public final class HTTPClient: Sendable {
    private let driver: Driver

    /// Makes a client; nothing is connected yet.
    public init(_ configuration: HTTPClientConfiguration = HTTPClientConfiguration()) {
        driver = Driver(configuration)
    }

    deinit {
        driver.stop()
    }

    /// Sends a request and gives back the whole response, whatever its status.
    ///
    /// - Throws: `HTTPClientError`; `.cancelled` when the task was cancelled.
    public func send(_ request: HTTPRequest) async throws -> HTTPResponse {
        let transfer = Transfer(request)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                transfer.sink = .collect(continuation)
                driver.start(transfer)
            }
        } onCancel: {
            driver.cancel(transfer)
        }
    }

    /// Sends a request and gives back the head of the response as soon as it is there, and its body as it comes.
    ///
    /// At most about 256 KiB wait for a slow reader; then the server has to wait too. The transfer ends when the body has
    /// ended, when a task that reads it is cancelled, or when nobody holds the body any more.
    ///
    /// - Throws: `HTTPClientError`; `.cancelled` when the task was cancelled.
    public func stream(_ request: HTTPRequest) async throws -> HTTPStreamedResponse {
        let transfer = Transfer(request)
        let body = HTTPBody(client: self, transfer: transfer)
        let head = try await withTaskCancellationHandler {
            try await body.buffer.head {
                transfer.sink = .stream(body.buffer)
                driver.start(transfer)
            }
        } onCancel: {
            driver.cancel(transfer)
        }
        return HTTPStreamedResponse(status: head.status, headers: head.headers, body: body)
    }

    func cancel(_ transfer: Transfer) { driver.cancel(transfer) }
    func resume(_ transfer: Transfer) { driver.resume(transfer) }
}
