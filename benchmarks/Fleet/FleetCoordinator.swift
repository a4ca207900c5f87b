import BackupModel
import Foundation
import NIOHTTP1
import TestSupport

/// The real coordinator as a process, with what the kernel says of it.
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

    // MARK: What the kernel says (proc(5))

    /// KiB of memory that are resident now.
    var residentKiB: Int { field("VmRSS:") }
    /// KiB that were resident at most.
    var peakKiB: Int { field("VmHWM:") }
    /// Threads.
    var threads: Int { field("Threads:") }

    private func field(_ name: String) -> Int {
        for line in file("status").split(separator: "\n") where line.hasPrefix(name) {
            return line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0
        }
        return 0
    }

    /// Processor seconds so far.
    var cpuSeconds: Double {
        let text = file("stat")
        guard let end = text.lastIndex(of: ")") else { return 0 }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    private func file(_ name: String) -> String {
        guard let pid = server.process?.pid, let data = FileManager.default.contents(atPath: "/proc/\(pid)/\(name)")
        else { return "" }
        return String(decoding: data, as: UTF8.self)
    }
}
