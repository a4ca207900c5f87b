/// Rows whose cells stand under each other.
struct Table: Sendable {
    struct Column: Sendable {
        var title: String
        var isRightAligned = false

        /// Words.
        static func text(_ title: String) -> Column { Column(title: title) }
        /// Numbers.
        static func number(_ title: String) -> Column { Column(title: title, isRightAligned: true) }
    }

    var columns: [Column]
    var rows: [[StyledText]] = []
    /// Put before every line.
    var indentation = 0

    init(_ columns: [Column], indentation: Int = 0) {
        self.columns = columns
        self.indentation = indentation
    }

    mutating func add(_ cells: StyledText...) { add(cells) }

    /// Adds a row.
    mutating func add(_ cells: [StyledText]) { rows.append(cells) }

    /// The lines, head first; two spaces between columns, none at the end, columns without any content left out.
    func lines() -> [StyledText] {
        let shown = columns.indices.filter { index in rows.contains { index < $0.count && !$0[index].isEmpty } }
        let widths = columns.indices.map { index in
            rows.reduce(Printable.width(columns[index].title)) { max($0, index < $1.count ? $1[index].width : 0) }
        }
        func line(_ cells: [StyledText]) -> StyledText {
            var result = StyledText()
            result += StyledText(String(repeating: " ", count: indentation))
            let last = shown.lastIndex { $0 < cells.count && !cells[$0].isEmpty } ?? 0
            for (position, index) in shown.prefix(last + 1).enumerated() {
                let cell = index < cells.count ? cells[index] : StyledText()
                let padding = StyledText(String(repeating: " ", count: max(0, widths[index] - cell.width)))
                let isLast = position == last
                result += columns[index].isRightAligned ? padding + cell : cell + (isLast ? StyledText() : padding)
                if !isLast { result += "  " }
            }
            return result
        }
        return [line(columns.map { StyledText($0.title, .dim) })] + rows.map(line)
    }
}
