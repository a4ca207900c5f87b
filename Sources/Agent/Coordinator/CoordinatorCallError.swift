import BackupModel

/// Why a call to the coordinator didn't do what it was made for.
struct CoordinatorCallError: Error, Sendable, CustomStringConvertible {
    /// What the caller has to do about it.
    enum Kind: Sendable, Equatable {
        /// Try again, not before this has passed: no connection, an overload, an answer that isn't the coordinator's.
        case retryable(after: Duration)
        /// The token isn't good any more: register again.
        case unauthorized
        /// The job isn't this agent's any more, or is over: stop it without a word.
        case superseded
        /// The coordinator has taken an outcome of this job before.
        case alreadyCompleted
        /// For log patches: send from this offset.
        case offset(Int64)
        /// It will never work: the job fails with the answer's code.
        case rejected
    }

    /// The code when nobody answered.
    static let noConnection = "noConnection"

    var kind: Kind
    /// The answer's code, or `noConnection`, `notOurs`.
    var code: String
    var message: String

    var description: String { message }

    /// Whether the coordinator has answered, and would say the same once more.
    var isFinal: Bool {
        switch kind {
        case .superseded, .alreadyCompleted, .offset: true
        case .rejected: code != Self.noConnection
        case .retryable, .unauthorized: false
        }
    }

    /// The wait asked for.
    var retryAfter: Duration {
        if case .retryable(let after) = kind { after } else { .zero }
    }
}

/// What an answer of the coordinator means: a function of status and body, nothing else.
enum CoordinatorAnswer {
    /// Judges an answer whose call has a body of type `Value` when it succeeds.
    ///
    /// A body that isn't ours is a proxy, a load balancer or a captive portal talking: it says nothing about the
    /// job, whatever its status, and the call is made again.
    static func decode<Value: Decodable>(
        _ type: Value.Type,
        status: Int,
        body: [UInt8],
        call: String
    ) throws(CoordinatorCallError) -> Value {
        guard (200..<300).contains(status) else { throw failure(status: status, body: body, call: call) }
        do {
            return try WireJSON.decode(type, from: body)
        } catch {
            throw notOurs(status: status, call: call, detail: "\(error)")
        }
    }

    /// The error that an answer with another status is.
    static func failure(status: Int, body: [UInt8], call: String) -> CoordinatorCallError {
        let error: ErrorResponse.Body
        do {
            error = try WireJSON.decode(ErrorResponse.self, from: body).error
        } catch {
            return notOurs(status: status, call: call, detail: "\(error)")
        }
        return CoordinatorCallError(
            kind: kind(status: status, error),
            code: error.code,
            message: "the coordinator answered \(call) with \(status) \(error.code): \(error.message)"
        )
    }

    private static func kind(status: Int, _ error: ErrorResponse.Body) -> CoordinatorCallError.Kind {
        switch (status, error.code) {
        case (401, _): return .unauthorized
        case (416, _): return .offset(error.nextOffset ?? 0)
        case (_, "fenced"), (410, _), (404, _): return .superseded
        case (_, "alreadyCompleted"): return .alreadyCompleted
        case (408, _), (429, _), (500..., _): return .retryable(after: .milliseconds(max(0, error.retryAfterMs ?? 0)))
        default:
            return error.retryable ? .retryable(after: .milliseconds(max(0, error.retryAfterMs ?? 0))) : .rejected
        }
    }

    private static func notOurs(status: Int, call: String, detail: String) -> CoordinatorCallError {
        CoordinatorCallError(
            kind: .retryable(after: .zero),
            code: "notOurs",
            message: "the answer to \(call) (status \(status)) isn't a coordinator's (\(detail)); "
                + "something stands between the agent and the coordinator"
        )
    }
}
