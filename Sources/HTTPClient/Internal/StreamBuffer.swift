import Synchronization

/// What lies between the client's thread, which delivers, and the task that reads a streamed body.
final class StreamBuffer: Sendable {
    private struct State {
        var head: CheckedContinuation<ResponseHead, any Error>?
        var reader: CheckedContinuation<[UInt8]?, any Error>?
        var waiting: [UInt8] = []
        var isPaused = false
        var end: Result<Void, HTTPClientError>?
    }

    /// Enough for a reader to stay busy, little enough to hold for a thousand of them.
    static let limit = 256 << 10

    private let state = Mutex(State())

    // MARK: The reading task

    func head(_ start: () -> Void) async throws -> ResponseHead {
        try await withCheckedThrowingContinuation { continuation in
            state.withLock { $0.head = continuation }
            start()
        }
    }

    func next(_ resume: () -> Void) async throws -> [UInt8]? {
        var isResumeNeeded = false
        let chunk: [UInt8]? = try await withCheckedThrowingContinuation { continuation in
            let answer: Result<[UInt8]?, any Error>? = state.withLock { state in
                if !state.waiting.isEmpty {
                    let chunk = state.waiting
                    state.waiting = []
                    isResumeNeeded = state.isPaused
                    state.isPaused = false
                    return .success(chunk)
                }
                switch state.end {
                case .success: return .success(nil)
                case .failure(let error): return .failure(error)
                case nil:
                    state.reader = continuation
                    return nil
                }
            }
            if let answer { continuation.resume(with: answer) }
        }
        if isResumeNeeded { resume() }
        return chunk
    }

    // MARK: The client's thread

    func deliver(_ head: ResponseHead) {
        let waiter = state.withLock { state in
            defer { state.head = nil }
            return state.head
        }
        waiter?.resume(returning: head)
    }

    /// Takes the bytes; false means that it took none and that the transfer has to pause.
    func deliver(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var reader: CheckedContinuation<[UInt8]?, any Error>?
        let isTaken = state.withLock { state in
            if state.reader != nil {
                reader = state.reader.take()
                return true
            }
            guard state.waiting.count < Self.limit else {
                state.isPaused = true
                return false
            }
            state.waiting.append(contentsOf: bytes)
            return true
        }
        reader?.resume(returning: Array(bytes))
        return isTaken
    }

    func finish(_ result: Result<Void, HTTPClientError>) {
        let (head, reader) = state.withLock { state in
            state.end = result
            defer {
                state.head = nil
                state.reader = nil
            }
            return (state.head, state.reader)
        }
        switch result {
        case .success:
            head?.resume(throwing: HTTPClientError(.malformedResponse, "the response ended before its head did"))
            reader?.resume(returning: nil)
        case .failure(let error):
            head?.resume(throwing: error)
            reader?.resume(throwing: error)
        }
    }
}
