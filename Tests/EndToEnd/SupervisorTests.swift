import Foundation
import TestSupport
import Testing

/// The first process of an agent's container, as a process.
@Suite("an agent's supervisor lives whatever happens to its worker", .serialized)
struct SupervisorTests {
    /// A supervised agent whose coordinator and database are both away, which is no reason to end.
    private struct Rig {
        let directory: TestDirectory
        let agent: Server
        let program: String
        var state: String { directory.appending("state") }

        init(_ directory: TestDirectory, arguments: [String] = [], without missing: String? = nil) throws {
            self.directory = directory
            program = try Binaries.beside().path("remora-agent")
            try directory.write("token", to: "token")
            let settings = [
                "--coordinator": "http://127.0.0.1:1", "--enrolment-token-file": directory.appending("token"),
                "--state-dir": directory.appending("state"), "--namespace": "demo", "--pod": "mongo-0",
                "--cluster": "shop", "--mongodb-uri": "mongodb://127.0.0.1:1",
            ]
            agent = Server(
                "agent",
                program: program,
                arguments: ["--supervise"] + settings.filter { $0.key != missing }.flatMap { [$0.key, $0.value] }
                    + arguments,
                logPath: directory.appending("agent.log")
            )
        }

        func health(_ options: String...) async throws -> Command.Output {
            try await Command(program, ["health"] + options, environment: ["REMORA_STATE_DIR": state]).output()
        }

        func waitUntilHealthy() async throws {
            try await eventually("the worker says that it works", within: .seconds(30)) {
                guard agent.isRunning else { throw FatalWaitError("the supervisor ended\n\(agent.logTail())") }
                return try await health("--strict").errorText.hasPrefix("healthy: the agent works")
            }
        }

        /// The worker's process id; nil while there is none.
        func worker() -> pid_t? {
            guard let supervisor = agent.process?.pid else { return nil }
            return ChildProcesses.of(supervisor).first
        }
    }

    @Test("a worker that is killed is replaced, and the supervisor goes on; SIGTERM ends both with the worker's code")
    func killedWorker() async throws {
        try await withTestDirectory("e2e-supervisor") { directory in
            let rig = try Rig(directory)
            try await rig.agent.launch()
            try await rig.waitUntilHealthy()
            let supervisor = try #require(rig.agent.process?.pid)
            let first = try #require(rig.worker())
            kill(first, SIGKILL)
            let second = try await eventually("another worker runs", within: .seconds(30)) {
                rig.worker().flatMap { $0 == first ? nil : $0 }
            }
            try await rig.waitUntilHealthy()
            #expect(rig.agent.process?.pid == supervisor && rig.agent.isRunning)
            #expect(rig.agent.logTail().contains("the worker was ended by signal 9; the next one starts in 1 s"))

            let status = await rig.agent.stop(grace: .seconds(30))
            #expect(status == .code(0), "\(rig.agent.logTail())")
            #expect(rig.agent.logTail().contains("asked to end"), "the worker was asked too")
            #expect(kill(second, 0) == -1, "no worker is left")
            let nobody = try await rig.health()
            #expect(nobody.status == .code(1))
            #expect(nobody.errorText.contains("no agent runs with this state directory"), "\(nobody.errorText)")
        }
    }

    @Test("a configuration that makes no sense ends nothing: the log and `health` say why, and what is mended works")
    func badConfiguration() async throws {
        try await withTestDirectory("e2e-supervisor") { directory in
            let rig = try Rig(directory, arguments: ["--password-file", directory.appending("password")])
            try await rig.agent.launch()
            let sentence = try await eventually("the reason is told", within: .seconds(30)) {
                let answer = try await rig.health()
                return answer.errorText.contains("--password-file is not there") ? answer : nil
            }
            #expect(sentence.status == .code(0), "a new start of the container would not help: \(sentence.errorText)")
            #expect(sentence.errorText.hasPrefix("troubled: the worker ended with code 2: the file"))
            #expect(sentence.errorText.split(separator: "\n").count == 1)
            #expect(try await rig.health("--strict").status == .code(1))
            #expect(rig.agent.isRunning)
            #expect(rig.agent.logTail().contains("ended with code 2: the file"), "\(rig.agent.logTail())")

            try directory.write("secret", to: "password")
            try await eventually("the mended configuration is found", within: .seconds(60)) {
                try await rig.health("--strict").status.succeeded
            }
            #expect(await rig.agent.stop(grace: .seconds(30)) == .code(0))
        }
    }

    @Test("words that no agent knows, or that are missing, are told the same way", arguments: ["--bogus", "--pod"])
    func badWords(_ word: String) async throws {
        try await withTestDirectory("e2e-supervisor") { directory in
            let rig = try Rig(directory, arguments: word == "--bogus" ? [word] : [], without: word)
            try await rig.agent.launch()
            try await eventually("the reason is told", within: .seconds(30)) {
                try await rig.health().errorText.contains(word)
            }
            #expect(rig.agent.isRunning)
            // 0, or that of the worker which has just begun to complain.
            #expect(await rig.agent.stop(grace: .seconds(30)) != .signal(SIGKILL))
        }
    }

    @Test("a worker whose supervisor was killed ends by itself: the next supervisor's worker must be the only one")
    func killedSupervisor() async throws {
        try await withTestDirectory("e2e-supervisor") { directory in
            let rig = try Rig(directory)
            try await rig.agent.launch()
            try await rig.waitUntilHealthy()
            let worker = try #require(rig.worker())
            await rig.agent.kill()
            try await rig.agent.launch()
            try await rig.waitUntilHealthy()
            #expect(rig.worker() != worker)
            #expect(kill(worker, 0) == -1)
            await rig.agent.stop(grace: .seconds(30))
        }
    }

    @Test("an agent without a supervisor answers `health` too")
    func unsupervised() async throws {
        try await withTestDirectory("e2e-supervisor") { directory in
            let rig = try Rig(directory)
            let agent = Server(
                "agent",
                program: rig.program,
                arguments: ["run"] + rig.agent.arguments.filter { $0 != "--supervise" },
                logPath: directory.appending("agent.log")
            )
            try await agent.launch()
            try await eventually("the agent answers", within: .seconds(30)) {
                guard agent.isRunning else { throw FatalWaitError("it ended\n\(agent.logTail())") }
                return try await rig.health("--strict").errorText.hasPrefix("healthy: the agent works")
            }
            agent.freeze()
            let answer = try await rig.health()
            #expect(answer.status == .code(1))
            #expect(answer.errorText.contains("it hangs"), "\(answer.errorText)")
            agent.resume()
            await agent.stop(grace: .seconds(30))
        }
    }
}
