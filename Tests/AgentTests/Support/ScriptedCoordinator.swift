import BackupModel
import Glibc
import Synchronization
import TestSupport

/// A coordinator for tests: it speaks the agent protocol as a good one would, over a real socket, unless the test's
/// script says otherwise for a request.
final class ScriptedCoordinator: Sendable {
    struct Request: Sendable {
        var method: String
        var path: String
        var headers: [String: String]
        var body: [UInt8]

        init(_ raw: RawRequest) {
            method = raw.method
            path = raw.path
            headers = Dictionary(raw.fields.map { ($0.name, $0.value) }) { _, last in last }
            body = raw.body
        }

        /// The last part of the path, like `checkin`.
        var call: String { String(path.split(separator: "/").last ?? "") }
        /// The job in the path.
        var jobID: String? {
            let parts = path.split(separator: "/")
            return parts.count == 5 ? String(parts[3]) : nil
        }

        func decode<Value: Decodable>(_ type: Value.Type) -> Value? {
            try? WireJSON.decode(type, from: body)  // the test that needs it fails without it
        }
    }

    enum Reply: Sendable {
        case json(Int, [UInt8])
        /// Something that isn't ours, as a proxy would say.
        case text(Int, String)
        /// Close the connection without an answer.
        case drop
        /// Do what a good coordinator does, but lose the answer.
        case applyThenDrop
        /// What a good coordinator says.
        case normal

        static func value(_ status: Int, _ value: some Encodable) -> Reply {
            do { return .json(status, try WireJSON.encode(value)) } catch { return .text(500, "\(error)") }
        }

        static func error(_ status: Int, _ code: String, retryAfterMs: Int? = nil, nextOffset: Int64? = nil) -> Reply {
            .value(
                status,
                ErrorResponse(
                    ErrorResponse.Body(
                        code: code,
                        message: "scripted \(code)",
                        retryable: status == 429 || status >= 500,
                        retryAfterMs: retryAfterMs,
                        nextOffset: nextOffset
                    )
                )
            )
        }
    }

    /// What it knows and wants.
    struct State: Sendable {
        var epoch: Int64 = 1
        var token = "token-1"
        var jobs: [DesiredJob] = []
        var revision = 1
        var desire: [String: JobDesire] = [:]
        var registrations: [RegisterRequest] = []
        var checkins: [CheckinRequest] = []
        var heartbeats: [String: [HeartbeatRequest]] = [:]
        var logs: [String: [UInt8]] = [:]
        var completions: [String: [CompleteRequest]] = [:]
        var accepted: [String: JobOutcome] = [:]
        var prepared: [String: Int] = [:]
        var deregistrations = 0
        var requests = 0
        /// A blackout: connections are taken and closed at once.
        var isDown = false

        var pollSeconds = 5
        var heartbeatMs = 50
        var leaseMs = 5000
        var maxDisconnectedMs = 20000
        var logIntervalMs = 50
        var credentials = JobCredentials(repositoryPassword: "repository-password", storage: [:])
    }

    private let server: RawServer
    private let state = Mutex(State())
    private let script: Mutex<@Sendable (Request, State) -> Reply>
    private let isClosed = Mutex(false)

    var url: String { server.url }

    init(script: @escaping @Sendable (Request, State) -> Reply = { _, _ in .normal }) throws {
        self.script = Mutex(script)
        server = try RawServer()
        server.start { self.serve($0) }
    }

    /// What has happened so far.
    var seen: State { state.withLock { $0 } }

    /// Changes what it wants.
    func change(_ body: (inout State) -> Void) {
        state.withLock { state in
            body(&state)
            state.revision += 1
        }
        if seen.isDown { server.breakConnections() }
    }

    /// Replaces the script.
    func setScript(_ replacement: @escaping @Sendable (Request, State) -> Reply) {
        script.withLock { $0 = replacement }
    }

    /// Ends it.
    func close() {
        isClosed.withLock { $0 = true }
        server.stop()
    }

    private func serve(_ connection: RawConnection) {
        while !isClosed.withLock({ $0 }), !seen.isDown, let raw = connection.readRequest() {
            let request = Request(raw)
            let before = state.withLock { state in
                state.requests += 1
                return state
            }
            if before.isDown { return }
            switch script.withLock({ $0 })(request, before) {
            case .drop: return
            case .applyThenDrop:
                _ = behave(request)
                return
            case .normal: send(behave(request), over: connection)
            case let answer: send(answer, over: connection)
            }
        }
    }

