import Foundation

/// Times as the API writes and reads them.
enum Times {
    /// `2026-08-22T10:00:00Z`, as of `metav1.Time`.
    static func text(_ date: Date) -> String {
        date.formatted(.iso8601)
    }

    /// RFC 3339, with or without fractions and with any offset; nil when it isn't one.
    static func parse(_ text: String) -> Date? {
        guard
            text.wholeMatch(
                of: /\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d([.,]\d+)?([Zz]|[+-]\d\d:\d\d)/
            ) != nil
        else { return nil }
        var whole = text.uppercased()
        var fraction = 0.0
        if let dot = whole.firstIndex(where: { $0 == "." || $0 == "," }) {
            let digits = whole[whole.index(after: dot)...].prefix { $0.isNumber }
            fraction = Double("0.\(digits)") ?? 0
            whole.removeSubrange(dot..<digits.endIndex)
        }
        // A text that looks right and names no time (month 13) isn't one.
        guard let date = try? Date(whole, strategy: .iso8601) else { return nil }
        return date.addingTimeInterval(fraction)
    }

    /// Whether a text is a `metav1.MicroTime`: six digits of fraction exactly.
    static func isMicroTime(_ text: String) -> Bool {
        text.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)/) != nil && parse(text) != nil
    }
}
