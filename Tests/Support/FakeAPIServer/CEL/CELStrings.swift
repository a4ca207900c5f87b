import Foundation

extension CELLibrary {
    static let strings: [(String, CELOverload)] = tests + changes + places + patterns

    private static func strings(_ values: [CELValue], _ name: String) throws(CELError) -> [String] {
        var texts: [String] = []
        for value in values {
            guard case .string(let text) = value else { throw noOverload(name) }
            texts.append(text)
        }
        return texts
    }

    private static let tests = [
        member("contains", [.string, .string], .bool, .scan([0])) { (values) throws(CELError) in
            let texts = try strings(values, "contains")
            return .bool(texts[1].isEmpty || texts[0].contains(texts[1]))
        },
        member("startsWith", [.string, .string], .bool, .scan([1])) { (values) throws(CELError) in
            let texts = try strings(values, "startsWith")
            return .bool(texts[0].utf8.starts(with: texts[1].utf8))
        },
        member("endsWith", [.string, .string], .bool, .scan([1])) { (values) throws(CELError) in
            let texts = try strings(values, "endsWith")
            return .bool(texts[0].utf8.reversed().starts(with: texts[1].utf8.reversed()))
        },
        member("matches", [.string, .string], .bool, .match) { (values) throws(CELError) in try matches(values) },
        global("matches", [.string, .string], .bool, .match) { (values) throws(CELError) in try matches(values) },
    ]

    private static func matches(_ values: [CELValue]) throws(CELError) -> CELValue {
        let texts = try strings(values, "matches")
        if let problem = RE2.problem(texts[1]) { throw CELError(problem) }
        return .bool(RE2.matches(texts[0], texts[1]))
    }

    private static func ascii(_ text: String, _ change: (UInt8) -> UInt8) -> String {
        String(decoding: text.utf8.map(change), as: UTF8.self)
    }

    private static let changes = [
        member("lowerAscii", [.string], .string, .scan([0])) { (values) throws(CELError) in
            .string(ascii(try strings(values, "lowerAscii")[0]) { (0x41...0x5A).contains($0) ? $0 + 32 : $0 })
        },
        member("upperAscii", [.string], .string, .scan([0])) { (values) throws(CELError) in
            .string(ascii(try strings(values, "upperAscii")[0]) { (0x61...0x7A).contains($0) ? $0 - 32 : $0 })
        },
        member("trim", [.string], .string, .scan([0])) { (values) throws(CELError) in
            .string(try strings(values, "trim")[0].trimmed)
        },
        member("reverse", [.string], .string, .scan([0])) { (values) throws(CELError) in
            .string(String(String.UnicodeScalarView(try strings(values, "reverse")[0].unicodeScalars.reversed())))
        },
        member("replace", [.string, .string, .string], .string, .scan([0])) { (values) throws(CELError) in
            let texts = try strings(values, "replace")
            return .string(texts[0].replacingOccurrences(of: texts[1], with: texts[2]))
        },
        member("split", [.string, .string], .list(.string), .scan([0])) { (values) throws(CELError) in
            let texts = try strings(values, "split")
            return .list(split(texts[0], texts[1], atMost: -1))
        },
        member("split", [.string, .string, .int], .list(.string), .scan([0])) { (values) throws(CELError) in
            let texts = try strings(Array(values.prefix(2)), "split")
            guard case .int(let limit) = values[2] else { throw noOverload("split") }
            return .list(split(texts[0], texts[1], atMost: Int(limit)))
        },
        member("join", [.list(.string)], .string, .elements) { (values) throws(CELError) in try joined(values[0], "") },
        member("join", [.list(.string), .string], .string, .elements) { (values) throws(CELError) in
            try joined(values[0], try strings([values[1]], "join")[0])
        },
        member("format", [.string, .list(.dyn)], .string, .scan([0])) { (values) throws(CELError) in
            guard case .list(let arguments) = values[1] else { throw noOverload("format") }
            return .string(try formatted(try strings([values[0]], "format")[0], arguments))
        },
    ]

    private static func split(_ text: String, _ separator: String, atMost limit: Int) -> [CELValue] {
        if limit == 0 { return [] }
        var parts = separator.isEmpty ? text.map(String.init) : text.components(separatedBy: separator)
        if limit > 0, parts.count > limit {
            let rest = parts[(limit - 1)...].joined(separator: separator)
            parts = Array(parts.prefix(limit - 1)) + [rest]
        }
        return parts.map { .string($0) }
    }

