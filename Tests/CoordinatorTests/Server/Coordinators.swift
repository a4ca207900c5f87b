import BackupModel
import Foundation
import HTTPClient
import Logging
import ServiceLifecycle
import TestSupport
import Testing

@testable import Coordinator

extension ListenAddress {
    /// Whether somebody answers there, asked over a connection of its own.
    func isAnswering() async -> Bool {
        // No answer is one, too.
        (try? await HTTPClient().send(HTTPRequest(url: "http://\(self)/")).status) == 200
    }
}

/// A coordinator in this process, serving on loopback from a directory of its own.
struct RunningCoordinator: Sendable {
    let url: String
    let directory: TestDirectory
    var http = HTTPClient()

    static let objects = """
        apiVersion: remora.dev/v1alpha1
        kind: Repository
        metadata: {name: main, namespace: shop}
        spec:
          backend:
            local: {mountPath: REPOSITORY}
            storageSecretName: main
        ---
        apiVersion: remora.dev/v1alpha1
        kind: AppBinding
        metadata: {name: orders, namespace: shop}
        spec: {type: mongodb}
        ---
        apiVersion: remora.dev/v1alpha1
        kind: BackupConfiguration
        metadata: {name: hourly, namespace: shop}
        spec:
          retryConfig: {maxRetry: 2, delay: 1s}
          repository: {name: main}
          target: {ref: {name: orders}}
        """

    /// Writes objects and secrets.
    static func prepare(_ directory: TestDirectory) throws {
        for name in ["objects", "secrets", "secrets/main"]
        where !FileManager.default.fileExists(atPath: directory.appending(name)) {
            _ = try directory.makeDirectory(name)
        }
        let text = objects.replacingOccurrences(of: "REPOSITORY", with: directory.appending("repository"))
        try directory.write(text, to: "objects/all.yaml")
        try directory.write("correct horse battery\n", to: "secrets/main/RESTIC_PASSWORD")
    }

