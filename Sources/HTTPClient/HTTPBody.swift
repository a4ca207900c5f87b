/// The body of a streamed response: chunks as they come, for one reader.
public final class HTTPBody: AsyncSequence, Sendable {
    /// A chunk, never empty.
    public typealias Element = [UInt8]

    let buffer = StreamBuffer()
    private let client: HTTPClient
    private let transfer: Transfer

    init(client: HTTPClient, transfer: Transfer) {
        self.client = client
        self.transfer = transfer
    }

    deinit {
        client.cancel(transfer)
    }

    /// Reads the body; only one iterator can be in use.
    public func makeAsyncIterator() -> Iterator {
        Iterator(body: self)
    }

    /// All that is still to come, as one array.
    ///
    /// - Parameter limit: more bytes than this fail with `.tooLarge`.
    /// - Returns: the bytes.
    /// - Throws: `HTTPClientError`.
    public func collect(upTo limit: Int) async throws -> [UInt8] {
        var all: [UInt8] = []
        for try await chunk in self {
            guard all.count + chunk.count <= limit else {
                throw HTTPClientError(.tooLarge, "cannot read the response: it has more than \(limit) bytes")
            }
            all += chunk
        }
        return all
    }

    func next() async throws -> [UInt8]? {
        try await withTaskCancellationHandler {
            try await buffer.next { client.resume(transfer) }
        } onCancel: {
            client.cancel(transfer)
        }
    }

    /// Reads the chunks of a body.
    public struct Iterator: AsyncIteratorProtocol {
        let body: HTTPBody

        /// The next chunk, or nil at the end.
        ///
        /// - Throws: `HTTPClientError` when the transfer fails or the task is cancelled.
        public mutating func next() async throws -> [UInt8]? {
            try await body.next()
        }
    }
}
