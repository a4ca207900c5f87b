import TestSupport
import Testing

/// How a command ended, and everything it said.
struct Said: Sendable {
    let code: TestSupport.ExitStatus
    let text: String

    init(_ output: Command.Output) {
        code = output.status
        text = output.errorText + output.text
    }

    /// The command ended with this code and said all of these words.
    func expect(_ code: Int32, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(self.code == .code(code), "\(text)", sourceLocation: sourceLocation)
        for word in words {
            #expect(text.contains(word), "'\(word)' is not in: \(text)", sourceLocation: sourceLocation)
        }
    }
}

extension Deployment {
    /// Runs `remora` and gives what it said; `environment` is laid over the usual one.
    func said(_ arguments: String..., environment: [String: String?] = [:]) async throws -> Said {
        Said(
            try await Command(
                binaries.path("remora"),
                arguments,
                environment: clientEnvironment.merging(environment) { $1 },
                limit: .seconds(180)
            ).output()
        )
    }

    /// The text of `remora status`.
    func statusText() async throws -> String { try await remora("status").text }
}
