import Foundation
import TestSupport

/// A real MariaDB with an agent beside it that knows it by objects alone, a coordinator, and the command line.
final class CommandRig: Sendable {
    let directory: TestDirectory
    let database: MariaDBServer
    let deployment: Deployment
    let agent: Server

    private init(_ directory: TestDirectory, _ database: MariaDBServer, _ deployment: Deployment, _ agent: Server) {
        self.directory = directory
        self.database = database
        self.deployment = deployment
        self.agent = agent
    }

    /// The password as the agent reads it for every job.
    var passwordFile: String { "mariadb.password" }

    static func start(in directory: TestDirectory) async throws -> CommandRig {
        let database = try await MariaDBServer.start(in: directory)
        let deployment = try Deployment(in: directory, binaries: .beside())
        try directory.write(try objects(directory), to: "objects/shop.yaml")
        let programs = try programs(directory)
        try directory.write(MariaDBServer.user.name, to: "mariadb.user")
        try directory.write("\(MariaDBServer.user.password)\n", to: "mariadb.password")
        let agent = Server(
            "agent mysql-0",
            program: deployment.binaries.path("remora-agent"),
            arguments: [
                "--coordinator", deployment.url, "--enrolment-token-file", directory.appending("enrolment.token"),
                "--state-dir", try directory.makeDirectory("agent-mysql-0"), "--namespace", "demo", "--pod", "mysql-0",
                "--cluster", "shop", "--engine", "mysql", "--endpoint", "127.0.0.1:\(database.port)",
                "--programs-dir", programs, "--username-file", directory.appending("mariadb.user"),
                "--password-file", directory.appending("mariadb.password"),
            ],
            logPath: directory.appending("agent-mysql-0.log")
        )
        try await deployment.startCoordinator()
        try await agent.launch()
        let rig = CommandRig(directory, database, deployment, agent)
        try await deployment.waitUntilConnected([agent])
        return rig
    }

    func stop() async {
        await deployment.stop([agent])
        await database.server.kill()
    }

    /// A directory with MariaDB's programs, as the agent's image has it.
    static func programs(_ directory: TestDirectory) throws -> String {
        let programs = try directory.makeDirectory("programs")
        for name in ["mariadb-dump", "mariadb"] {
            try FileManager.default.createSymbolicLink(
                atPath: "\(programs)/\(name)",
                withDestinationPath: try Tools.mariaDB(name)
            )
        }
        return programs
    }

    /// Repository, target and configuration.
    static func base(_ directory: TestDirectory) -> String {
        Deployment.objects(
            backend: "    local:\n      mountPath: \(directory.appending("repository"))",
            configuration: "  task: {name: mysql-backup, params: [{name: database, value: shop}]}\n"
                + "  retryConfig: {maxRetry: 0}\n"
        ).replacingOccurrences(of: "type: mongodb", with: "type: mysql")
    }

    /// The functions and tasks of `manifests/samples/mysql.yaml`, as they are.
    static func sample() throws -> [String] {
        let file = "\(Tools.packageRoot)/manifests/samples/mysql.yaml"
        let sample = try String(contentsOfFile: file, encoding: .utf8).components(separatedBy: "\n---\n").filter {
            $0.contains("\nkind: Function\n") || $0.contains("\nkind: Task\n")
        }
        guard sample.count == 4 else { throw TestSupportError("\(file) has not two functions and two tasks") }
        return sample
    }

    /// The objects: functions and tasks of the sample as they are, and some of the same that go wrong.
    private static func objects(_ directory: TestDirectory) throws -> String {
        let (base, sample) = (base(directory), try sample())
        guard let dump = sample.first(where: { $0.contains("name: mysql-dump") }) else {
            throw TestSupportError("the sample has no function mysql-dump")
        }
        func bad(_ name: String, _ command: String) -> [String] {
            let function = dump.replacingOccurrences(of: "name: mysql-dump", with: "name: \(name)-dump")
                .replacingOccurrences(of: "    - --no-defaults\n", with: "")
                .replacingOccurrences(of: "[mariadb-dump]", with: command)
            let rest = """
                apiVersion: remora.dev/v1alpha1
                kind: Task
                metadata: {name: \(name)}
                spec: {steps: [{name: \(name)-dump, params: [{name: database, value: shop}]}]}
                ---
                apiVersion: remora.dev/v1alpha1
                kind: BackupConfiguration
                metadata: {name: \(name), namespace: demo}
                spec:
                  repository: {name: main}
                  target: {ref: {name: shop}}
                  retryConfig: {maxRetry: 0}
                  task: {name: \(name)}
                """
            return [function, rest]
        }
        let all =
            [base] + sample + bad("slow", "[mariadb-dump, --no-defaults, '--where=SLEEP(0.05) = 0']")
            + bad("cut", "[cut-dump]")
        return all.joined(separator: "\n---\n")
    }

    /// Starts a backup by a configuration and returns its session's name.
    func startBackup(_ configuration: String) async throws -> String {
        guard let name = try await deployment.json("backup", configuration)["name"].string else {
            throw TestSupportError("backup printed no name")
        }
        return name
    }

    /// The program that the agent runs right now; nil when it runs none.
    func program() throws -> pid_t? {
        guard let pid = agent.process?.pid else { return nil }
        for task in try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task") {
            let children = try? String(contentsOfFile: "/proc/\(pid)/task/\(task)/children", encoding: .utf8)
            if let child = children?.split(separator: " ").first.flatMap({ pid_t($0) }) { return child }
        }
        return nil
    }

    /// How many backups there are, and snapshots in the group's repository.
    func counts() async throws -> (backups: Int, snapshots: Int) {
        let backups = try await deployment.json("snapshots").elements.count
        let folder = directory.appending("repository/demo/shop/standalone/snapshots")
        let snapshots = (try? FileManager.default.subpathsOfDirectory(atPath: folder)) ?? []
        return (backups, snapshots.filter { $0.count >= 64 }.count)
    }

    /// Everything that anybody wrote down: logs, archived logs, state.
    func allWords() throws -> String {
        var words = deployment.logs([agent], lines: 10_000)
        for folder in ["state", "agent-mysql-0"] {
            for path in try FileManager.default.subpathsOfDirectory(atPath: directory.appending(folder)) {
                let data = FileManager.default.contents(atPath: directory.appending("\(folder)/\(path)")) ?? Data()
                words += String(decoding: data, as: UTF8.self)
            }
        }
        return words
    }
}

/// Runs a test on a rig of its own and ends it; a failure shows what everybody said.
func withCommandRig(_ name: String, _ body: (CommandRig) async throws -> Void) async throws {
    try await withTestDirectory(name) { directory in
        let rig = try await CommandRig.start(in: directory)
        do {
            try await body(rig)
            await rig.stop()
        } catch {
            let logs = rig.deployment.logs([rig.agent])
            await rig.stop()
            throw TestSupportError("\(error)\n\(logs)\n\(rig.database.server.logTail())")
        }
    }
}
