/// Lines that are shown together.
struct Page: Sendable {
    private(set) var lines: [StyledText] = []
    /// Lines that a terminal gets only as far as it is wide.
    private var cut: Set<Int> = []

    init() {}

    mutating func add(_ line: StyledText = "") { lines.append(line) }

    /// Adds a table; with `isCut` its lines end at a terminal's edge, so that a list stays one line a row.
    mutating func add(_ table: Table, isCut: Bool = false) {
        let first = lines.count
        lines += table.lines()
        if isCut { cut.formUnion(first..<lines.count) }
    }

    /// A heading with an empty line above, unless it is the first line.
    mutating func heading(_ text: String) {
        if !lines.isEmpty { add() }
        add(StyledText(text, .bold))
    }

    /// `name   value` with values under each other; without those that are nil.
    mutating func add(_ facts: [(String, StyledText?)], indentation: Int = 0) {
        let present = facts.filter { $0.1 != nil }
        let width = present.reduce(0) { max($0, Printable.width($1.0)) }
        for (name, value) in present {
            let padding = String(repeating: " ", count: width - Printable.width(name) + 2)
            add("\(String(repeating: " ", count: indentation))\(name, .dim)\(padding)\(value ?? "")")
        }
    }

    /// Changes every piece of text.
    mutating func change(_ change: (StyledText.Span) -> StyledText.Span) {
        for index in lines.indices { lines[index].spans = lines[index].spans.map(change) }
    }

    /// As it is written; `width` is that of the terminal, if it is one.
    func rendered(colours: Bool, width: Int? = nil) -> String {
        lines.enumerated().map { index, line in
            let shown = width.flatMap { cut.contains(index) ? line.truncated(to: $0) : nil } ?? line
            return shown.rendered(colours: colours) + "\n"
        }.joined()
    }
}
