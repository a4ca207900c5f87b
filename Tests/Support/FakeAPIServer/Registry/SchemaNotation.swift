/// Reads the short notation in which built-in types are written down.
///
///     Name: field type, field type …
///
/// Types: `s` text, `b` truth value, `i` whole number, `d` number, `q` quantity, `is` number or text, `t` time, `mt` time
/// with microseconds, `by` base64, `any`; another type's name; `{T}` a map; `[T]` a list that is one piece; `[T]{k,l}` a list
/// whose elements are known by keys; `[s]set`. `~` in front: an object that is one piece. `^k` behind: the key of strategic merges where it
/// isn't the first of the keys.
struct SchemaNotation {
    private let texts: [String: [(name: String, type: String)]]
    private static let scalars: [String: Schema] = [
        "s": Schema(type: "string"), "b": Schema(type: "boolean"), "i": Schema(type: "integer"),
        "d": Schema(type: "number"), "q": Schema(format: "quantity", isIntOrString: true),
        "is": Schema(isIntOrString: true), "t": Schema(type: "string", format: "date-time"),
        "mt": Schema(type: "string", format: "micro-time"), "by": Schema(type: "string", format: "byte"),
        "any": .anything,
    ]

    init(_ text: String) {
        var texts: [String: [(name: String, type: String)]] = [:]
        for line in text.split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let fields = line[line.index(after: colon)...].split(separator: ";").compactMap { field in
                let words = field.split(separator: " ", maxSplits: 1).map(String.init)
                return words.count == 2 ? (name: words[0], type: words[1]) : nil
            }
            texts[String(line[..<colon]), default: []] += fields
        }
        self.texts = texts
    }

    /// The schema of a named type; anything when the notation has none of that name.
    func schema(_ name: String) -> Schema {
        var schema = Schema(type: "object")
        schema.builtinName = name
        schema.ownership = .granular
        guard let fields = texts[name] else { return .anything }
        for field in fields { schema.properties[field.name] = type(field.type[...]) }
        return schema
    }

    private func type(_ text: Substring) -> Schema {
        if text.hasPrefix("~") {
            var schema = type(text.dropFirst())
            schema.ownership = .atomic
            return schema
        }
        if text.hasPrefix("{"), text.hasSuffix("}") {
            var schema = Schema(type: "object")
            schema.ownership = .granular
            schema.additional = [type(text.dropFirst().dropLast())]
            return schema
        }
        if text.hasPrefix("["), let end = text.lastIndex(of: "]") {
            var schema = Schema(type: "array")
            schema.items = [type(text[text.index(after: text.startIndex)..<end])]
            var rest = text[text.index(after: end)...]
            if let mark = rest.firstIndex(of: "^") {
                schema.mergeKey = String(rest[rest.index(after: mark)...])
                rest = rest[..<mark]
            }
            if rest == "set" {
                schema.ownership = .set
                schema.mergesScalars = true
            } else if rest.hasPrefix("{") {
                let keys = rest.dropFirst().dropLast().split(separator: ",").map(String.init)
                schema.ownership = .map(keys: keys)
                schema.mergeKey = schema.mergeKey ?? keys.first
            }
            return schema
        }
        return Self.scalars[String(text)] ?? schema(String(text))
    }
}
