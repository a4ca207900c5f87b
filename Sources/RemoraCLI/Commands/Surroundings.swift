import Foundation
import Glibc

/// What a command runs in: outputs, clock and environment.
///
/// Task-local, so that tests run commands side by side in this process.
struct Surroundings: Sendable {
    var console: Console
    var clock: Clock
    var environment: [String: String]
    /// Whether kubectl started us, as its plugin.
    var isPlugin = false
    /// Asks a person yes or no; nil where nobody sits.
    var ask: (@Sendable (String) -> Bool)?
    /// What is given back when the command is over.
    var atEnd = AtEnd()

    @TaskLocal static var current = Surroundings.ofProcess()

    /// Those of this process.
    static func ofProcess() -> Surroundings {
        let environment = ProcessInfo.processInfo.environment
        let console = Console.standard(environment)
        var surroundings = Surroundings(console: console, clock: .system, environment: environment)
        surroundings.isPlugin = isPlugin(CommandLine.arguments.first ?? "")
        if isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1 {
            surroundings.ask = { question in
                console.note("\(question) [y/N]")
                return ["y", "yes"].contains(readLine()?.lowercased())
            }
        }
        return surroundings
    }

    /// kubectl runs what is called `kubectl-remora` when somebody types `kubectl remora`.
    static func isPlugin(_ program: String) -> Bool {
        (program.split(separator: "/").last ?? "").hasPrefix("kubectl-")
    }

    /// What a person types to run us.
    var programName: String { isPlugin ? "kubectl remora" : "remora" }

    /// The path of a program that a shell would find; nil when there is none.
    func program(_ name: String) -> String? {
        (variable("PATH") ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":").map { "\($0)/\(name)" }
            .first { access($0, X_OK) == 0 }
    }

    /// A variable that is set to something.
    func variable(_ name: String) -> String? {
        guard let value = environment[name], !value.isEmpty else { return nil }
        return value
    }

    /// Who runs this, for people: `user@host`.
    var requester: String {
        "\(NSUserName())@\(ProcessInfo.processInfo.hostName)"
    }
}
