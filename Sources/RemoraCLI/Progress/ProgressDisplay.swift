import Synchronization

/// Shows how far things are, on standard error.
///
/// On a terminal: a title and a bar a job, drawn over and over in the same place, lines that are said meanwhile above
/// them. Elsewhere: a line when a phase changes, and one every 30 seconds. Or nothing at all.
final class ProgressDisplay: Sendable {
    enum Mode: Sendable {
        case bars, lines, silent
    }

    /// Between lines where there is no terminal.
    static let quietInterval = Duration.seconds(30)

    private struct State {
        var drawnLines = 0
        var content: [StyledText] = []
        var lastPhase: String?
        var lastLine: Duration?
    }

    let mode: Mode
    private let console: Console
    private let clock: Clock
    private let state = Mutex(State())

    init(_ console: Console, clock: Clock, mode: Mode) {
        self.console = console
        self.clock = clock
        self.mode = mode
    }

    /// The mode that suits: who asked for JSON gets bars on a terminal, and nothing elsewhere.
    static func suitable(_ surroundings: Surroundings, isJSON: Bool) -> ProgressDisplay {
        let mode: Mode = surroundings.console.error.isTerminal ? .bars : isJSON ? .silent : .lines
        return ProgressDisplay(surroundings.console, clock: surroundings.clock, mode: mode)
    }

    /// Shows the present state.
    ///
    /// - Parameters:
    ///   - title: of the whole.
    ///   - phase: a change is worth a line.
    ///   - rows: one a job.
    ///   - time: on a clock that never runs backwards.
    func update(_ title: StyledText, phase: String, rows: [ProgressRow], at time: Duration) {
        switch mode {
        case .silent: return
        case .bars:
            let nameWidth = rows.reduce(0) { max($0, Printable.width($1.name)) }
            let lines = [title] + rows.map { $0.bar(nameWidth: nameWidth, isUnicode: console.isUnicode) }
            state.withLock { state in
                state.content = lines
                redraw(&state, above: nil)
            }
        case .lines:
            let phase = ([phase] + rows.map(\.phase)).joined(separator: "|")
            state.withLock { state in
                let isDue = state.lastLine.map { time - $0 >= Self.quietInterval } ?? true
                guard isDue || state.lastPhase != phase else { return }
                state.lastPhase = phase
                state.lastLine = time
                let now = clock.timeOfDay(clock.now())
                let details = StyledText.joined(rows.map(\.sentence), separator: "; ")
                console.note(details.isEmpty ? "\(now) \(title)" : "\(now) \(title): \(details)")
            }
        }
    }

    /// Says a line meanwhile.
    func say(_ line: StyledText) {
        state.withLock { state in
            guard mode == .bars, state.drawnLines > 0 else {
                console.note(line)
                return
            }
            redraw(&state, above: line)
        }
    }

    /// Takes the bars away.
    func finish() {
        state.withLock { state in
            guard state.drawnLines > 0 else { return }
            _ = console.error.write(Array(Self.erase(state.drawnLines).utf8))  // as Console.note
            state.drawnLines = 0
            state.content = []
        }
    }

    private func redraw(_ state: inout State, above line: StyledText?) {
        let width = max(20, console.error.width()) - 1
        let colours = console.error.usesColours
        var text = Self.erase(state.drawnLines)
        if let line { text += line.rendered(colours: colours) + "\n" }
        for line in state.content { text += line.truncated(to: width).rendered(colours: colours) + "\n" }
        state.drawnLines = state.content.count
        _ = console.error.write(Array(text.utf8))  // as Console.note
    }

    /// Up to the first line, then clear from there to the end of the screen (ECMA-48 CPL, ED).
    private static func erase(_ lines: Int) -> String { lines > 0 ? "\u{1b}[\(lines)F\u{1b}[J" : "" }
}
