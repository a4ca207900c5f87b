import BackupModel
import HTTPClient

/// The calls of the agent protocol, typed.
///
/// Holds the session: whoever needs one waits until there is one.
///
/// Only the check-in loop registers. A call that is told that its token isn't good takes the session away, which wakes
/// that loop.
final class CoordinatorClient: Sendable {
    /// Time for a call that isn't held back on purpose.
    static let callTimeout: Duration = .seconds(30)
    /// What a held check-in may take beyond the wait asked for.
    static let checkinSlack: Duration = .seconds(30)
    /// A coordinator that holds an answer back sends white space every 25 s; silence for three times that is a dead
    /// connection, which nothing else would tell an idle agent.
    static let checkinSilence: Duration = .seconds(75)
    /// Largest answer: a desired document with its specs is a few kilobytes.
    static let largestAnswer = 4 << 20

    /// The current session; nil while there is none.
    let session = Watched<CoordinatorSession?>(nil)
    /// How many calls about jobs were answered for good, with yes or no: whoever can't check in learns that it can.
    let answers = Watched<UInt64>(0)

    private let baseURL: String
    private let enrolmentToken: @Sendable () throws -> String
    private let http: HTTPClient

    init(
        baseURL: String,
        http: HTTPClient,
        enrolmentToken: @escaping @Sendable () throws -> String
    ) {
        self.baseURL = baseURL.hasSuffix("/") ? String(baseURL.dropLast()) : baseURL
        self.http = http
        self.enrolmentToken = enrolmentToken
    }

    /// Registers and keeps the session.
    @discardableResult
    func register(_ request: RegisterRequest) async throws -> CoordinatorSession {
        let token = try enrolmentToken()
        let response: RegisterResponse = try await call(AgentProtocol.registerPath, request, token: token)
        let fresh = CoordinatorSession(response, at: .now)
        session.set(fresh)
        return fresh
    }

    /// Asks for the desired document; returns when it isn't the one acknowledged, or after `waitSeconds`.
    func checkin(_ request: CheckinRequest, token: String) async throws -> DesiredDocument {
        try await call(
            AgentProtocol.checkinPath,
            request,
            token: token,
            timeout: .seconds(request.waitSeconds) + Self.checkinSlack,
            idleTimeout: Self.checkinSilence
        )
    }

    /// Says that the agent leaves.
    func deregister(token: String) async throws {
        let response = try await send("POST", AgentProtocol.deregisterPath, [], token: token, timeout: .seconds(5))
        guard (200..<300).contains(response.status) else {
            throw CoordinatorAnswer.failure(
                status: response.status,
                body: response.body,
                call: AgentProtocol.deregisterPath
            )
        }
    }

    /// Renews a job's lease.
    func heartbeat(_ jobID: String, _ request: HeartbeatRequest, timeout: Duration) async throws -> HeartbeatResponse {
        try await withSession {
            try await self.call(AgentProtocol.heartbeatPath(jobID), request, token: $0, timeout: timeout)
        }
    }

    /// Appends to a job's log.
    func patchLog(_ jobID: String, _ piece: JobLogFile.Piece) async throws -> LogResponse {
        let path = AgentProtocol.logPath(jobID)
        let last = piece.offset + Int64(piece.bytes.count) - 1
        return try await withSession { token in
            let response = try await self.send(
                "PATCH",
                path,
                piece.bytes,
                token: token,
                contentType: "application/x-ndjson",
                extraHeaders: [("Content-Range", "bytes \(piece.offset)-\(last)/*")]
            )
            return try CoordinatorAnswer.decode(
                LogResponse.self,
                status: response.status,
                body: response.body,
                call: path
            )
        }
    }

    /// Asks for what opens the job's repository.
    func credentials(_ jobID: String, _ request: FencedRequest) async throws -> JobCredentials {
        try await withSession { try await self.call(AgentProtocol.credentialsPath(jobID), request, token: $0) }
    }

    /// Asks for the permit to publish.
    func prepareCommit(_ jobID: String, _ request: PrepareCommitRequest) async throws -> PrepareCommitResponse {
        try await withSession { try await self.call(AgentProtocol.prepareCommitPath(jobID), request, token: $0) }
    }

