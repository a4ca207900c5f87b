import Glibc
import Synchronization

/// Where a command writes: one of the process's two outputs, or a test's buffer.
struct Channel: Sendable {
    /// Whether a person looks at it.
    var isTerminal: Bool
    /// Whether colours are wanted.
    var usesColours: Bool
    /// Columns, asked anew each time because windows change.
    var width: @Sendable () -> Int
    /// Writes all bytes, or gives back the error's number.
    var write: @Sendable ([UInt8]) -> Int32

    /// An output of this process; colours only on a terminal and without `NO_COLOR` (no-color.org).
    static func descriptor(_ descriptor: Int32, environment: [String: String]) -> Channel {
        let isTerminal = isatty(descriptor) == 1 && environment["TERM"] != "dumb"
        return Channel(
            isTerminal: isTerminal,
            usesColours: isTerminal && (environment["NO_COLOR"] ?? "").isEmpty,
            width: {
                var size = winsize()
                guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
                return Int(size.ws_col)
            },
            write: { bytes in
                var rest = bytes[...]
                while !rest.isEmpty {
                    let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
                    if count < 0, errno == EINTR { continue }
                    guard count > 0 else { return errno }
                    rest = rest.dropFirst(count)
                }
                return 0
            }
        )
    }
}

/// What every command writes to: answers to standard output, everything else to standard error.
final class Console: Sendable {
    let output: Channel
    let error: Channel
    /// Whether bars and marks may use more than ASCII.
    let isUnicode: Bool
    private let failure = Mutex<Int32>(0)

    init(output: Channel, error: Channel, isUnicode: Bool = true) {
        self.output = output
        self.error = error
        self.isUnicode = isUnicode
    }

    /// The process's own outputs.
    static func standard(_ environment: [String: String]) -> Console {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].compactMap { environment[$0] }.first { !$0.isEmpty } ?? "UTF-8"
        return Console(
            output: .descriptor(STDOUT_FILENO, environment: environment),
            error: .descriptor(STDERR_FILENO, environment: environment),
            isUnicode: locale.uppercased().contains("UTF") || locale == "C.utf8"
        )
    }

    /// An answer.
    func print(_ page: Page) {
        write(page.rendered(colours: output.usesColours, width: output.isTerminal ? output.width() : nil))
    }

    /// A line of an answer.
    func print(_ line: StyledText) { write(line.rendered(colours: output.usesColours) + "\n") }

    /// Bytes of an answer.
    func write(_ text: String) { write(Array(text.utf8)) }

    /// Bytes of an answer.
    func write(_ bytes: [UInt8]) {
        guard outputError == 0 else { return }
        let code = output.write(bytes)
        if code != 0 { failure.withLock { $0 = code } }
    }

    /// Why standard output takes no more; 0 while it does.
    var outputError: Int32 { failure.withLock { $0 } }

    /// A line about the answer.
    ///
    /// If standard error is gone there is nobody left to tell.
    func note(_ line: StyledText) { _ = error.write(Array((line.rendered(colours: error.usesColours) + "\n").utf8)) }

    /// Something a person should know although it works.
    func warn(_ text: String) { note("\("warning:", .caution) \(text)") }

    /// Why the command failed, and what to do.
    func report(_ failure: CommandFailure) {
        note("\("remora:", .bad) \(failure.message)")
        if let hint = failure.hint { note("\("  hint:", .accent) \(hint)") }
    }

    /// Throws when an answer could not be written.
    func checkOutput() throws {
        switch outputError {
        case 0: return
        case EPIPE: throw CommandFailure(.brokenPipe, "nobody reads the output any more")
        case let code:
            throw CommandFailure(.failed, "can't write to standard output: \(String(cString: strerror(code)))")
        }
    }
}