    private func send(_ reply: Reply, over connection: RawConnection) {
        let (status, type, body): (Int, String, [UInt8]) =
            switch reply {
            case .json(let status, let body): (status, "application/json", body)
            case .text(let status, let text): (status, "text/html", Array(text.utf8))
            default: (500, "text/plain", Array("no reply".utf8))
            }
        let head =
            "HTTP/1.1 \(status) Scripted\r\nContent-Type: \(type)\r\nContent-Length: \(body.count)\r\n\r\n"
        connection.write(Array(head.utf8) + body)
    }

    // MARK: A good coordinator

    private func behave(_ request: Request) -> Reply {
        let token = state.withLock { $0.token }
        if request.call != "register", request.headers["authorization"] != "Bearer \(token)" {
            return .error(401, "unauthorized")
        }
        return switch (request.call, request.jobID) {
        case ("register", _): register(request)
        case ("checkin", _): checkin(request)
        case ("deregister", _):
            state.withLock { state in
                state.deregistrations += 1
                return .json(200, Array("{}".utf8))
            }
        case ("heartbeat", let jobID?): heartbeat(jobID, request)
        case ("log", let jobID?): appendLog(jobID, request)
        case ("credentials", .some): .value(200, seen.credentials)
        case ("prepare-commit", let jobID?):
            state.withLock { state in
                state.prepared[jobID, default: 0] += 1
                return .value(200, PrepareCommitResponse(permit: "permit-\(jobID)"))
            }
        case ("complete", let jobID?): complete(jobID, request)
        default: .error(404, "unknownCall")
        }
    }

    private func register(_ request: Request) -> Reply {
        guard let value = request.decode(RegisterRequest.self) else { return .error(400, "invalid") }
        return state.withLock { state in
            state.registrations.append(value)
            return .value(
                200,
                RegisterResponse(
                    agentID: value.pod.uid,
                    sessionToken: state.token,
                    sessionTtlSeconds: 3600,
                    epoch: state.epoch,
                    protocolVersion: 1,
                    pollSeconds: state.pollSeconds,
                    heartbeatMs: state.heartbeatMs,
                    leaseMs: state.leaseMs,
                    maxDisconnectedMs: state.maxDisconnectedMs,
                    logIntervalMs: state.logIntervalMs,
                    reconnectSpreadMs: 10,
                    serverUnixMs: 0
                )
            )
        }
    }

    private func checkin(_ request: Request) -> Reply {
        guard let value = request.decode(CheckinRequest.self) else { return .error(400, "invalid") }
        state.withLock { $0.checkins.append(value) }
        let deadline = ContinuousClock.now + .seconds(value.waitSeconds)
        while true {
            let now = seen
            if now.isDown || isClosed.withLock({ $0 }) { return .drop }
            if "\(now.revision)" != value.ackRevision || ContinuousClock.now >= deadline {
                return .value(200, DesiredDocument(epoch: now.epoch, revision: "\(now.revision)", jobs: now.jobs))
            }
            usleep(5000)
        }
    }

    private func heartbeat(_ jobID: String, _ request: Request) -> Reply {
        guard let value = request.decode(HeartbeatRequest.self) else { return .error(400, "invalid") }
        return state.withLock { state in
            state.heartbeats[jobID, default: []].append(value)
            return .value(
                200,
                HeartbeatResponse(
                    desired: state.desire[jobID] ?? .run,
                    leaseMs: state.leaseMs,
                    nextHeartbeatMs: state.heartbeatMs,
                    logIntervalMs: state.logIntervalMs
                )
            )
        }
    }

    private func appendLog(_ jobID: String, _ request: Request) -> Reply {
        let range = (request.headers["content-range"] ?? "").dropFirst("bytes ".count).split(separator: "-")
        guard let first = range.first, let offset = Int(first) else { return .error(400, "invalid") }
        return state.withLock { state in
            let have = state.logs[jobID]?.count ?? 0
            guard offset == have else { return .error(416, "offset", nextOffset: Int64(have)) }
            state.logs[jobID, default: []] += request.body
            return .value(
                202,
                LogResponse(nextOffset: Int64(have + request.body.count), updateIntervalMs: state.logIntervalMs)
            )
        }
    }

    private func complete(_ jobID: String, _ request: Request) -> Reply {
        guard let value = request.decode(CompleteRequest.self) else { return .error(400, "invalid") }
        return state.withLock { state in
            state.completions[jobID, default: []].append(value)
            let have = Int64(state.logs[jobID]?.count ?? 0)
            if have < value.logBytes {
                return .value(202, LogResponse(nextOffset: have, updateIntervalMs: state.logIntervalMs))
            }
            if state.accepted[jobID] != nil { return .error(409, "alreadyCompleted") }
            state.accepted[jobID] = value.outcome
            state.jobs.removeAll { $0.jobID == jobID }
            state.revision += 1
            return .json(200, Array("{}".utf8))
        }
    }
}
