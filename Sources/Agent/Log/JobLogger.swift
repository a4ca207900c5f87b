import BackupModel
import Engines

/// Writes a job's lines: redacted at the source, to the job's log and to standard error.
struct JobLogger: Sendable {
    /// Longest message; longer ones are cut, so that one line can't fill the log.
    static let longestMessage = 8 << 10

    let file: JobLogFile
    let console: LineWriter
    let redactor: Redactor

    /// Writes a line; never blocks, never fails.
    func log(_ level: JobLogLevel, _ component: String, _ message: String) {
        let line = NDJSON.line(
            LogLine(
                t: WallClock.unixMilliseconds(),
                level: level.rawValue,
                component: component,
                message: redactor.redact(Self.cut(message))
            )
        )
        file.append(line)
        console.write(line)
    }

    private static func cut(_ message: String) -> String {
        guard message.utf8.count > longestMessage else { return message }
        return message.prefix(longestMessage / 4) + " … (cut: \(message.utf8.count) bytes)"
    }
}
