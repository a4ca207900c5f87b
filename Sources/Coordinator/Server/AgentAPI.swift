import BackupModel
import Hummingbird
import Logging

/// The agents' side of the server: `/agent/v1/…` (``AgentProtocol``).
struct AgentAPI: Sendable {
    let conductor: Conductor
    let keeper: RepositoryKeeper
    let logs: LogShelf
    let tokens: SessionTokens
    let authenticator: any AgentAuthenticator
    let logger: Logger

    static let tokenSeconds: Int64 = 3600
    /// A byte of white space in a waiting answer keeps everything between us and the agent awake.
    static let keepAlive = Duration.seconds(25)

    func add<Context: RequestContext>(to router: Router<Context>) {
        router.post("/agent/v1/register") { request, _ in try await register(request) }
        router.post("/agent/v1/checkin") { request, _ in try await checkin(request) }
        router.post("/agent/v1/deregister") { request, _ in
            let agent = try await authenticate(request)
            try await conductor.deregister(agentID: agent.agentID)
            return Answers.empty(status: 204)
        }
        let jobs = router.group("/agent/v1/jobs/:job")
        jobs.post("heartbeat") { request, context in
            let agent = try await authenticate(request)
            let message = try await Answers.message(HeartbeatRequest.self, request)
            let jobID = try job(context)
            return try Answers.json(
                try await conductor.together { try $0.heartbeat(jobID: jobID, agentID: agent.agentID, message) }
            )
        }
        jobs.patch("log") { request, context in try await appendLog(request, try job(context)) }
        jobs.post("credentials") { request, context in
            let agent = try await authenticate(request)
            let message = try await Answers.message(FencedRequest.self, request)
            let jobID = try job(context)
            let plan = try await conductor.together { try $0.plan(jobID: jobID, agentID: agent.agentID, message) }
            do {
                return try Answers.json(try await keeper.credentials(of: plan))
            } catch let error as StorageFailure {
                throw RequestError(status: 503, code: "noCredentials", message: error.description, isRetryable: true)
            }
        }
        jobs.post("prepare-commit") { request, context in
            let agent = try await authenticate(request)
            let message = try await Answers.message(PrepareCommitRequest.self, request)
            let jobID = try job(context)
            return try Answers.json(
                try await conductor.together { try $0.prepareCommit(jobID: jobID, agentID: agent.agentID, message) }
            )
        }
        jobs.post("complete") { request, context in try await complete(request, try job(context)) }
    }

    private func job(_ context: some RequestContext) throws -> String {
        let job = try context.parameters.require("job")
        guard job.utf8.count <= 64, job.utf8.allSatisfy({ ($0 >= 0x30 && $0 <= 0x39) || ($0 >= 0x61 && $0 <= 0x66) })
        else { throw RequestError(status: 404, code: "unknownJob", message: "there is no such job") }
        return job
    }

    /// Who calls; refused unless its newest process does.
    func authenticate(_ request: Request) async throws -> SessionTokens.Payload {
        guard let token = Answers.bearer(request), let payload = tokens.check(token, now: conductor.clock()),
            await conductor.incarnation(of: payload.agentID) == payload.incarnation
        else {
            throw RequestError(
                status: 401,
                code: "unauthorized",
                message: "the session token is missing, expired or another process's; register again"
            )
        }
        return payload
    }

    // MARK: Register

    private func register(_ request: Request) async throws -> Response {
        let identity = try await authenticator.identify(Answers.bearer(request))
        let message = try await Answers.message(RegisterRequest.self, request)
        guard
            (message.protocolRange.min...max(message.protocolRange.min, message.protocolRange.max))
                .contains(AgentProtocol.version)
        else {
            throw RequestError(
                status: 426,
                code: "unsupportedProtocol",
                message:
                    "the coordinator speaks protocol \(AgentProtocol.version), the agent \(message.protocolRange.min) "
                    + "to \(message.protocolRange.max); bring both to the same version"
            )
        }
        try validate(message)
        try identity.check(message)
        var response = try await conductor.together { try $0.register(message) }
        response.sessionTtlSeconds = Int(Self.tokenSeconds)
        response.sessionToken = try tokens.make(
            SessionTokens.Payload(
                agentID: message.pod.uid,
                namespace: message.pod.namespace,
                incarnation: message.incarnation,
                expires: conductor.clock().unixMs / 1000 + Self.tokenSeconds
            )
        )
        return try Answers.json(response)
    }