    /// Answer to `complete`.
    enum Completion: Sendable, Equatable {
        /// The coordinator has outcome and log.
        case taken
        /// It wants the log from this offset first.
        case logMissing(nextOffset: Int64)
    }

    /// Reports how a job ended.
    func complete(_ jobID: String, _ request: CompleteRequest) async throws -> Completion {
        let path = AgentProtocol.completePath(jobID)
        return try await withSession { token in
            let response = try await self.send("POST", path, WireJSON.encode(request), token: token)
            if response.status == 202 {
                let answer = try CoordinatorAnswer.decode(
                    LogResponse.self,
                    status: response.status,
                    body: response.body,
                    call: path
                )
                return .logMissing(nextOffset: answer.nextOffset)
            }
            // Any JSON object will do, but not a portal's page: an outcome must never be believed delivered to one.
            _ = try CoordinatorAnswer.decode(
                AnyObject.self,
                status: response.status,
                body: response.body,
                call: path
            )
            return .taken
        }
    }

    /// A JSON object of which nothing is needed.
    private struct AnyObject: Decodable {
        private enum Key: CodingKey {}

        init(from decoder: any Decoder) throws {
            _ = try decoder.container(keyedBy: Key.self)
        }
    }

    // MARK: The way of a call

    /// Waits for a session, makes the call, and takes the session away when it is told that it isn't good.
    private func withSession<Value: Sendable>(_ body: @Sendable (String) async throws -> Value) async throws -> Value {
        guard let current = try await session.first(where: { $0 != nil }) else { throw CancellationError() }
        do {
            let value = try await body(current.token)
            answers.update { $0 += 1 }
            return value
        } catch let error as CoordinatorCallError where error.kind == .unauthorized {
            dropSession(current.token)
            // The call itself was not made: as soon as there is a session again, it is to be.
            throw CoordinatorCallError(kind: .retryable(after: .zero), code: error.code, message: error.message)
        } catch let error as CoordinatorCallError {
            if error.isFinal { answers.update { $0 += 1 } }
            throw error
        }
    }

    /// Takes the session away if it is still the one with this token.
    func dropSession(_ token: String) {
        session.update { session in
            if session?.token == token { session = nil }
        }
    }

    private func call<Request: Encodable, Response: Decodable>(
        _ path: String,
        _ request: Request,
        token: String,
        timeout: Duration = CoordinatorClient.callTimeout,
        idleTimeout: Duration? = nil
    ) async throws -> Response {
        let response = try await send(
            "POST",
            path,
            WireJSON.encode(request),
            token: token,
            timeout: timeout,
            idleTimeout: idleTimeout
        )
        return try CoordinatorAnswer.decode(Response.self, status: response.status, body: response.body, call: path)
    }

    private func send(
        _ method: String,
        _ path: String,
        _ body: [UInt8],
        token: String,
        timeout: Duration = CoordinatorClient.callTimeout,
        idleTimeout: Duration? = nil,
        contentType: String = "application/json",
        extraHeaders: [(String, String)] = []
    ) async throws -> HTTPResponse {
        let request = HTTPRequest(
            method: method,
            url: baseURL + path,
            headers: [
                ("Authorization", "Bearer \(token)"),
                ("Content-Type", contentType),
                (AgentProtocol.versionHeader, "\(AgentProtocol.version)"),
            ] + extraHeaders,
            body: body,
            timeout: timeout,
            idleTimeout: idleTimeout,
            maxResponseBytes: Self.largestAnswer
        )
        do {
            return try await http.send(request)
        } catch let error as HTTPClientError {
            try Task.checkCancellation()
            let isUntrusted = error.code == .tls && !error.isTransient
            let hint = isUntrusted ? "; give the authority that signed it with --ca-file (REMORA_CA_FILE)" : ""
            throw CoordinatorCallError(
                kind: error.code == .invalidURL ? .rejected : .retryable(after: .zero),
                code: CoordinatorCallError.noConnection,
                message: "no answer from the coordinator: \(error.message)\(hint)"
            )
        }
    }
}
