import BackupModel
import HTTPClient

/// The lines of a log that arrives in pieces.
///
/// A line that is no log line is shown rather than lost, as one of level `info` and component `raw`.
struct LogLines: AsyncSequence {
    typealias Element = PodLogLine
    private let body: HTTPBody

    init(_ body: HTTPBody) { self.body = body }

    func makeAsyncIterator() -> Iterator { Iterator(pieces: body.makeAsyncIterator()) }

    struct Iterator: AsyncIteratorProtocol {
        var pieces: HTTPBody.Iterator
        var splitter = LineSplitter()
        var isOver = false

        mutating func next() async throws -> PodLogLine? {
            while true {
                if let bytes = splitter.next(isComplete: isOver) { return LogLines.line(bytes) }
                if isOver { return nil }
                if let piece = try await pieces.next() { splitter.add(piece) } else { isOver = true }
            }
        }
    }

    static func line(_ bytes: [UInt8]) -> PodLogLine {
        // Not a log line: shown as it came.
        if let line = try? WireJSON.decode(PodLogLine.self, from: bytes) { return line }
        let text = String(decoding: bytes, as: UTF8.self)
        return PodLogLine(pod: "", line: LogLine(t: 0, level: "info", component: "raw", message: text))
    }
}

/// Cuts bytes into lines without their ends; empty lines (a server's keep-alives) are left out.
struct LineSplitter: Sendable {
    private var rest: [UInt8] = []
    private var start = 0

    /// A longer line is given in pieces: what a hostile server can make us hold is bounded.
    static let limit = 4 << 20

    mutating func add(_ bytes: [UInt8]) {
        if start > 0 {
            rest.removeFirst(start)
            start = 0
        }
        rest += bytes
    }

    /// The next line; with `isComplete` also one without its end.
    mutating func next(isComplete: Bool) -> [UInt8]? {
        while start < rest.count {
            let line: ArraySlice<UInt8>
            if let end = rest[start...].firstIndex(of: UInt8(ascii: "\n")) {
                line = rest[start..<end]
                start = end + 1
            } else if isComplete || rest.count - start > Self.limit {
                line = rest[start...]
                start = rest.count
            } else {
                return nil
            }
            if !line.isEmpty { return Array(line) }
        }
        return nil
    }
}