    private func validate(_ message: RegisterRequest) throws {
        let names = [
            ("pod.namespace", message.pod.namespace), ("pod.name", message.pod.name), ("cluster", message.cluster),
        ]
        for (field, name) in names {
            if let reason = ResourceName.reasonAgainst(name) {
                throw RequestError(status: 422, code: "invalid", message: "\(field) \(reason)")
            }
        }
        for (field, text) in [("pod.uid", message.pod.uid), ("incarnation", message.incarnation)] {
            guard !text.isEmpty, text.utf8.count <= 128 else {
                throw RequestError(status: 422, code: "invalid", message: "\(field) must have 1 to 128 bytes")
            }
        }
    }

    // MARK: Logs and the end

    private func appendLog(_ request: Request, _ jobID: String) async throws -> Response {
        let agent = try await authenticate(request)
        guard let range = request.headers[.contentRange].flatMap(Self.range) else {
            throw RequestError(
                status: 400,
                code: "malformed",
                message: "a log patch needs Content-Range: bytes FIRST-LAST/*"
            )
        }
        try await conductor.mayLog(jobID: jobID, agentID: agent.agentID)
        guard let owner = await conductor.owner(of: jobID) else {
            throw RequestError(status: 404, code: "unknownJob", message: "there is no job \(jobID)")
        }
        let bytes = try await Answers.body(request, limit: Answers.logPatchLimit)
        guard bytes.count == range.upperBound - range.lowerBound else {
            throw RequestError(
                status: 400,
                code: "malformed",
                message: "Content-Range promises \(range.count) bytes, and \(bytes.count) came"
            )
        }
        switch try await logs.append(owner.session, jobID, at: Int64(range.lowerBound), bytes) {
        case .misplaced(let end):
            throw RequestError(
                status: 416,
                code: "misplaced",
                message: "the log of this job goes on at \(end)",
                isRetryable: true,
                nextOffset: end
            )
        case .full:
            throw RequestError(status: 413, code: "logFull", message: "the log of this job is as long as it may be")
        case .done(let end):
            try await conductor.together { try $0.logArrived(jobID: jobID, agentID: agent.agentID, end: end) }
            conductor.bell.ring(Conductor.sessionBell(owner.session))
            return try Answers.json(
                LogResponse(nextOffset: end, updateIntervalMs: await conductor.logIntervalMs(job: jobID)),
                status: 202
            )
        }
    }

    /// `bytes 5-9/*` is 5..<10.
    static func range(_ text: String) -> Range<Int>? {
        guard text.hasPrefix("bytes ") else { return nil }
        let parts = text.dropFirst(6).split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        let ends = parts[0].split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        guard ends.count == 2, let first = ends[0], let last = ends[1], first >= 0, last >= first,
            last < Int.max
        else { return nil }
        return first..<last + 1
    }

    private func complete(_ request: Request, _ jobID: String) async throws -> Response {
        let agent = try await authenticate(request)
        let message = try await Answers.message(CompleteRequest.self, request)
        var end: Int64 = 0
        if let owner = await conductor.owner(of: jobID) { end = await logs.end(owner.session, jobID) }
        let known = end
        let missing = try await conductor.together {
            try $0.complete(jobID: jobID, agentID: agent.agentID, message, logEnd: known)
        }
        if let missing {
            return try Answers.json(LogResponse(nextOffset: missing, updateIntervalMs: 0), status: 202)
        }
        return Response(status: .ok, headers: Answers.jsonHeaders, body: .init(byteBuffer: ByteBuffer(string: "{}")))
    }
}
