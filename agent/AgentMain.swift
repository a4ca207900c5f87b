import Agent
import ArgumentParser
import BackupModel
import CPlatform
import Engines
import Logging
import ServiceLifecycle
import UnixSignals

/// Parses, wires, runs under a service group; everything else is in `Agent` and `Engines`.
@main
struct AgentMain {
    static func main() async {
        // It would hold passwords.
        Process.forbidCoreDumps()
        let environment = Process.environment()
        let link = SupervisorLink.inherited()
        let invocation = Invocation(
            arguments: Array(CommandLine.arguments.dropFirst()),
            environment: environment,
            isFirstProcess: Process.isFirst,
            isSupervised: link != nil
        )
        switch invocation {
        case .health(let words): parse(HealthArguments.self, words).answer(environment)
        // Nothing has been awaited yet, so this is the only thread: as the supervisor wants it.
        case .supervisor(let words, let stateDirectory): supervise(words, stateDirectory)
        case .worker(let words): await work(words, environment, link)
        }
    }

    private static func parse<Arguments: ParsableCommand>(
        _ type: Arguments.Type,
        _ words: [String],
        _ link: SupervisorLink? = nil
    ) -> Arguments {
        do {
            return try Arguments.parse(words)
        } catch {
            link?.tell(HealthReport(.troubled, Arguments.message(for: error)))
            Process.end(
                Arguments.fullMessage(for: error),
                Arguments.exitCode(for: error).isSuccess ? .success : .usage
            )
        }
    }

    private static func supervise(_ words: [String], _ stateDirectory: String) -> Never {
        do throws(AgentError) {
            let supervisor = try Supervisor(
                program: "/proc/self/exe",
                arguments: words,
                stateDirectory: stateDirectory
            )
            Process.end(as: supervisor.run())
        } catch {
            Process.end("remora-agent: \(error.message)", .failure)
        }
    }

    private static func work(_ words: [String], _ environment: [String: String], _ link: SupervisorLink?) async {
        // Replies of many megabytes come again and again.
        remora_tune_allocator()
        let arguments = parse(AgentArguments.self, words, link)
        do {
            let settings = try AgentSettings(
                flags: arguments.values,
                environment: environment,
                version: RemoraVersion.current,
                needsCoordinator: !arguments.check
            )
            if arguments.check { await Check.run(settings) }
            try await serve(settings, link)
            AgentLogHandler.flush()
        } catch let error as AgentError {
            link?.tell(HealthReport(.troubled, error.message))
            Process.end("remora-agent: \(error.message)", error.code == .invalidConfiguration ? .usage : .failure)
        } catch {
            link?.tell(HealthReport(.troubled, "\(error)"))
            Process.end("remora-agent: \(error)", .failure)
        }
    }

    private static func serve(_ settings: AgentSettings, _ link: SupervisorLink?) async throws {
        let redactor = Redactor()
        for secret in settings.secrets { redactor.register(secret) }
        LoggingSystem.bootstrap { label in
            AgentLogHandler(component: label, redactor: redactor, logLevel: settings.logLevel)
        }
        let log = Logger(label: "agent")
        log.info(
            "remora-agent \(RemoraVersion.current) begins",
            metadata: ["cluster": "\(settings.configuration.cluster)"]
        )
        if settings.configuration.memory.isReduced {
            let budget = settings.configuration.memory.bytes >> 20
            log.info("the memory limit leaves \(budget) MiB for the buffers of jobs")
        }
        let tell = try healthTeller(settings, link)
        let agent = AgentService(
            configuration: settings.configuration,
            engine: settings.makeEngine(),
            redactor: redactor,
            log: log,
            onIdle: { remora_release_memory() },
            onHealth: { report in
                for secret in settings.currentSecrets() { redactor.register(secret) }
                tell(report)
            }
        )
        var configuration = ServiceGroupConfiguration(
            services: [
                ServiceGroupConfiguration.ServiceConfiguration(
                    service: agent,
                    successTerminationBehavior: .gracefullyShutdownGroup
                )
            ],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: Logger(label: "service")
        )
        // A pod has 30 s from the signal to the kill; a lock is released in the first of them.
        configuration.maximumGracefulShutdownDuration = .seconds(25)
        try await ServiceGroup(configuration: configuration).run()
    }

    /// Who is told how the agent is: its supervisor, or else who asks at the socket.
    private static func healthTeller(
        _ settings: AgentSettings,
        _ link: SupervisorLink?
    ) throws -> @Sendable (HealthReport) -> Void {
        if let link {
            return { report in
                // A supervisor that is gone comes back with another worker, and there must not be two.
                if !link.tell(report) { Process.askToEnd() }
            }
        }
        let responder = try HealthResponder(stateDirectory: settings.configuration.stateDirectory)
        return { responder.update($0) }
    }
}
