import Agent
import BackupModel
import Engines

/// `--check`: one look at the database, for a person who sets an agent up and for readiness scripts.
enum Check {
    static func run(_ settings: AgentSettings) async -> Never {
        let status = await settings.makeEngine().inspect()
        do {
            Process.print(String(decoding: try WireJSON.encode(status, pretty: true), as: UTF8.self))
        } catch {
            Process.end("remora-agent: can't print the member's status: \(error)", .failure)
        }
        guard status.isReachable, status.problems.isEmpty else {
            let redactor = Redactor()
            for secret in settings.secrets { redactor.register(secret) }
            let problems = status.problems.isEmpty ? ["the database doesn't answer"] : status.problems
            Process.end(problems.map { "remora-agent: \(redactor.redact($0))" }.joined(separator: "\n"), .failure)
        }
        Process.end("", .success)
    }
}
