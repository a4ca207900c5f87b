import BackupModel
import HTTPClient

/// Speaks the API for people (`UserAPI`) with one coordinator.
struct CoordinatorClient: Sendable {
    private let route: any CoordinatorRoute

    /// Makes a client; nothing is sent yet.
    init(_ route: any CoordinatorRoute) { self.route = route }

    /// Where the coordinator is, for people.
    var url: String { route.name }

    // MARK: Calls

    func status(timeout: Duration = .seconds(30)) async throws -> StatusView {
        try await call("GET", UserAPI.statusPath, timeout: timeout)
    }

    func sessions(namespace: String?, kind: SessionView.Kind? = nil, limit: Int) async throws -> [SessionView] {
        try await call(
            "GET",
            UserAPI.sessionsPath,
            query: [("namespace", namespace), ("kind", kind?.rawValue), ("limit", "\(limit)")]
        )
    }

    func session(_ key: ResourceKey) async throws -> SessionView {
        try await call("GET", UserAPI.sessionPath(try Self.checked(key)))
    }

    func backUp(_ request: BackupRequest) async throws -> SessionView {
        try await call("POST", UserAPI.backupsPath, body: try WireJSON.encode(request))
    }

    func plan(_ request: BackupRequest) async throws -> BackupPlanView {
        try await call("POST", UserAPI.backupPlanPath, purpose: .reading, body: try WireJSON.encode(request))
    }

    func restore(_ request: RestoreRequest) async throws -> SessionView {
        try await call("POST", UserAPI.restoresPath, body: try WireJSON.encode(request))
    }

    func cancel(_ key: ResourceKey, requestedBy: String) async throws -> SessionView {
        try await call("POST", UserAPI.cancelPath(try Self.checked(key)), query: [("requestedBy", requestedBy)])
    }

    func snapshots(namespace: String?, target: String?) async throws -> [BackupView] {
        try await call(
            "GET",
            UserAPI.snapshotsPath,
            query: [("namespace", namespace), ("target", target)],
            // Every manifest is read from the object store.
            timeout: .seconds(120)
        )
    }

    func locks() async throws -> [LockView] { try await call("GET", UserAPI.locksPath) }

    /// The lines of a session's logs as they come; ends with the session when following.
    func logs(_ key: ResourceKey, pod: String?, level: String?, follow: Bool) async throws -> LogLines {
        let way = try await route.way(for: .reading)
        var request = request(
            way,
            "GET",
            UserAPI.logsPath(try Self.checked(key)),
            query: [("pod", pod), ("level", level), ("follow", follow ? "true" : nil)]
        )
        request.timeout = nil
        // While nothing is written the coordinator sends an empty line every few seconds.
        request.idleTimeout = .seconds(120)
        let response: HTTPStreamedResponse
        do {
            response = try await way.http.stream(request)
        } catch {
            throw unreachable(error)
        }
        guard (200..<300).contains(response.status) else {
            throw await failure(status: response.status, body: try await response.body.collect(upTo: 1 << 20))
        }
        return LogLines(response.body)
    }

    // MARK: Inside

    private func request(
        _ way: CoordinatorWay,
        _ method: String,
        _ path: String,
        query: [(String, String?)],
        body: [UInt8] = []
    ) -> HTTPRequest {
        let parameters = query.compactMap { name, value in value.map { "\(name)=\(Self.percentEncoded($0))" } }
        var headers = [("Accept", "application/json")]
        if !body.isEmpty { headers.append(("Content-Type", "application/json")) }
        if let token = way.token { headers.append(("Authorization", "Bearer \(token)")) }
        return HTTPRequest(
            method: method,
            url: way.url + path + (parameters.isEmpty ? "" : "?" + parameters.joined(separator: "&")),
            headers: headers,
            body: body,
            // A request that makes a session must not be repeated by the library behind our back.
            usesFreshConnection: method != "GET"
        )
    }

    private func call<Answer: Decodable>(
        _ method: String,
        _ path: String,
        query: [(String, String?)] = [],
        purpose: CallPurpose? = nil,
        body: [UInt8] = [],
        timeout: Duration = .seconds(30)
    ) async throws -> Answer {
        let way = try await route.way(for: purpose ?? (method == "GET" ? .reading : .changing))
        var request = request(way, method, path, query: query, body: body)
        request.timeout = timeout
        request.idleTimeout = timeout
        let response: HTTPResponse
        do {
            response = try await way.http.send(request)
        } catch {
            throw unreachable(error)
        }
        guard (200..<300).contains(response.status) else {
            throw await failure(status: response.status, body: response.body)
        }
        do {
            return try WireJSON.decode(Answer.self, from: response.body)
        } catch {
            throw CommandFailure(
                .unreachable,
                "what answers at \(url) is no coordinator of this version: \(path) gave something else",
                hint: "compare the versions with: remora version"
            )
        }
    }

    private func unreachable(_ error: any Error) -> any Error {
        guard let error = error as? HTTPClientError else { return error }
        switch error.code {
        case .cancelled: return CancellationError()
        case .tls:
            return CommandFailure(
                .unreachable,
                "no trusted connection to the coordinator at \(url): \(error.message)",
                hint: route.untrustedHint
            )
        case .invalidURL:
            return CommandFailure(
                .usage,
                "the coordinator's URL is '\(url)'; it looks like \(ConnectionOptions.defaultURL) or https://host:port"
            )
        default:
            let reason =
                switch error.code {
                case .cannotConnect where error.message.contains("resolve"): "there is no host of that name"
                case .cannotConnect: "nobody accepts connections there"
                case .timedOut: "no answer in time"
                default: error.message
                }
            return CommandFailure(
                .unreachable,
                "the coordinator at \(url) does not answer: \(reason)",
                hint: route.unreachableHint
            )
        }
    }

    private func failure(status: Int, body: [UInt8]) async -> CommandFailure {
        if status == 503 { await route.leaderIsElsewhere() }
        // Whatever isn't our error shape comes from something in between; its status is all there is to say.
        let answer = try? WireJSON.decode(ErrorResponse.self, from: body)
        let message = answer?.error.message ?? "the coordinator at \(url) answered with HTTP status \(status)"
        switch status {
        case 401, 403:
            return CommandFailure(.unauthorized, message, hint: route.unauthorizedHint)
        case 404 where answer != nil: return CommandFailure(.notFound, message)
        case 404:
            return CommandFailure(.unreachable, "what answers at \(url) is no coordinator: HTTP status 404")
        case 409, 410, 400, 413, 422: return CommandFailure(.refused, message)
        case 502 where answer != nil: return CommandFailure(.storage, message)
        case 429, 502, 503, 504:
            return CommandFailure(.unreachable, message, hint: "it should pass: try again in a few seconds")
        default: return CommandFailure(.failed, message)
        }
    }

    /// Names go into paths as they are: what could not be a name is not sent.
    private static func checked(_ key: ResourceKey) throws -> ResourceKey {
        for name in [key.namespace, key.name] {
            guard !name.isEmpty, name.utf8.allSatisfy({ isUnreserved($0) }), name != ".", name != ".." else {
                throw CommandFailure(.notFound, "'\(Printable.escape(key.description))' can't be the name of a session")
            }
        }
        return key
    }

    static func percentEncoded(_ text: String) -> String {
        text.utf8.map { byte in
            if isUnreserved(byte) { return String(UnicodeScalar(byte)) }
            let hex = String(byte, radix: 16, uppercase: true)
            return hex.count == 1 ? "%0\(hex)" : "%\(hex)"
        }.joined()
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
