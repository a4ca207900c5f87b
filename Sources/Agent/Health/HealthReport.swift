/// How an agent is, in one word for programs and one sentence for people.
public struct HealthReport: Sendable, Hashable {
    /// The word.
    public enum State: String, Sendable, CaseIterable {
        /// It works, or has only just begun.
        case healthy
        /// Something is wrong that a new start of the container can't mend: the configuration, a crash again and again.
        case troubled
        /// It lives and does nothing any more: a new start is what helps.
        case stuck
    }

    /// How it is.
    public var state: State
    /// Why, in lower case and without secrets.
    public var sentence: String

    /// Makes a report.
    public init(_ state: State, _ sentence: String) {
        self.state = state
        self.sentence = sentence
    }

    /// Longest report as bytes: it fits into one message between worker and supervisor.
    static let longest = 2048

    /// One line: the word, a space, the sentence.
    var bytes: [UInt8] {
        let line = sentence.split(whereSeparator: \.isNewline).joined(separator: "; ")
        return Array("\(state.rawValue) \(line)".utf8.prefix(Self.longest))
    }

    /// Reads such a line; nil when it is something else.
    init?(bytes: some Collection<UInt8>) {
        let text = String(decoding: bytes, as: UTF8.self)
        let parts = text.split(separator: " ", maxSplits: 1)
        guard let word = parts.first, let state = State(rawValue: String(word)) else { return nil }
        self.init(state, parts.count > 1 ? String(parts[1]) : "")
    }
}
