import Agent
import Glibc

/// What this process is to be, decided by its words and variables alone: a supervisor must live on with options that
/// make no sense, so it can't be the one that parses them.
enum Invocation {
    /// Asks a running agent.
    case health([String])
    /// Keeps a worker with these arguments running.
    case supervisor([String], stateDirectory: String)
    /// Does the work, or what the options say.
    case worker([String])

    /// - Parameters:
    ///   - arguments: without the program's name.
    ///   - environment: the process's.
    ///   - isFirstProcess: whether it is process 1.
    ///   - isSupervised: whether a supervisor started it.
    init(arguments: [String], environment: [String: String], isFirstProcess: Bool, isSupervised: Bool) {
        switch arguments.first {
        case "health":
            self = .health(Array(arguments.dropFirst()))
            return
        case "run": self = Self.running(Array(arguments.dropFirst()), environment, isFirstProcess, isSupervised)
        default: self = Self.running(arguments, environment, isFirstProcess, isSupervised)
        }
    }

    private static let supervise = "--supervise"
    /// What is answered once and is over then.
    private static let questions: Set<String> = ["--help", "-h", "--version", "--check"]

    private static func running(
        _ arguments: [String],
        _ environment: [String: String],
        _ isFirstProcess: Bool,
        _ isSupervised: Bool
    ) -> Invocation {
        let isAsked = arguments.contains(supervise) || environment["REMORA_SUPERVISE"] == "true"
        guard isAsked || isFirstProcess, !isSupervised, questions.isDisjoint(with: arguments) else {
            return .worker(arguments)
        }
        return .supervisor(
            arguments.filter { $0 != supervise },
            stateDirectory: stateDirectory(arguments, environment)
        )
    }

    /// The state directory as the worker will understand the same words; a flag wins over its variable.
    static func stateDirectory(_ arguments: [String], _ environment: [String: String]) -> String {
        let flag = "--\(AgentSetting.stateDir.flag)"
        for (index, word) in arguments.enumerated() {
            if word == flag, index + 1 < arguments.count { return arguments[index + 1] }
            if word.hasPrefix("\(flag)=") { return String(word.dropFirst(flag.count + 1)) }
        }
        let variable = environment[AgentSetting.stateDir.environmentVariable] ?? ""
        return variable.isEmpty ? AgentSetting.stateDir.defaultValue ?? "." : variable
    }
}
