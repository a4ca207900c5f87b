import BackupModel
import Foundation
import NIOHTTP1
import TestSupport

/// The real coordinator as a process.
struct FleetCoordinator: Sendable {
    let server: Server
    let port: Int
    private let directory: TestDirectory

    init(in directory: TestDirectory, enrolmentToken: String) throws {
        self.directory = directory
        port = Int(try Ports.free())
        for folder in ["objects", "secrets/storage", "state"] { _ = try directory.makeDirectory(folder) }
        try directory.write(Deployment.repositoryPassword, to: "secrets/storage/RESTIC_PASSWORD")
        try directory.write(enrolmentToken, to: "enrolment.token")
        server = Server(
            "coordinator",
            program: try Binaries.beside().path("remora-coordinator"),
            arguments: [
                "--objects", directory.appending("objects"), "--secrets", directory.appending("secrets"),
                "--state", directory.appending("state"), "--listen", "127.0.0.1:\(port)",
                "--enrolment-token-file", directory.appending("enrolment.token"),
            ],
            logPath: directory.appending("coordinator.log")
        )
    }

    /// Starts it and waits until it is ready.
    func start() async throws {
        try await server.launch()
        try await server.waitUntilReady(within: .seconds(60)) {
            let link = try await Link.open(port)
            defer { link.close() }
            return try await link.send(.GET, "/readyz", token: token, []).isSuccess
        }
    }

    private var token: String {
        get throws {
            let data = FileManager.default.contents(atPath: directory.appending("state/admin.token")) ?? Data()
            return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        }
    }

    /// What it tells people.
    func status() async throws -> StatusView { try await get(UserAPI.statusPath) }

    /// The newest sessions.
    func sessions(_ count: Int) async throws -> [SessionView] {
        try await get("\(UserAPI.sessionsPath)?limit=\(min(1000, count))")
    }

    private func get<Answer: Decodable>(_ path: String) async throws -> Answer {
        let link = try await Link.open(port)
        defer { link.close() }
        return try Link.decode(try await link.send(.GET, path, token: try token, []))
    }
}