    /// Runs a coordinator while `body` runs; it is stopped as by SIGTERM afterwards.
    static func run<Value: Sendable>(
        _ directory: TestDirectory,
        timings: SessionTimings = SessionTimings(leaseMs: 60_000, pollSeconds: 20),
        _ body: @escaping @Sendable (RunningCoordinator) async throws -> Value
    ) async throws -> Value {
        try prepare(directory)
        let port = try Ports.free()
        let address = try #require(ListenAddress("127.0.0.1:\(port)"))
        var configuration = CoordinatorConfiguration(
            objectsDirectory: directory.appending("objects"),
            secretsDirectory: directory.appending("secrets"),
            stateDirectory: directory.appending("state"),
            listen: address,
            enrolmentTokenFile: directory.appending("state/enrolment.token"),
            version: "test"
        )
        configuration.timings = timings
        let service = try CoordinatorService(
            configuration,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let group = ServiceGroup(
            configuration: .init(services: [service], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        )
        let running = RunningCoordinator(url: "http://127.0.0.1:\(port)", directory: directory)
        return try await withThrowingTaskGroup(of: Value?.self) { tasks in
            tasks.addTask {
                try await group.run()
                return nil
            }
            tasks.addTask {
                try await eventually("the coordinator answers") {
                    try await running.http.send(HTTPRequest(url: running.url + "/healthz")).status == 200
                }
                return try await body(running)
            }
            var value: Value?
            while let result = try await tasks.next() {
                if let result {
                    value = result
                    await group.triggerGracefulShutdown()
                }
            }
            return try #require(value)
        }
    }

    /// When the only agent was last heard of.
    func lastSeen() async throws -> Timestamp? {
        try await get(StatusView.self, UserAPI.statusPath).targets.first?.agents.first?.lastSeen
    }

    func token(_ name: String) throws -> String {
        try String(contentsOfFile: directory.appending("state/\(name).token"), encoding: .utf8)
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// One call with a JSON text.
    func call(
        _ method: String,
        _ path: String,
        token: String? = nil,
        headers: [(String, String)] = [],
        _ body: String = ""
    ) async throws -> HTTPResponse {
        var all = headers
        if let token { all.append(("Authorization", "Bearer \(token)")) }
        if !body.isEmpty, !headers.contains(where: { $0.0 == "Content-Type" }) {
            all.append(("Content-Type", "application/json"))
        }
        return try await http.send(
            HTTPRequest(method: method, url: url + path, headers: all, body: Array(body.utf8))
        )
    }

    func get<View: Decodable>(_ type: View.Type, _ path: String) async throws -> View {
        let response = try await call("GET", path)
        try #require(response.status == 200, "\(String(decoding: response.body, as: UTF8.self))")
        return try WireJSON.decode(type, from: response.body)
    }

    /// Asks for a backup; gives back its key.
    func backup() async throws -> ResourceKey {
        let response = try await call(
            "POST",
            UserAPI.backupsPath,
            token: try token("admin"),
            #"{"namespace":"shop","configuration":"hourly","requestedBy":"test"}"#
        )
        try #require(response.status == 201, "\(String(decoding: response.body, as: UTF8.self))")
        let view = try WireJSON.decode(SessionView.self, from: response.body)
        return ResourceKey(namespace: view.namespace, name: view.name)
    }

    func session(_ key: ResourceKey) async throws -> SessionView {
        try await get(SessionView.self, UserAPI.sessionPath(key))
    }
}

/// An agent that says exactly what a test wants, in the protocol's own words.
struct ScriptedAgent: Sendable {
    var coordinator: RunningCoordinator
    var pod: String
    var incarnation = "i1"
    var role = "secondary"
    /// The target that it says it belongs to.
    var cluster = "orders"
    var engine = "mongodb"
    var token = ""
    var epoch: Int64 = 0
    /// The pod's uid; nil: made from its name.
    var uid: String?
    /// Fingerprints of the authorities that it says to trust; nil: it says nothing.
    var trusted: [String]?
    /// The token to register with; nil: the shared secret.
    var bearer: String?

    init(_ coordinator: RunningCoordinator, pod: String = "mongo-1", role: String = "secondary") {
        self.coordinator = coordinator
        self.pod = pod
        self.role = role
    }

    mutating func register(jobs: String = "[]") async throws {
        let response = try await tryRegister(jobs: jobs)
        try #require(response.status == 200, "\(String(decoding: response.body, as: UTF8.self))")
        let answer = try WireJSON.decode(RegisterResponse.self, from: response.body)
        token = answer.sessionToken
        epoch = answer.epoch
    }

    func tryRegister(jobs: String = "[]") async throws -> HTTPResponse {
        try await coordinator.call(
            "POST",
            AgentProtocol.registerPath,
            token: try bearer ?? coordinator.token("enrolment"),
            """
            {"incarnation":"\(incarnation)","agentVersion":"0","protocolRange":{"min":1,"max":1},"features":["backup.mongodb"],
             "pod":{"namespace":"shop","name":"\(pod)","uid":"\(uid ?? "uid-\(pod)")"},"cluster":"\(cluster)","engine":"\(engine)",
             "jobs":\(jobs),"unixMs":1755856800123,"unknown":"fields are ignored"}
            """
        )
    }

    func checkinBody(ack: String, wait: Int, jobs: String, epoch: Int64, lock: String = "null") -> String {
        """
        {"trustedAuthorities":\(trusted.map { "\($0)" } ?? "null"),"epoch":\(epoch),"ackRevision":"\(ack)","waitSeconds":\(wait),"jobs":\(jobs),
         "member":{"isReachable":true,"role":"\(role)","group":"rs0","host":"\(pod):27017","members":[],"lagSeconds":1,
                   "priority":1,"isHidden":false,"votes":1,"isLockable":\(role == "secondary"),"lock":\(lock),"problems":[]}}
        """
    }

    func checkin(
        ack: String = "",
        wait: Int = 0,
        jobs: String = "[]",
        lock: String = "null"
    ) async throws -> DesiredDocument {
        let body = checkinBody(ack: ack, wait: wait, jobs: jobs, epoch: epoch, lock: lock)
        let response = try await coordinator.call("POST", AgentProtocol.checkinPath, token: token, body)
        try #require(response.status == 200, "\(String(decoding: response.body, as: UTF8.self))")
        return try WireJSON.decode(DesiredDocument.self, from: response.body)
    }

    /// Checks in until there is a job.
    func awaitJob(other than: Set<String> = []) async throws -> DesiredJob {
        try await eventually("\(pod) gets a job") {
            try await checkin(ack: "").jobs.first { !than.contains($0.jobID) }
        }
    }

    func heartbeat(_ job: DesiredJob, fence: Int64? = nil, lock: String = "null") async throws -> HTTPResponse {
        try await coordinator.call(
            "POST",
            AgentProtocol.heartbeatPath(job.jobID),
            token: token,
            """
            {"epoch":\(epoch),"fence":\(fence ?? job.fence),"lock":\(lock),
             "progress":{"step":"dump","bytesDone":1,"bytesTotal":2,"bytesUploaded":1,"objects":3}}
            """
        )
    }

    func log(_ job: DesiredJob, at offset: Int, _ text: String) async throws -> HTTPResponse {
        try await coordinator.call(
            "PATCH",
            AgentProtocol.logPath(job.jobID),
            token: token,
            headers: [
                ("Content-Range", "bytes \(offset)-\(offset + text.utf8.count - 1)/*"),
                ("Content-Type", "application/x-ndjson"),
            ],
            text
        )
    }

    static func result(snapshot: String?) -> String {
        """
        {"engine":"mongodb","group":"rs0","host":"mongo-1:27017","serverVersion":"6.0.5","guarantee":"group-cut",
         "consistency":"lock","cut":{"t":100,"i":1},"namespaces":2,"documents":42,"bytes":4200,"warnings":[],"durationMs":5,
         "bytesAdded":4200,"bytesStored":1000,"snapshotID":\(snapshot.map { "\"\($0)\"" } ?? "null")}
        """
    }

    func prepareCommit(_ job: DesiredJob, fence: Int64? = nil) async throws -> HTTPResponse {
        try await coordinator.call(
            "POST",
            AgentProtocol.prepareCommitPath(job.jobID),
            token: token,
            #"{"epoch":\#(epoch),"fence":\#(fence ?? job.fence),"result":\#(Self.result(snapshot: nil))}"#
        )
    }

    func complete(_ job: DesiredJob, outcome: String? = nil, logBytes: Int = 0) async throws -> HTTPResponse {
        let text = outcome ?? #"{"backup":\#(Self.result(snapshot: String(repeating: "ab", count: 32)))}"#
        return try await coordinator.call(
            "POST",
            AgentProtocol.completePath(job.jobID),
            token: token,
            #"{"epoch":\#(epoch),"fence":\#(job.fence),"outcome":\#(text),"logBytes":\#(logBytes)}"#
        )
    }
}

/// Code and status of an error answer.
func refusal(_ response: HTTPResponse) throws -> String {
    "\(response.status) \(try WireJSON.decode(ErrorResponse.self, from: response.body).error.code)"
}
