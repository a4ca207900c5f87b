import Foundation

/// What a command runs in: outputs, clock and environment.
///
/// Task-local, so that tests run commands side by side in this process.
struct Surroundings: Sendable {
    var console: Console
    var clock: Clock
    var environment: [String: String]

    @TaskLocal static var current = Surroundings.ofProcess()

    /// Those of this process.
    static func ofProcess() -> Surroundings {
        let environment = ProcessInfo.processInfo.environment
        return Surroundings(console: .standard(environment), clock: .system, environment: environment)
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
