/// Waits until `condition` returns a value, asking again and again; never a fixed sleep.
///
/// - Parameters:
///   - what: what is waited for, for the error: "the set has a primary".
///   - limit: how long at most; generous, since it only costs time when something is broken.
///   - interval: how long to wait before asking again.
///   - condition: asked until it gives a value. An error counts as "not yet", and the last one is shown when time runs out.
/// - Returns: the value.
/// - Throws: `TestSupportError` when the time is over, `CancellationError` when the task is cancelled.
@discardableResult public func eventually<Value>(
    _ what: String,
    within limit: Duration = .seconds(60),
    every interval: Duration = .milliseconds(20),
    _ condition: () async throws -> Value?
) async throws -> Value {
    let clock = ContinuousClock()
    let deadline = clock.now + limit
    var lastError: (any Error)?
    while true {
        do {
            if let value = try await condition() { return value }
            lastError = nil
        } catch let error as FatalWaitError {
            throw TestSupportError("gave up waiting until \(what): \(error.reason)")
        } catch {
            lastError = error
        }
        guard clock.now < deadline else {
            throw TestSupportError("waited \(limit) in vain until \(what)" + (lastError.map { ": \($0)" } ?? ""))
        }
        try await Task.sleep(for: interval)
    }
}

/// Waits until `condition` is true; see the other form.
public func eventually(
    _ what: String,
    within limit: Duration = .seconds(60),
    every interval: Duration = .milliseconds(20),
    _ condition: () async throws -> Bool
) async throws {
    try await eventually(what, within: limit, every: interval) { () async throws -> Void? in
        try await condition() ? () : nil
    }
}

/// Thrown by a condition that can no longer come true, such as a server that has ended.
public struct FatalWaitError: Error {
    let reason: String

    /// Makes one; `reason` says why waiting is over.
    public init(_ reason: String) {
        self.reason = reason
    }
}
