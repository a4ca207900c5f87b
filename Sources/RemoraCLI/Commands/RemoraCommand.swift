import ArgumentParser
import Glibc

/// The root of all commands.
struct RemoraCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remora",
        abstract: "Back up databases from beside them, and restore them.",
        discussion: """
            Most commands ask a coordinator: --coordinator or REMORA_COORDINATOR says where it is, --token-file or \
            REMORA_TOKEN_FILE what opens it. One in Kubernetes is reached as `kubectl remora`, or with --via-kubernetes, \
            --context or --kubeconfig: by a port-forward and a short-lived token. `remora repo` needs nothing but a repository and its password.

            Exit codes: remora exit-codes
            """,
        subcommands: [
            VersionCommand.self, ExitCodesCommand.self, CompleteCommand.self,
        ],
        groupedSubcommands: [
            CommandGroup(
                name: "See",
                subcommands: [
                    StatusCommand.self, SessionsCommand.self, DescribeCommand.self, LogsCommand.self,
                    SnapshotsCommand.self, LocksCommand.self,
                ]
            ),
            CommandGroup(name: "Do", subcommands: [BackupCommand.self, RestoreCommand.self, CancelCommand.self]),
            CommandGroup(
                name: "Kubernetes",
                subcommands: [
                    EnrollCommand.self, UnenrollCommand.self, AgentsCommand.self, DoctorCommand.self,
                    ReportCommand.self,
                ]
            ),
            CommandGroup(name: "Without a coordinator", subcommands: [RepoCommand.self, ConvertCommand.self]),
        ]
    )
}

/// The program.
public enum RemoraProgram {
    /// Runs the command that the process was started with, and ends the process.
    public static func main() async -> Never {
        // A reader of our output that goes away must not kill a command that holds a lock: writes fail instead.
        signal(SIGPIPE, SIG_IGN)
        exit(await run(Array(CommandLine.arguments.dropFirst())).code)
    }

    /// Runs one command in the current surroundings.
    static func run(_ arguments: [String]) async -> ExitStatus {
        let status = await ended(arguments)
        await Surroundings.current.atEnd.run()
        return status
    }

    private static func ended(_ arguments: [String]) async -> ExitStatus {
        let console = Surroundings.current.console
        do {
            var command = try RemoraCommand.parseAsRoot(arguments)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            try console.checkOutput()
            return .succeeded
        } catch let failure as CommandFailure {
            return end(failure, console)
        } catch {
            return parsingEnded(error, arguments, console)
        }
    }

    private static func end(_ failure: CommandFailure, _ console: Console) -> ExitStatus {
        var told = failure
        told.hint = told.hint.map { ProgramName.spoken($0, as: Surroundings.current.programName) }
        if failure.status != .brokenPipe { console.report(told) }
        return failure.status
    }

    /// The parser throws help and version too.
    private static func parsingEnded(_ error: any Error, _ arguments: [String], _ console: Console) -> ExitStatus {
        switch RemoraCommand.exitCode(for: error) {
        case .success:
            console.write(RemoraCommand.fullMessage(for: error) + "\n")
            return .succeeded
        case .validationFailure:
            let text = RemoraCommand.fullMessage(for: error)
            console.note(StyledText(spans: [.init(text: Printable.escape(text, keepsLines: true), style: .plain)]))
            return .usage
        default:
            return end(CommandFailure(describing: error), console)
        }
    }
}

extension StyledText {
    init(spans: [Span]) { self.spans = spans }
}
