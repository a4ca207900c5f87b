/// How a piece of text looks where colours are on; nothing is told by colour alone.
enum Style: Sendable, Hashable {
    case plain, bold, dim, good, bad, caution, accent

    /// The escape sequence's parameters (ECMA-48, SGR).
    var code: String {
        switch self {
        case .plain: ""
        case .bold: "1"
        case .dim: "2"
        case .good: "32"
        case .bad: "1;31"
        case .caution: "33"
        case .accent: "36"
        }
    }
}

/// One line of text with styles.
///
/// Everything interpolated into it is escaped, so that no text from elsewhere reaches the terminal as it is.
struct StyledText: Sendable, Hashable, ExpressibleByStringInterpolation {
    struct Span: Sendable, Hashable {
        var text: String
        var style: Style
    }

    var spans: [Span] = []

    init() {}

    /// Text from elsewhere; it is escaped.
    init(_ text: String, _ style: Style = .plain) {
        spans = [Span(text: Printable.escape(text), style: style)]
    }

    init(stringLiteral value: String) {
        spans = [Span(text: value, style: .plain)]
    }

    init(stringInterpolation: Interpolation) {
        spans = stringInterpolation.spans
    }

    struct Interpolation: StringInterpolationProtocol {
        var spans: [Span] = []

        init(literalCapacity: Int, interpolationCount: Int) {}

        mutating func appendLiteral(_ literal: String) {
            if !literal.isEmpty { spans.append(Span(text: literal, style: .plain)) }
        }

        mutating func appendInterpolation(_ value: some CustomStringConvertible, _ style: Style = .plain) {
            spans.append(Span(text: Printable.escape(value.description), style: style))
        }

        mutating func appendInterpolation(_ value: StyledText) {
            spans += value.spans
        }
    }

    static func + (left: StyledText, right: StyledText) -> StyledText {
        var sum = left
        sum.spans += right.spans
        return sum
    }

    static func += (left: inout StyledText, right: StyledText) { left.spans += right.spans }

    /// The parts with `separator` between them.
    static func joined(_ parts: [StyledText], separator: StyledText) -> StyledText {
        var result = StyledText()
        for (index, part) in parts.enumerated() {
            if index > 0 { result += separator }
            result += part
        }
        return result
    }

    var isEmpty: Bool { spans.allSatisfy { $0.text.isEmpty } }
    /// Without styles.
    var plain: String { spans.map(\.text).joined() }
    /// Columns on a terminal.
    var width: Int { spans.reduce(0) { $0 + Printable.width($1.text) } }

    /// The same in one style.
    func styled(_ style: Style) -> StyledText { StyledText(plain, style) }

    /// As it is written.
    func rendered(colours: Bool) -> String {
        guard colours else { return plain }
        return spans.map {
            $0.style == .plain || $0.text.isEmpty ? $0.text : "\u{1b}[\($0.style.code)m\($0.text)\u{1b}[0m"
        }
        .joined()
    }

    /// At most so many columns; what is cut ends with an ellipsis.
    func truncated(to limit: Int) -> StyledText {
        guard width > limit else { return self }
        var room = max(0, limit - 1)
        var result = StyledText()
        for span in spans {
            var kept = ""
            for character in span.text {
                let width = Printable.width(character)
                guard width <= room else {
                    result.spans.append(Span(text: kept + "…", style: span.style))
                    return result
                }
                room -= width
                kept.append(character)
            }
            result.spans.append(Span(text: kept, style: span.style))
        }
        return result
    }
}
