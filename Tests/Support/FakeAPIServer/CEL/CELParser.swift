/// Reads an expression into its tree; macros are opened here.
struct CELParser {
    private let tokens: [CELToken]
    private var position = 0
    private var depth = 0
    private static let reserved: Set<String> = [
        "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package",
        "namespace", "return", "var", "void", "while",
    ]

    static func parse(_ text: String) throws(CELSyntaxError) -> CELNode {
        var parser = CELParser(tokens: try CELLexer.tokens(text))
        let node = try parser.expression()
        guard parser.token.kind == .end else { throw parser.unexpected() }
        return node
    }

    private init(tokens: [CELToken]) { self.tokens = tokens }

    private var token: CELToken { tokens[min(position, tokens.count - 1)] }

    private func unexpected() -> CELSyntaxError {
        switch token.kind {
        case .end: CELSyntaxError("Syntax error: mismatched input '<EOF>'", offset: token.offset)
        case .symbol(let text), .ident(let text):
            CELSyntaxError("Syntax error: mismatched input '\(text)'", offset: token.offset)
        case .literal: CELSyntaxError("Syntax error: extraneous input", offset: token.offset)
        }
    }

    private mutating func accept(_ symbol: String) -> Bool {
        guard token.kind == .symbol(symbol) else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ symbol: String) throws(CELSyntaxError) {
        guard accept(symbol) else { throw unexpected() }
    }

    private mutating func expression() throws(CELSyntaxError) -> CELNode {
        depth += 1
        defer { depth -= 1 }
        guard depth < 100 else {
            throw CELSyntaxError("expression recursion limit exceeded: 250", offset: token.offset)
        }
        let condition = try disjunction()
        let offset = token.offset
        guard accept("?") else { return condition }
        let first = try disjunction()
        try expect(":")
        let second = try expression()
        return CELNode(kind: .conditional(condition, first, second), offset: offset)
    }

    private mutating func disjunction() throws(CELSyntaxError) -> CELNode {
        var left = try conjunction()
        while true {
            let offset = token.offset
            guard accept("||") else { return left }
            left = CELNode(kind: .or(left, try conjunction()), offset: offset)
        }
    }

    private mutating func conjunction() throws(CELSyntaxError) -> CELNode {
        var left = try relation()
        while true {
            let offset = token.offset
            guard accept("&&") else { return left }
            left = CELNode(kind: .and(left, try relation()), offset: offset)
        }
    }

    private mutating func binary(
        _ symbols: [String],
        _ operand: (inout CELParser) throws(CELSyntaxError) -> CELNode
    ) throws(CELSyntaxError) -> CELNode {
        var left = try operand(&self)
        while case .symbol(let symbol) = token.kind, symbols.contains(symbol) {
            let offset = token.offset
            position += 1
            let right = try operand(&self)
            let name = symbol == "in" ? "@in" : "_\(symbol)_"
            left = CELNode(kind: .call(name, target: nil, [left, right]), offset: offset)
        }
        return left
    }

    private mutating func relation() throws(CELSyntaxError) -> CELNode {
        try binary(["<", "<=", ">", ">=", "==", "!=", "in"]) { parser throws(CELSyntaxError) in try parser.addition() }
    }

    private mutating func addition() throws(CELSyntaxError) -> CELNode {
        try binary(["+", "-"]) { parser throws(CELSyntaxError) in try parser.multiplication() }
    }

    private mutating func multiplication() throws(CELSyntaxError) -> CELNode {
        try binary(["*", "/", "%"]) { parser throws(CELSyntaxError) in try parser.unary() }
    }

    private mutating func unary() throws(CELSyntaxError) -> CELNode {
        let offset = token.offset
        if accept("!") { return CELNode(kind: .call("!_", target: nil, [try unary()]), offset: offset) }
        if accept("-") {
            if case .literal(.int(let value)) = token.kind {
                position += 1
                return try members(CELNode(kind: .literal(.int(value == .min ? value : -value)), offset: offset))
            }
            if case .literal(.double(let value)) = token.kind {
                position += 1
                return try members(CELNode(kind: .literal(.double(-value)), offset: offset))
            }
            return CELNode(kind: .call("-_", target: nil, [try unary()]), offset: offset)
        }
        return try members(try primary())
    }

    private mutating func members(_ start: CELNode) throws(CELSyntaxError) -> CELNode {
        var node = start
        while true {
            let offset = token.offset
            if accept(".") {
                let isOptional = accept("?")
                guard case .ident(let name) = token.kind else { throw unexpected() }
                position += 1
                if !isOptional, accept("(") {
                    node = try memberCall(node, name, try arguments(), offset)
                } else {
                    node = CELNode(kind: .select(node, name, isOptional: isOptional), offset: offset)
                }
            } else if accept("[") {
                let isOptional = accept("?")
                let index = try expression()
                try expect("]")
                node = CELNode(kind: .index(node, index, isOptional: isOptional), offset: offset)
            } else {
                return node
            }
        }
    }

