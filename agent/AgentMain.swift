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
        // Replies of many megabytes come again and again; a core dump would hold passwords.
        remora_tune_allocator()
        Process.forbidCoreDumps()
        let arguments: AgentArguments
        do {
            arguments = try AgentArguments.parse()
        } catch {
            Process.end(
                AgentArguments.fullMessage(for: error),
                AgentArguments.exitCode(for: error).isSuccess ? .success : .usage
            )
        }
        do {
            let settings = try AgentSettings(
                flags: arguments.values,
                environment: Process.environment(),
                version: RemoraVersion.current,
                needsCoordinator: !arguments.check
            )
            if arguments.check { await Check.run(settings) }
            try await serve(settings)
            AgentLogHandler.flush()
        } catch let error as AgentError {
            Process.end("remora-agent: \(error.message)", error.code == .invalidConfiguration ? .usage : .failure)
        } catch {
            Process.end("remora-agent: \(error)", .failure)
        }
    }

    private static func serve(_ settings: AgentSettings) async throws {
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
        let agent = AgentService(
            configuration: settings.configuration,
            engine: MongoDBEngine(settings.mongoDB),
            redactor: redactor,
            log: log,
            onIdle: { remora_release_memory() }
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
}
