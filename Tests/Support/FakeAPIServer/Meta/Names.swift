/// What names, labels and annotations may look like.
enum Names {
    private static func isLower(_ unit: UInt8) -> Bool { (0x61...0x7A).contains(unit) }
    private static func isDigit(_ unit: UInt8) -> Bool { (0x30...0x39).contains(unit) }
    private static func isLetter(_ unit: UInt8) -> Bool { isLower(unit | 0x20) }

    static let labelMessage =
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
    static let subdomainMessage =
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    static let label1035Message =
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
    static let qualifiedMessage =
        "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
    static let labelValueMessage =
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"

    static func isLabel(_ text: some StringProtocol) -> Bool {
        let units = Array(text.utf8)
        guard let first = units.first, let last = units.last else { return false }
        return first != 0x2D && last != 0x2D && units.allSatisfy { isLower($0) || isDigit($0) || $0 == 0x2D }
    }

    static func isSubdomain(_ text: String) -> Bool {
        text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { isLabel($0) }
    }

    static func isQualifiedPart(_ text: some StringProtocol) -> Bool {
        let units = Array(text.utf8)
        guard let first = units.first, let last = units.last else { return false }
        let isEdge = { (unit: UInt8) in isLetter(unit) || isDigit(unit) }
        return isEdge(first) && isEdge(last)
            && units.allSatisfy { isEdge($0) || $0 == 0x2D || $0 == 0x5F || $0 == 0x2E }
    }

    /// What is wrong with a DNS-1123 label (at most 63).
    static func problemsOfLabel(_ text: String) -> [String] {
        var problems: [String] = []
        if text.utf8.count > 63 { problems.append("must be no more than 63 characters") }
        if !isLabel(text) { problems.append(labelMessage) }
        return problems
    }

    /// What is wrong with a DNS-1035 label, such as a service's name.
    static func problemsOf1035(_ text: String) -> [String] {
        var problems: [String] = []
        if text.utf8.count > 63 { problems.append("must be no more than 63 characters") }
        if !isLabel(text) || isDigit(text.utf8.first ?? 0x30) { problems.append(label1035Message) }
        return problems
    }

    /// What is wrong with a DNS-1123 subdomain (at most 253).
    static func problemsOfSubdomain(_ text: String) -> [String] {
        var problems: [String] = []
        if text.utf8.count > 253 { problems.append("must be no more than 253 characters") }
        if !isSubdomain(text) { problems.append(subdomainMessage) }
        return problems
    }

    /// What is wrong with a name that only has to be fit for a path, such as a role's.
    static func problemsOfPathSegment(_ text: String) -> [String] {
        if text == "." || text == ".." { return ["may not be '\(text)'"] }
        return ["/", "%"].filter { text.contains($0) }.map { "may not contain '\($0)'" }
    }

    /// What is wrong with a key of labels or annotations.
    static func problemsOfQualifiedName(_ text: String) -> [String] {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        var problems: [String] = []
        var name = Substring(text)
        if parts.count == 2 {
            name = parts[1]
            if parts[0].isEmpty {
                problems.append("prefix part must be non-empty")
            } else {
                problems += problemsOfSubdomain(String(parts[0])).map { "prefix part \($0)" }
            }
        } else if parts.count > 2 {
            return [
                "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            ]
        }
        if name.isEmpty {
            problems.append("name part must be non-empty")
        } else if name.utf8.count > 63 {
            problems.append("name part must be no more than 63 characters")
        }
        if !isQualifiedPart(name) { problems.append(qualifiedMessage) }
        return problems
    }

    /// What is wrong with a label's value.
    static func problemsOfLabelValue(_ text: String) -> [String] {
        var problems: [String] = []
        if text.utf8.count > 63 { problems.append("must be no more than 63 characters") }
        if !text.isEmpty, !isQualifiedPart(text) { problems.append(labelValueMessage) }
        return problems
    }

    /// Five letters that don't make words, as `generateName` appends them.
    static func suffix() -> String {
        let letters = Array("bcdfghjklmnpqrstvwxz2456789")
        return String((0..<5).map { _ in letters.randomElement() ?? "x" })
    }
}
