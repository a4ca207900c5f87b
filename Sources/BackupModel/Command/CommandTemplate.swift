/// What a function's texts may name as `${NAME}`.
public enum CommandVariable: Sendable, Hashable, CustomStringConvertible {
    /// Where the agent reaches the database.
    case host
    /// See `host`.
    case port
    /// The database user's name.
    case username
    /// The database user's password; in `env` only, because arguments can be seen by every process of the host.
    case password
    /// A parameter of the task: `${PARAM_database}` is the parameter `database`.
    case parameter(String)

    private static let parameterPrefix = "PARAM_"
    /// The names that exist, for people.
    public static let names = "HOST, PORT, USERNAME, PASSWORD (in env only), and PARAM_name for a parameter of the task"

    init?(_ name: Substring) {
        switch name {
        case "HOST": self = .host
        case "PORT": self = .port
        case "USERNAME": self = .username
        case "PASSWORD": self = .password
        default:
            guard name.hasPrefix(Self.parameterPrefix) else { return nil }
            let parameter = String(name.dropFirst(Self.parameterPrefix.count))
            guard Self.reasonAgainst(parameter: parameter) == nil else { return nil }
            self = .parameter(parameter)
        }
    }

    /// The name as it is written between the braces.
    public var description: String {
        switch self {
        case .host: "HOST"
        case .port: "PORT"
        case .username: "USERNAME"
        case .password: "PASSWORD"
        case .parameter(let name): Self.parameterPrefix + name
        }
    }

    /// Why a text can't be a parameter's name, or nil when it can.
    static func reasonAgainst(parameter name: String) -> String? {
        isWord(name) ? nil : "is '\(name)'; a parameter's name has letters, digits and '_' only, at most 63"
    }

    /// Whether a text is what names of variables look like.
    static func isWord(_ name: String) -> Bool {
        let isGood = { (byte: UInt8) in
            (byte >= 0x30 && byte <= 0x39) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) || byte == UInt8(ascii: "_")
        }
        guard let first = name.utf8.first, name.utf8.count <= 63 else { return false }
        return !(first >= 0x30 && first <= 0x39) && name.utf8.allSatisfy(isGood)
    }
}

/// A text with variables in it, like `--host=${HOST}`.
///
/// A `$` without a brace behind it is a `$`. There is no way to write `${` itself: no program is known that wants it.
public struct CommandTemplate: Sendable, Hashable {
    /// A text or a variable.
    public enum Part: Sendable, Hashable {
        case text(String)
        case variable(CommandVariable)
    }

    /// A template that makes no sense, in words that follow a field's path.
    public struct Problem: Error, Sendable, Hashable, CustomStringConvertible {
        /// The words.
        public var description: String
    }

    /// In order.
    public let parts: [Part]

    /// Reads a text.
    ///
    /// - Throws: ``Problem`` for a variable that doesn't exist, with the names that do.
    public init(_ text: String) throws(Problem) {
        var parts: [Part] = []
        var rest = text[...]
        while let open = rest.firstRange(of: "${") {
            if open.lowerBound > rest.startIndex { parts.append(.text(String(rest[..<open.lowerBound]))) }
            let inner = rest[open.upperBound...]
            guard let close = inner.firstIndex(of: "}") else {
                throw Problem(description: "has '${' without '}' behind it")
            }
            let name = inner[..<close]
            guard let variable = CommandVariable(name) else {
                throw Problem(
                    description:
                        "has the variable ${\(name)}, which does not exist; there are: \(CommandVariable.names)"
                )
            }
            parts.append(.variable(variable))
            rest = inner[inner.index(after: close)...]
        }
        if !rest.isEmpty { parts.append(.text(String(rest))) }
        self.parts = parts
    }

    /// The variables in it.
    public var variables: [CommandVariable] {
        parts.compactMap { part in
            if case .variable(let variable) = part { variable } else { nil }
        }
    }

    /// The text with values in place of the variables.
    public func filled(_ value: (CommandVariable) throws -> String) rethrows -> String {
        try parts.reduce(into: "") { text, part in
            switch part {
            case .text(let plain): text += plain
            case .variable(let variable): text += try value(variable)
            }
        }
    }
}
