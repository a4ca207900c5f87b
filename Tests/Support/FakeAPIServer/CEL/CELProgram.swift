/// An expression that has been read and checked.
struct CELProgram: Sendable {
    let source: String
    let node: CELNode
    let type: CELType
    /// The variables that it names.
    let used: Set<String>

    /// Reads and checks.
    ///
    /// - Parameters:
    ///   - source: the expression.
    ///   - variables: what it may name, and their types.
    ///   - result: what it must come to; nil: anything.
    /// - Throws: ``CELError`` that says where and what, as the API server does.
    init(_ source: String, variables: [String: CELType], result: CELType?) throws(CELError) {
        do throws(CELSyntaxError) {
            let node = try CELParser.parse(source)
            var checker = CELChecker(variables: variables)
            let type = try checker.type(node)
            self.source = source
            self.node = node
            self.type = type
            used = checker.used
        } catch {
            throw CELError(error.text(source))
        }
        var bound: [String: CELType] = [:]
        if let result, !type.fits(result, &bound) {
            throw CELError("compilation failed: must evaluate to \(result)")
        }
    }

    func evaluate(_ variables: [String: CELValue]) throws(CELError) -> CELValue {
        var evaluator = CELEvaluator(variables: variables)
        return try evaluator.value(node)
    }

    /// The answer of a condition.
    func isTrue(_ variables: [String: CELValue]) throws(CELError) -> Bool {
        guard case .bool(let value) = try evaluate(variables) else { throw CELError("must evaluate to bool") }
        return value
    }
}

/// How fields whose names CEL can't write are named in rules.
enum CELNames {
    private static let keywords: Set<String> = [
        "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import",
        "let", "loop", "package", "namespace", "return", "var", "void", "while",
    ]

    /// The name in a rule; nil for one that can't be reached.
    static func escaped(_ name: String) -> String? {
        if keywords.contains(name) { return "__\(name)__" }
        guard let first = name.first, first.isLetter || first == "_" else { return nil }
        let result = name.replacing("__", with: "__underscores__").replacing(".", with: "__dot__")
            .replacing("-", with: "__dash__").replacing("/", with: "__slash__")
        return result.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") } ? result : nil
    }

    static func unescaped(_ name: String) -> String {
        guard name.contains("__") else { return name }
        if name.hasPrefix("__"), name.hasSuffix("__"), keywords.contains(String(name.dropFirst(2).dropLast(2))) {
            return String(name.dropFirst(2).dropLast(2))
        }
        return name.replacing("__dot__", with: ".").replacing("__dash__", with: "-").replacing("__slash__", with: "/")
            .replacing("__underscores__", with: "__")
    }
}
