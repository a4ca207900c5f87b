/// A word of an expression.
struct CELToken: Sendable {
    enum Kind: Sendable, Equatable {
        case ident(String)
        case literal(CELValue)
        case symbol(String)
        case end
    }

    var kind: Kind
    var offset: Int
}

/// Cuts an expression into words.
struct CELLexer {
    private let characters: [Character]
    private var position = 0
    private static let symbols = ["&&", "||", "==", "!=", "<=", ">="]

    init(_ text: String) { characters = Array(text) }

    static func tokens(_ text: String) throws(CELSyntaxError) -> [CELToken] {
        var lexer = CELLexer(text)
        var tokens: [CELToken] = []
        while true {
            let token = try lexer.next()
            tokens.append(token)
            if token.kind == .end { return tokens }
        }
    }

    private func peek(_ distance: Int = 0) -> Character? {
        position + distance < characters.count ? characters[position + distance] : nil
    }

    private mutating func next() throws(CELSyntaxError) -> CELToken {
        skipSpace()
        let start = position
        guard let first = peek() else { return CELToken(kind: .end, offset: start) }
        if let kind = try text() { return CELToken(kind: kind, offset: start) }
        if first.isASCII, first.isLetter || first == "_" {
            while let character = peek(), character.isASCII,
                character.isLetter || character.isNumber || character == "_"
            {
                position += 1
            }
            return CELToken(kind: word(String(characters[start..<position])), offset: start)
        }
        if first.isNumber || (first == "." && (peek(1)?.isNumber ?? false)) {
            return CELToken(kind: .literal(try number()), offset: start)
        }
        if let second = peek(1), Self.symbols.contains("\(first)\(second)") {
            position += 2
            return CELToken(kind: .symbol("\(first)\(second)"), offset: start)
        }
        guard "+-*/%!<>?:.,()[]{}".contains(first) else {
            throw CELSyntaxError("Syntax error: token recognition error at: '\(first)'", offset: start)
        }
        position += 1
        return CELToken(kind: .symbol(String(first)), offset: start)
    }

    private func word(_ text: String) -> CELToken.Kind {
        switch text {
        case "true": .literal(.bool(true))
        case "false": .literal(.bool(false))
        case "null": .literal(.null)
        case "in": .symbol("in")
        default: .ident(text)
        }
    }

    private mutating func skipSpace() {
        while let character = peek() {
            if character.isWhitespace {
                position += 1
            } else if character == "/", peek(1) == "/" {
                while let character = peek(), !character.isNewline { position += 1 }
            } else {
                return
            }
        }
    }

    private mutating func number() throws(CELSyntaxError) -> CELValue {
        let start = position
        if peek() == "0", peek(1) == "x" || peek(1) == "X" {
            position += 2
            while let character = peek(), character.isHexDigit { position += 1 }
            let digits = String(characters[(start + 2)..<position])
            if peek() == "u" || peek() == "U", let value = UInt64(digits, radix: 16) {
                position += 1
                return .uint(value)
            }
            guard let value = Int64(digits, radix: 16) else {
                throw CELSyntaxError("invalid int literal", offset: start)
            }
            return .int(value)
        }
        var isWhole = true
        while let character = peek() {
            if character.isNumber {
                position += 1
            } else if character == ".", isWhole, peek(1)?.isNumber ?? false {
                isWhole = false
                position += 1
            } else if character == "e" || character == "E" {
                isWhole = false
                position += 1
                if peek() == "+" || peek() == "-" { position += 1 }
            } else {
                break
            }
        }
        let digits = String(characters[start..<position])
        if isWhole, peek() == "u" || peek() == "U" {
            position += 1
            guard let value = UInt64(digits) else { throw CELSyntaxError("invalid uint literal", offset: start) }
            return .uint(value)
        }
        // The smallest int is read as a negated literal that is one too large.
        if isWhole, digits == "9223372036854775808" { return .int(.min) }
        if isWhole {
            guard let value = Int64(digits) else { throw CELSyntaxError("invalid int literal", offset: start) }
            return .int(value)
        }
        guard let value = Double(digits) else { throw CELSyntaxError("invalid double literal", offset: start) }
        return .double(value)
    }

    /// A text or bytes in quotes, with their prefixes; nil when none begins here.
    private mutating func text() throws(CELSyntaxError) -> CELToken.Kind? {
        var length = 0
        var isRaw = false
        var isBytes = false
        while let character = peek(length), length < 2 {
            if character == "r" || character == "R" {
                isRaw = true
            } else if character == "b" || character == "B" {
                isBytes = true
            } else {
                break
            }
            length += 1
        }
        guard let quote = peek(length), quote == "'" || quote == "\"" else { return nil }
        let start = position
        position += length
        let isTriple = peek(1) == quote && peek(2) == quote
        position += isTriple ? 3 : 1
        var result = ""
        while let character = peek() {
            if isTriple ? (character == quote && peek(1) == quote && peek(2) == quote) : character == quote {
                position += isTriple ? 3 : 1
                return .literal(isBytes ? .bytes(Array(result.utf8)) : .string(result))
            }
            if character.isNewline, !isTriple { break }
            position += 1
            if character == "\\", !isRaw {
                result += try escape(start)
            } else {
                result.append(character)
            }
        }
        throw CELSyntaxError("Syntax error: unterminated string", offset: start)
    }

    private mutating func escape(_ start: Int) throws(CELSyntaxError) -> String {
        guard let character = peek() else { throw CELSyntaxError("Syntax error: unterminated string", offset: start) }
        position += 1
        switch character {
        case "n": return "\n"
        case "t": return "\t"
        case "r": return "\r"
        case "a": return "\u{7}"
        case "b": return "\u{8}"
        case "f": return "\u{C}"
        case "v": return "\u{B}"
        case "\\", "'", "\"", "`", "?": return String(character)
        case "x", "X": return try scalar(digits: 2, radix: 16)
        case "u": return try scalar(digits: 4, radix: 16)
        case "U": return try scalar(digits: 8, radix: 16)
        case "0"..."3":
            position -= 1
            return try scalar(digits: 3, radix: 8)
        default:
            throw CELSyntaxError("Syntax error: token recognition error at: '\\\(character)'", offset: position - 2)
        }
    }

    private mutating func scalar(digits: Int, radix: Int) throws(CELSyntaxError) -> String {
        let end = min(position + digits, characters.count)
        guard let value = UInt32(String(characters[position..<end]), radix: radix), let scalar = Unicode.Scalar(value)
        else {
            throw CELSyntaxError("Syntax error: invalid escape", offset: position)
        }
        position = end
        return String(Character(scalar))
    }
}

/// Text that isn't an expression.
struct CELSyntaxError: Error, Sendable {
    var message: String
    var offset: Int

    init(_ message: String, offset: Int) {
        self.message = message
        self.offset = offset
    }

    /// As the API server shows it, with line and column.
    func text(_ source: String) -> String {
        let before = source.prefix(offset)
        let line = before.count(where: \.isNewline) + 1
        let column = before.reversed().prefix { !$0.isNewline }.count + 1
        return "compilation failed: ERROR: <input>:\(line):\(column): \(message)"
    }
}
