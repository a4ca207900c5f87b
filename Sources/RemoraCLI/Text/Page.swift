/// Lines that are shown together.
struct Page: Sendable {
    private(set) var lines: [StyledText] = []

    init() {}

    mutating func add(_ line: StyledText = "") { lines.append(line) }

    mutating func add(_ table: Table) { lines += table.lines() }

    mutating func add(_ page: Page) { lines += page.lines }

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

    /// As it is written; lines are cut at `width` if there is one.
    func rendered(colours: Bool, width: Int? = nil) -> String {
        lines.map { (width.map($0.truncated) ?? $0).rendered(colours: colours) + "\n" }.joined()
    }
}
