import Foundation
import Glibc
import Synchronization

/// A server process with its log: starts, waits until it really answers, stops, crashes and starts again on demand.
public final class Server: Sendable {
    /// What to call it in messages.
    public let name: String
    /// Where its standard output and error go; appended to by every start.
    public let logPath: String

    private let program: String
    /// Its arguments.
    public let arguments: [String]
    private let environment: [String: String?]
    private let directory: String?
    private let current = Mutex<ChildProcess?>(nil)

    /// Describes a server; `start` starts it.
    public init(
        _ name: String,
        program: String,
        arguments: [String],
        environment: [String: String?] = [:],
        directory: String? = nil,
        logPath: String
    ) {
        self.name = name
        self.program = program
        self.arguments = arguments
        self.environment = environment
        self.directory = directory
        self.logPath = logPath
    }

    deinit {
        current.withLock { $0 }?.send(signal: SIGKILL)
    }

    /// The running (or last) process.
    public var process: ChildProcess? { current.withLock { $0 } }

    /// Whether it runs.
    public var isRunning: Bool { process?.isRunning ?? false }

    /// Starts the process, without waiting until it answers; does nothing when it runs.
    public func launch() async throws {
        guard !isRunning else { return }
        let log = open(logPath, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard log >= 0 else { throw TestSupportError("cannot write \(logPath): \(String(cString: strerror(errno)))") }
        defer { close(log) }
        let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
        defer { close(null) }
        let child = try await ChildProcess.start(
            Launch(
                program: program,
                arguments: arguments,
                environment: environment,
                directory: directory,
                standardInput: null,
                standardOutput: log,
                standardError: log
            )
        )
        current.withLock { $0 = child }
    }

    /// Waits until `isReady` says so; a process that ends meanwhile fails at once, with the end of its log.
    public func waitUntilReady(within limit: Duration = .seconds(60), _ isReady: () async throws -> Bool) async throws {
        do {
            try await eventually("\(name) answers", within: limit) {
                guard isRunning else {
                    throw FatalWaitError("it ended with \(process?.status?.description ?? "no process")")
                }
                return try await isReady()
            }
        } catch let error as TestSupportError {
            throw TestSupportError("\(error.message)\n\(logTail())")
        }
    }

    /// Asks it to end, and kills it when it hasn't within `grace`.
    @discardableResult public func stop(grace: Duration = .seconds(20)) async -> ExitStatus? {
        await process?.terminate(grace: grace)
    }

    /// Ends it as a crash would.
    public func kill() async {
        await process?.kill()
    }

    /// Stops it in its tracks (SIGSTOP), as a hung disk or an overloaded node would; `resume` lets it go on.
    public func freeze() {
        process?.send(signal: SIGSTOP)
    }

    /// Lets a frozen process go on.
    public func resume() {
        process?.send(signal: SIGCONT)
    }

    /// The last lines of its log, for a failure's message.
    public func logTail(lines: Int = 20) -> String {
        guard let data = FileManager.default.contents(atPath: logPath) else { return "(\(name) has no log)" }
        let text = String(decoding: data.suffix(64 << 10), as: UTF8.self)
        let tail = text.split(separator: "\n").suffix(lines).map { $0.prefix(600) }.joined(separator: "\n")
        return "last lines of \(name)'s log:\n\(tail)"
    }
}