    private static func joined(_ value: CELValue, _ separator: String) throws(CELError) -> CELValue {
        guard case .list(let elements) = value else { throw noOverload("join") }
        return .string(try strings(elements, "join").joined(separator: separator))
    }

    private static func formatted(_ pattern: String, _ arguments: [CELValue]) throws(CELError) -> String {
        var result = ""
        var rest = arguments[...]
        var characters = Array(pattern)[...]
        while let character = characters.popFirst() {
            guard character == "%" else {
                result.append(character)
                continue
            }
            guard let kind = characters.popFirst() else { throw CELError("unexpected end of format string") }
            if kind == "%" {
                result.append("%")
                continue
            }
            guard let argument = rest.popFirst() else { throw CELError("index \(arguments.count) out of range") }
            switch kind {
            case "s", "d": result += try shown(argument)
            default: throw CELError("could not parse formatting clause: unrecognized formatting clause \"\(kind)\"")
            }
        }
        return result
    }

    private static func shown(_ value: CELValue) throws(CELError) -> String {
        switch value {
        case .list(let elements):
            var parts: [String] = []
            for element in elements { parts.append(try shown(element)) }
            return "[\(parts.joined(separator: ", "))]"
        case .null: return "null"
        default: return try text(value)
        }
    }

    private static let places = [
        member("charAt", [.string, .int], .string) { (values) throws(CELError) in
            guard case .string(let text) = values[0], case .int(let index) = values[1] else {
                throw noOverload("charAt")
            }
            let scalars = Array(text.unicodeScalars)
            if index == scalars.count { return .string("") }
            guard scalars.indices.contains(Int(index)) else { throw CELError("index out of range: \(index)") }
            return .string(String(Character(scalars[Int(index)])))
        },
        member("substring", [.string, .int], .string, .scan([0])) { (values) throws(CELError) in try part(values) },
        member("substring", [.string, .int, .int], .string, .scan([0])) { (values) throws(CELError) in try part(values)
        },
        member("indexOf", [.string, .string], .int, .scan([0])) { (values) throws(CELError) in
            let texts = try strings(values, "indexOf")
            return .int(place(texts[0].range(of: texts[1]), texts))
        },
        member("lastIndexOf", [.string, .string], .int, .scan([0])) { (values) throws(CELError) in
            let texts = try strings(values, "lastIndexOf")
            return .int(place(texts[0].range(of: texts[1], options: .backwards), texts, isLast: true))
        },
    ]

    private static func place(_ range: Range<String.Index>?, _ texts: [String], isLast: Bool = false) -> Int64 {
        if texts[1].isEmpty { return isLast ? Int64(texts[0].unicodeScalars.count) : 0 }
        guard let range else { return -1 }
        return Int64(texts[0].unicodeScalars.distance(from: texts[0].startIndex, to: range.lowerBound))
    }

    private static func part(_ values: [CELValue]) throws(CELError) -> CELValue {
        guard case .string(let text) = values[0], case .int(let start) = values[1] else {
            throw noOverload("substring")
        }
        let scalars = Array(text.unicodeScalars)
        var end = Int64(scalars.count)
        if values.count > 2, case .int(let given) = values[2] { end = given }
        guard start >= 0, end <= scalars.count, start <= end else { throw CELError("index out of range: \(start)") }
        return .string(String(String.UnicodeScalarView(scalars[Int(start)..<Int(end)])))
    }

    private static let patterns = [
        member("find", [.string, .string], .string, .match) { (values) throws(CELError) in
            .string(try found(values, atMost: 1).first ?? "")
        },
        member("findAll", [.string, .string], .list(.string), .match) { (values) throws(CELError) in
            .list(try found(values, atMost: .max).map { .string($0) })
        },
    ]

    private static func found(_ values: [CELValue], atMost limit: Int) throws(CELError) -> [String] {
        let texts = try strings(values, "find")
        guard RE2.problem(texts[1]) == nil else { throw CELError("Illegal regex: \(texts[1])") }
        // A pattern without a problem can be compiled.
        guard let expression = try? NSRegularExpression(pattern: texts[1]) else { return [] }
        let all = expression.matches(in: texts[0], range: NSRange(texts[0].startIndex..., in: texts[0]))
        return all.prefix(limit).compactMap { match in Range(match.range, in: texts[0]).map { String(texts[0][$0]) } }
    }
}
