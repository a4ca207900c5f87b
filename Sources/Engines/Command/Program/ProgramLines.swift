import BackupModel
import Synchronization

/// What a program says: into the job's log, bounded and without secrets, and its last lines for a failure's sentence.
final class ProgramLines: Sendable {
    /// Lines that come into the log; what a program says beyond that is left out.
    static let mostLines = 200
    /// Bytes of a line; more are cut off.
    static let longestLine = 1000
    /// Bytes that are looked at for secrets before a line is cut: none may show because only half of it is left.
    private static let heldBytes = 16 << 10
    /// Lines in a failure's sentence.
    private static let quotedLines = 3

    private struct State {
        var partial: [UInt8] = []
        var count = 0
        var last: [String] = []
    }

    private let state = Mutex(State())
    private let program: String
    private let context: any JobContext
    private let redactor: Redactor

    init(program: String, context: any JobContext, redactor: Redactor) {
        self.program = program
        self.context = context
        self.redactor = redactor
    }

    /// Takes everything until the pipe ends.
    func follow(_ pipe: PipeReader) async {
        do {
            while let part = try await pipe.next() { take(part) }
        } catch {
            context.log(.warning, program, "the rest of what it says is lost: \(error)")
        }
        endLine()
    }

    /// The last lines in one, for a sentence; empty when it said nothing.
    var last: String { state.withLock { $0.last.joined(separator: "; ") } }

    private func take(_ part: [UInt8]) {
        for piece in part.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            if piece.offset > 0 { endLine() }
            state.withLock { state in
                let room = Self.heldBytes - state.partial.count
                state.partial += piece.element.prefix(max(0, room))
            }
        }
    }

    private func endLine() {
        let bytes = state.withLock { state in
            defer { state.partial = [] }
            return state.partial
        }
        var line = redactor.redact(String(decoding: bytes, as: UTF8.self))[...]
        while let end = line.last, end.isWhitespace { line.removeLast() }
        guard !line.isEmpty else { return }
        let text = line.utf8.count > Self.longestLine ? "\(line.prefix(Self.longestLine / 4)) … (cut)" : String(line)
        let number = state.withLock { state in
            state.count += 1
            state.last = state.last.suffix(Self.quotedLines - 1) + [text]
            return state.count
        }
        if number <= Self.mostLines { context.log(.info, program, text) }
        if number == Self.mostLines + 1 { context.log(.warning, program, "says more, which is left out") }
    }
}
