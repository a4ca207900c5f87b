import Agent
import ArgumentParser

/// `remora-agent health`: one look at the agent that runs, for probes and people.
struct HealthArguments: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remora-agent health",
        abstract: "Asks the running agent how it is; the answer is one sentence on standard error.",
        discussion: """
            Exit code 0: the agent lives, and a new start of its container would not make anything better, even if \
            something is wrong. 1: nobody answers within 5 s, or the agent doesn't move any more.

            A liveness probe wants just that: the restart of a container makes the whole pod not ready, with the \
            database in it. People and scripts take --strict.
            """
    )

    @Option(
        name: .customLong(AgentSetting.stateDir.flag),
        help: ArgumentHelp("\(AgentSetting.stateDir.fullHelp)", valueName: "value")
    )
    var stateDir: String?

    @Flag(help: "Exit code 1 also when the agent's worker can't begin or dies again and again.")
    var strict = false

    /// Asks, says what was answered, and ends.
    func answer(_ environment: [String: String]) -> Never {
        let directory = Invocation.stateDirectory(
            stateDir.map { ["--\(AgentSetting.stateDir.flag)", $0] } ?? [],
            environment
        )
        do throws(AgentError) {
            let report = try HealthQuestion.ask(stateDirectory: directory)
            let isGood = report.state == .healthy || (report.state == .troubled && !strict)
            Process.say("\(report.state.rawValue): \(report.sentence)")
            Process.end("", isGood ? .success : .failure)
        } catch {
            Process.end("remora-agent: \(error.message)", .failure)
        }
    }
}
