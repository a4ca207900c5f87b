import BackupModel
import Glibc
import Kubernetes

/// Credentials that a program makes, kept until they expire or are refused.
///
/// Calls that come while the program runs wait for it instead of starting it again.
actor ExecAccess: AccessSource {
    /// Credentials that expire so soon are made anew: a call may take a while.
    private static let leeway: Int64 = 10_000

    private let plugin: ExecPlugin
    private let fixed: Access
    private let environment: [String: String]
    private let time: TimeSource
    private var kept: (access: Access, expires: Timestamp?)?
    private var running: Task<Result<(access: Access, expires: Timestamp?), KubernetesError>, Never>?

    init(_ plugin: ExecPlugin, fixed: Access, environment: [String: String], time: TimeSource) {
        self.plugin = plugin
        self.fixed = fixed
        self.environment = environment
        self.time = time
    }

    func access() async throws(KubernetesError) -> Access {
        if let kept, kept.expires.map({ time.wallClock().unixMs + Self.leeway < $0.unixMs }) ?? true {
            return kept.access
        }
        kept = nil
        // Shared by all who wait, and so no child of any of them.
        let task =
            running ?? Task { [plugin, fixed, environment] in await Self.run(plugin, fixed: fixed, environment) }
        running = task
        let result = await task.value
        if running == task {
            running = nil
            if case .success(let made) = result { kept = made }
        }
        return try result.get().access
    }

    func forget() { kept = nil }

    private static func run(
        _ plugin: ExecPlugin,
        fixed: Access,
        _ environment: [String: String]
    ) async -> Result<(access: Access, expires: Timestamp?), KubernetesError> {
        let isTerminal = isatty(STDIN_FILENO) == 1
        if plugin.mayAsk == nil, !isTerminal {
            return .failure(plugin.failure("it has to ask a person, and standard input is no terminal"))
        }
        let isInteractive = isTerminal && plugin.mayAsk != false
        var variables = environment.merging(plugin.environment) { $1 }
        variables["KUBERNETES_EXEC_INFO"] = plugin.information(isInteractive: isInteractive)
        let program = Program(
            command: plugin.command,
            arguments: plugin.arguments,
            environment: variables,
            readsTerminal: isInteractive
        )
        do throws(KubernetesError) {
            let output: [UInt8]
            do {
                output = try await program.output()
            } catch {
                throw plugin.failure(error.reason)
            }
            return .success(try plugin.read(output, fixed: fixed))
        } catch {
            return .failure(error)
        }
    }
}