    private mutating func arguments() throws(CELSyntaxError) -> [CELNode] {
        var arguments: [CELNode] = []
        if accept(")") { return arguments }
        repeat { arguments.append(try expression()) } while accept(",")
        try expect(")")
        return arguments
    }

    private mutating func primary() throws(CELSyntaxError) -> CELNode {
        let here = token
        switch here.kind {
        case .literal(let value):
            position += 1
            return CELNode(kind: .literal(value), offset: here.offset)
        case .ident(let name):
            position += 1
            if accept("(") { return try globalCall(name, try arguments(), here.offset) }
            guard !Self.reserved.contains(name) else {
                throw CELSyntaxError("reserved identifier: \(name)", offset: here.offset)
            }
            return CELNode(kind: .ident(name), offset: here.offset)
        case .symbol("("):
            position += 1
            let node = try expression()
            try expect(")")
            return node
        case .symbol("["): return try list(here.offset)
        case .symbol("{"): return try map(here.offset)
        default: throw unexpected()
        }
    }

    private mutating func list(_ offset: Int) throws(CELSyntaxError) -> CELNode {
        position += 1
        var elements: [(CELNode, isOptional: Bool)] = []
        while !accept("]") {
            let isOptional = accept("?")
            elements.append((try expression(), isOptional))
            if !accept(",") {
                try expect("]")
                break
            }
        }
        return CELNode(kind: .list(elements), offset: offset)
    }

    private mutating func map(_ offset: Int) throws(CELSyntaxError) -> CELNode {
        position += 1
        var entries: [(CELNode, CELNode, isOptional: Bool)] = []
        while !accept("}") {
            let isOptional = accept("?")
            let key = try expression()
            try expect(":")
            entries.append((key, try expression(), isOptional))
            if !accept(",") {
                try expect("}")
                break
            }
        }
        return CELNode(kind: .map(entries), offset: offset)
    }

    private func globalCall(_ name: String, _ arguments: [CELNode], _ offset: Int) throws(CELSyntaxError) -> CELNode {
        guard name == "has" else { return CELNode(kind: .call(name, target: nil, arguments), offset: offset) }
        guard arguments.count == 1, case .select(let operand, let field, false) = arguments[0].kind else {
            throw CELSyntaxError("invalid argument to has() macro", offset: offset)
        }
        return CELNode(kind: .has(operand, field), offset: offset)
    }

    private func memberCall(_ target: CELNode, _ name: String, _ arguments: [CELNode], _ offset: Int)
        throws(CELSyntaxError) -> CELNode
    {
        let plain = CELNode(kind: .call(name, target: target, arguments), offset: offset)
        guard let macro = CELNode.Macro.Name(rawValue: name), arguments.count >= 2, arguments.count <= 4 else {
            // cel.bind(x, value, body) is a loop of one.
            return try bind(target, name, arguments, offset) ?? plain
        }
        func variable(_ node: CELNode) throws(CELSyntaxError) -> String {
            guard case .ident(let name) = node.kind else {
                throw CELSyntaxError("argument must be a simple name", offset: node.offset)
            }
            return name
        }
        var result = CELNode.Macro(name: macro, range: target, variables: [try variable(arguments[0])])
        switch (macro, arguments.count) {
        case (.all, 2), (.exists, 2), (.existsOne, 2), (.filter, 2): result.predicate = arguments[1]
        case (.all, 3), (.exists, 3), (.existsOne, 3):
            result.variables.append(try variable(arguments[1]))
            result.predicate = arguments[2]
        case (.map, 2), (.optMap, 2), (.optFlatMap, 2): result.transform = arguments[1]
        case (.map, 3):
            result.predicate = arguments[1]
            result.transform = arguments[2]
        default: return plain
        }
        return CELNode(kind: .macro(result), offset: offset)
    }

    private func bind(_ target: CELNode, _ name: String, _ arguments: [CELNode], _ offset: Int)
        throws(CELSyntaxError) -> CELNode?
    {
        guard name == "bind", arguments.count == 3, case .ident("cel") = target.kind,
            case .ident(let variable) = arguments[0].kind
        else { return nil }
        let loop = CELNode.Macro(
            name: .map,
            range: CELNode(kind: .list([(arguments[1], isOptional: false)]), offset: offset),
            variables: [variable],
            transform: arguments[2]
        )
        let mapped = CELNode(kind: .macro(loop), offset: offset)
        let first = CELNode(kind: .literal(.int(0)), offset: offset)
        return CELNode(kind: .index(mapped, first, isOptional: false), offset: offset)
    }
}
