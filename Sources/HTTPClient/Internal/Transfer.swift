import CCurl
import Synchronization

/// One request on its way.
///
/// Made by the calling task, which sets `sink` and hands it over; from then on only the client's thread touches it,
/// except for the cancel mark, which is atomic. That is what makes `@unchecked Sendable` true.
final class Transfer: @unchecked Sendable {
    /// Where the response goes.
    enum Sink {
        case none
        case collect(CheckedContinuation<HTTPResponse, any Error>)
        case stream(StreamBuffer)
    }

    let request: HTTPRequest
    var sink = Sink.none
    private let cancelMark = Atomic(false)

    var easy: UnsafeMutableRawPointer?
    var fields: UnsafeMutablePointer<curl_slist>?
    var connections: UnsafeMutablePointer<curl_slist>?
    let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
    /// What we ourselves found wrong, which libcurl only knows as "aborted".
    var failure: HTTPClientError?

    private(set) var head = ResponseHead()
    private(set) var isHeadComplete = false
    private(set) var body: [UInt8] = []
    private var sentBytes = 0

    /// When it was handed over.
    let begun = ContinuousClock.now
    /// When something moved last; nil before the request can be sent.
    private(set) var lastActivity: ContinuousClock.Instant?
    private var movedBytes: curl_off_t = 0
    private var isPaused = false

    init(_ request: HTTPRequest) {
        self.request = request
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit {
        errorText.deallocate()
    }

    var isCancelled: Bool { cancelMark.load(ordering: .acquiring) }
    func markCancelled() { cancelMark.store(true, ordering: .releasing) }

    // MARK: Limits

    /// When the transfer has to be given up, and what to say then.
    var deadline: (at: ContinuousClock.Instant, reason: String)? {
        let whole = request.timeout.map { (at: begun + $0, reason: "no whole response within \($0)") }
        guard let idle = request.idleTimeout, let lastActivity, !isPaused else { return whole }
        let stalled = (at: lastActivity + idle, reason: "nothing moved for \(idle)")
        guard let whole, whole.at < stalled.at else { return stalled }
        return whole
    }

    // MARK: What libcurl calls

    func connected() {
        lastActivity = .now
    }

    func progressed(_ bytes: curl_off_t) {
        guard bytes != movedBytes else { return }
        movedBytes = bytes
        if lastActivity != nil { lastActivity = .now }
    }

    /// Copies the next part of the body to where libcurl sends it from.
    func send(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(buffer.count, request.body.count - sentBytes)
        guard count > 0 else { return 0 }
        request.body.withUnsafeBytes { body in
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: body[sentBytes..<sentBytes + count]))
        }
        sentBytes += count
        return count
    }

    /// Goes back, because a kept connection turned out dead and the request is sent again.
    func rewind(to offset: Int) -> Bool {
        guard offset >= 0, offset <= request.body.count else { return false }
        sentBytes = offset
        return true
    }

    /// One line of the head, with its line end.
    ///
    /// - Returns: false to give up.
    func receive(headLine line: UnsafeRawBufferPointer) -> Bool {
        lastActivity = .now
        guard !isHeadComplete else { return true }
        return head.take(line: line) ? headIsComplete() : true
    }

    private func headIsComplete() -> Bool {
        isHeadComplete = true
        switch sink {
        case .none: break
        case .stream(let buffer): buffer.deliver(head)
        case .collect:
            guard request.method != "HEAD", let length = head.bodyLength else { break }
            guard length <= request.maxResponseBytes else { return refuseLength() }
            body.reserveCapacity(length)
        }
        return true
    }

    private func refuseLength() -> Bool {
        failure = HTTPClientError(
            .tooLarge,
            "cannot \(request.summary): the response has more than the \(request.maxResponseBytes) bytes that are allowed"
        )
        return false
    }

    /// What to tell libcurl about a part of the body.
    enum Receipt {
        case taken
        case pause
        case abort
    }

    func receive(body bytes: UnsafeRawBufferPointer) -> Receipt {
        lastActivity = .now
        switch sink {
        case .none: return .abort
        case .stream(let buffer):
            isPaused = !buffer.deliver(bytes)
            return isPaused ? .pause : .taken
        case .collect:
            guard body.count + bytes.count <= request.maxResponseBytes else { return refuseLength() ? .taken : .abort }
            body.append(contentsOf: bytes)
            return .taken
        }
    }

    func resumed() {
        isPaused = false
        lastActivity = .now
    }

    // MARK: The end

    /// Tells whoever waits; the second call does nothing.
    func finish(_ result: Result<Void, HTTPClientError>) {
        let sink = self.sink
        self.sink = .none
        switch (sink, result) {
        case (.none, _): break
        case (.stream(let buffer), _): buffer.finish(result)
        case (.collect(let continuation), .failure(let error)): continuation.resume(throwing: error)
        case (.collect(let continuation), .success):
            continuation.resume(returning: HTTPResponse(status: head.status, headers: head.headers, body: body))
            body = []
        }
    }

    func failure(for result: CURLcode) -> HTTPClientError {
        failure ?? HTTPClientError(result, detail: String(cString: errorText), request: request.summary)
    }
}
