import ArgumentParser
import Kubernetes

/// `remora __complete`: what `kubectl_complete-remora` asks.
struct CompleteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "__complete",
        abstract: "What may come next on the command line, for shells.",
        shouldDisplay: false
    )

    @Argument(parsing: .captureForPassthrough, help: "The words so far; the last one may be empty.")
    var words: [String] = []

    func run() throws {
        let console = Surroundings.current.console
        // A shell has no use for a message: what can't be read completes to nothing.
        guard let tool = try? JSONTree(parsing: Array(RemoraCommand._dumpHelp().utf8)) else { return }
        console.write(Completion.make(words, tool: tool).text)
    }
}
