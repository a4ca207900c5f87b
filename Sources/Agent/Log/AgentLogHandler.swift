import BackupModel
public import Engines
public import Logging

/// The agent's own log on standard error: NDJSON lines like those of the jobs, redacted by value.
public struct AgentLogHandler: LogHandler {
    /// Standard error, shared with the jobs' logs so that lines don't mix.
    static let console = LineWriter(descriptor: 2)

    /// Values added to every line.
    public var metadata: Logger.Metadata = [:]
    /// Lines below this level are not written.
    public var logLevel: Logger.Level
    private let component: String
    private let redactor: Redactor
    private let console: LineWriter

    /// Makes a handler for one component.
    ///
    /// - Parameters:
    ///   - component: which part of the agent.
    ///   - redactor: knows the secrets.
    ///   - logLevel: lines below it are not written.
    public init(component: String, redactor: Redactor, logLevel: Logger.Level) {
        self.init(component: component, redactor: redactor, logLevel: logLevel, console: Self.console)
    }

    init(component: String, redactor: Redactor, logLevel: Logger.Level, console: LineWriter) {
        self.component = component
        self.redactor = redactor
        self.logLevel = logLevel
        self.console = console
    }

    /// Writes one line.
    public func log(event: LogEvent) {
        var message = event.message.description
        let values = metadata.merging(event.metadata ?? [:]) { $1 }
        for (key, value) in values.sorted(by: { $0.key < $1.key }) { message += " \(key)=\(value)" }
        let line = LogLine(
            t: WallClock.unixMilliseconds(),
            level: Self.name(of: event.level),
            component: component,
            message: redactor.redact(message)
        )
        console.write(NDJSON.line(line))
    }

    /// One of the values added to every line.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Returns when every line so far has been written.
    public static func flush() {
        console.flush()
    }

    private static func name(of level: Logger.Level) -> String {
        switch level {
        case .trace, .debug: "debug"
        case .info, .notice: "info"
        case .warning: "warning"
        case .error, .critical: "error"
        }
    }
}
