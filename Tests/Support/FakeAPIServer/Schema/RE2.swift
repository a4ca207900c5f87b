import Foundation

/// Regular expressions of Go's syntax, run by Foundation's engine.
enum RE2 {
    /// What Go doesn't have, and Foundation would take.
    private static let foreign: [(String, String)] = [
        ("(?=", "look-ahead"), ("(?!", "look-ahead"), ("(?<=", "look-behind"), ("(?<!", "look-behind"),
        ("(?>", "an atomic group"),
    ]

    /// What is wrong with a pattern; nil when Go would take it.
    static func problem(_ pattern: String) -> String? {
        for (text, what) in foreign where pattern.contains(text) {
            return "error parsing regexp: invalid or unsupported Perl syntax: `\(text)` (\(what))"
        }
        if pattern.contains(/\\[1-9]/) || pattern.contains(/[*+?}][+]/) {
            return "error parsing regexp: invalid escape sequence or nested repetition"
        }
        do {
            _ = try NSRegularExpression(pattern: pattern)
            return nil
        } catch {
            return "error parsing regexp: \(pattern)"
        }
    }

    /// Whether a pattern is found anywhere in a text, as Go's `MatchString` does.
    ///
    /// A pattern that can't be used matches nothing; ``problem(_:)`` has refused it before.
    static func matches(_ text: String, _ pattern: String) -> Bool {
        guard let expression = try? NSRegularExpression(pattern: goPattern(pattern)) else { return false }
        return expression.firstMatch(in: text, range: NSRange(text.startIndex..., in: text)) != nil
    }

    /// `$` is the very end in Go, and before a last line break too for Foundation.
    private static func goPattern(_ pattern: String) -> String {
        guard pattern.hasSuffix("$"), !pattern.hasSuffix("\\$") else { return pattern }
        return pattern.dropLast() + "\\z"
    }
}
