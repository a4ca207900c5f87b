public import BackupModel
import Synchronization

/// A database that Remora doesn't know: `Function` objects say which program dumps it and which one loads it.
///
/// One instance serves one member, which is a group by itself. What a dump promises is what its program promises with
/// the options that the function gives; Remora sees to it that a dump that failed or was cut short is never called good.
public final class CommandEngine: Sendable {
    /// The engine's name, like `mysql`.
    public var name: String { configuration.engine }
    /// True.
    public var runsCommands: Bool { true }
    /// Group of a member that is one by itself.
    static let group = "standalone"
    let configuration: CommandConfiguration
    private let trust: Duration
    private let lastAnswer = Mutex<ContinuousClock.Instant?>(nil)

    /// Makes an engine; nothing is done before the first call.
    public convenience init(_ configuration: CommandConfiguration) {
        // MySQL writes a warning about every connection that logs nobody in: one look in five seconds would fill its log.
        self.init(configuration, trust: .seconds(60))
    }

    /// - Parameters:
    ///   - configuration: what to run, and for which database.
    ///   - trust: for how long one that took a connection is not asked again.
    init(_ configuration: CommandConfiguration, trust: Duration) {
        self.configuration = configuration
        self.trust = trust
    }

    /// Looks whether somebody takes connections there, or did within the last minute.
    ///
    /// Never throws.
    public func inspect() async -> MemberStatus {
        let endpoint = configuration.endpoint
        let isKnown = lastAnswer.withLock { $0.map { $0.duration(to: .now) < trust } ?? false }
        if !isKnown, let reason = await endpoint.reasonUnreachable() {
            lastAnswer.withLock { $0 = nil }
            return MemberStatus(
                isReachable: false,
                problems: ["can't reach \(configuration.database): \(reason); check that it runs and listens there"]
            )
        }
        if !isKnown { lastAnswer.withLock { $0 = .now } }
        var status = MemberStatus(isReachable: true)
        status.role = .standalone
        status.host = endpoint.description
        if ResolvedCommand.programs(in: configuration.programsDirectory).isEmpty {
            status.problems.append(
                "there is no program in \(configuration.programsDirectory) (--programs-dir), so no Function can run here"
            )
        }
        return status
    }

    /// Nothing: what a program does to its database, it undoes when it is gone.
    public func releaseLeftovers() async throws -> [String] { [] }

    /// Locks are never left: there are none.
    public func release(_ spec: ReleaseSpec, context: any JobContext) async throws {
        throw CommandFailure.unsupported("\(spec.host) has no lock of ours: \(name) is not locked by Remora")
    }

    /// A job's recipe, which must be one for that direction.
    func recipe(_ command: CommandRecipe?, for stream: CommandStream) throws -> CommandRecipe {
        guard let command else { throw CommandFailure.noRecipe(name) }
        guard command.stream == stream else {
            throw CommandFailure.configuration(command.function, "its stream is \(command.stream.rawValue)")
        }
        return command
    }

    /// Everything that a job of a recipe needs.
    func makeRun(_ recipe: CommandRecipe, _ context: any JobContext) throws -> ProgramRun {
        let configuration = configuration.current()
        let redactor = Redactor()
        if let password = configuration.password { redactor.register(password.value) }
        let command: ResolvedCommand
        do throws(JobFailure) {
            command = try ResolvedCommand(recipe, configuration)
        } catch {
            throw JobFailure(code: error.code, message: redactor.redact(error.message), isRetryable: error.isRetryable)
        }
        context.log(
            .info,
            "command",
            "Function \(recipe.function) runs \(recipe.program) with \(command.arguments.count) arguments for "
                + configuration.database
        )
        return ProgramRun(recipe: recipe, command: command, context: context, redactor: redactor)
    }
}

extension CommandEngine: Engine {}
