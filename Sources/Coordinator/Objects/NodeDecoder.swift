import Yams

/// Decodes a value from a YAML node, and knows afterwards which fields nobody asked for.
///
/// The list of fields that are allowed is what the type itself asked for, so it can't differ from the type.
struct NodeDecoder: Decoder {
    /// A problem with one node.
    struct Problem: Error {
        var path: String
        var line: Int?
        var message: String
    }

    /// What is common to the decoders of one document.
    final class Context {
        /// A mapping and the fields that were asked for.
        struct Visited {
            var path: String
            var mapping: Node.Mapping
            var asked: Set<String> = []
            /// True when all keys are welcome (a dictionary).
            var isOpen = false
        }
        var visited: [Visited] = []
    }

    let node: Node
    let path: String
    let context: Context
    let codingPath: [any CodingKey] = []
    let userInfo: [CodingUserInfoKey: Any] = [:]

    /// The value, or what is wrong: unknown fields are found even when everything else is right.
    static func decode<Value: Decodable>(_ type: Value.Type, from node: Node) throws(Problem) -> Value {
        let context = Context()
        let value: Value
        do {
            value = try NodeDecoder(node: node, path: "", context: context).value(type)
        } catch let problem as Problem {
            // A misspelt field is often why another one is missing: show what there is.
            if problem.message == missing,
                let visited = context.visited.last(where: { $0.path == parent(problem.path) })
            {
                let given = visited.mapping.compactMap { $0.key.string }.joined(separator: ", ")
                throw Problem(
                    path: problem.path,
                    line: problem.line,
                    message: given.isEmpty ? missing : "\(missing); given here: \(given)"
                )
            }
            throw problem
        } catch {
            throw Problem(path: "", line: node.mark?.line, message: "can't be read: \(error)")
        }
        if let unknown = unknownFields(context).first { throw unknown }
        return value
    }

    static let missing = "is missing"

    private static func unknownFields(_ context: Context) -> [Problem] {
        var found: [Problem] = []
        for visited in context.visited where !visited.isOpen {
            for (key, _) in visited.mapping {
                let name = key.string ?? "?"
                guard !visited.asked.contains(name) else { continue }
                let allowed = visited.asked.sorted().joined(separator: ", ")
                found.append(
                    Problem(
                        path: join(visited.path, name),
                        line: key.mark?.line,
                        message: "is not a known field; allowed: \(allowed)"
                    )
                )
            }
        }
        return found
    }

    static func join(_ path: String, _ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }
    private static func parent(_ path: String) -> String {
        path.lastIndex(of: ".").map { String(path[..<$0]) } ?? ""
    }

    func problem(_ message: String) -> Problem { Problem(path: path, line: node.mark?.line, message: message) }

    /// What a node is, for people.
    var shape: String {
        switch node {
        case .mapping: "a map"
        case .sequence: "a list"
        case .alias: "an alias"
        case .scalar(let scalar):
            isNull ? "empty" : scalar.style == .plain && node.string != nil ? "'\(scalar.string)'" : "a text"
        }
    }

    var isNull: Bool {
        guard case .scalar(let scalar) = node else { return false }
        return scalar.style == .plain && node.null != nil
    }

    func value<Value: Decodable>(_ type: Value.Type) throws -> Value {
        if let allowed = Self.choices(type) {
            guard case .scalar(let scalar) = node else { throw problem("is \(shape); allowed: \(allowed)") }
            guard allowed.contains(scalar.string) else {
                throw problem("is '\(scalar.string)'; allowed: \(allowed.joined(separator: ", "))")
            }
        }
        do {
            return try type.init(from: self)
        } catch let error as DecodingError {
            guard case .dataCorrupted(let context) = error else { throw error }
            throw problem(context.debugDescription)
        }
    }

    /// The values of an enumeration of texts.
    private static func choices(_ type: Any.Type) -> [String]? {
        guard let choice = type as? any (CaseIterable & RawRepresentable<String>).Type else { return nil }
        return values(choice)
    }

    private static func values<Choice: CaseIterable & RawRepresentable<String>>(_: Choice.Type) -> [String] {
        Choice.allCases.map(\.rawValue)
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard case .mapping(let mapping) = node else { throw problem("must be a map, not \(shape)") }
        context.visited.append(Context.Visited(path: path, mapping: mapping))
        return KeyedDecodingContainer(
            NodeKeyedContainer(decoder: self, mapping: mapping, index: context.visited.count - 1)
        )
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard case .sequence(let sequence) = node else { throw problem("must be a list, not \(shape)") }
        return NodeListContainer(decoder: self, nodes: Array(sequence))
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer { NodeValueContainer(decoder: self) }
}

/// The fields of a map.
struct NodeKeyedContainer<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let decoder: NodeDecoder
    let mapping: Node.Mapping
    let index: Int
    let codingPath: [any CodingKey] = []

    var allKeys: [Key] {
        decoder.context.visited[index].isOpen = true
        return mapping.compactMap { $0.key.string.flatMap(Key.init(stringValue:)) }
    }

    func contains(_ key: Key) -> Bool { child(key) != nil }

    private func child(_ key: Key) -> NodeDecoder? {
        decoder.context.visited[index].asked.insert(key.stringValue)
        guard let node = mapping.first(where: { $0.key.string == key.stringValue })?.value else { return nil }
        return NodeDecoder(node: node, path: NodeDecoder.join(decoder.path, key.stringValue), context: decoder.context)
    }

    private func required(_ key: Key) throws -> NodeDecoder {
        guard let child = child(key), !child.isNull else {
            throw NodeDecoder.Problem(
                path: NodeDecoder.join(decoder.path, key.stringValue),
                line: decoder.node.mark?.line,
                message: NodeDecoder.missing
            )
        }
        return child
    }

    func decodeNil(forKey key: Key) throws -> Bool { child(key)?.isNull ?? true }

    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        try required(key).value(type)
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type,
        forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> {
        try required(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try required(key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { decoder }
    func superDecoder(forKey key: Key) throws -> any Decoder { try required(key) }
}

/// The entries of a list.
struct NodeListContainer: UnkeyedDecodingContainer {
    let decoder: NodeDecoder
    let nodes: [Node]
    let codingPath: [any CodingKey] = []
    var currentIndex = 0

    init(decoder: NodeDecoder, nodes: [Node]) {
        self.decoder = decoder
        self.nodes = nodes
    }

    var count: Int? { nodes.count }
    var isAtEnd: Bool { currentIndex >= nodes.count }

    private mutating func advance() throws -> NodeDecoder {
        guard !isAtEnd else { throw decoder.problem("has too few entries") }
        defer { currentIndex += 1 }
        return NodeDecoder(
            node: nodes[currentIndex],
            path: "\(decoder.path)[\(currentIndex)]",
            context: decoder.context
        )
    }

    mutating func decodeNil() throws -> Bool {
        guard !isAtEnd else { return true }
        let isNull = NodeDecoder(node: nodes[currentIndex], path: "", context: decoder.context).isNull
        if isNull { currentIndex += 1 }
        return isNull
    }

    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try advance().value(type) }

    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type
    ) throws -> KeyedDecodingContainer<Nested> {
        try advance().container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { try advance().unkeyedContainer() }
    mutating func superDecoder() throws -> any Decoder { try advance() }
}

/// One value.
struct NodeValueContainer: SingleValueDecodingContainer {
    let decoder: NodeDecoder
    let codingPath: [any CodingKey] = []

    func decodeNil() -> Bool { decoder.isNull }

    private func scalar<Value>(_ what: String, _ read: (Node.Scalar) -> Value?) throws -> Value {
        guard case .scalar(let scalar) = decoder.node, let value = read(scalar) else {
            throw decoder.problem("must be \(what), not \(decoder.shape)")
        }
        return value
    }

    private func integer<Value: FixedWidthInteger>(_ type: Value.Type) throws -> Value {
        try scalar("a whole number") { scalar in
            scalar.style == .plain ? decoder.node.int.flatMap { Value(exactly: $0) } : nil
        }
    }

    func decode(_ type: Bool.Type) throws -> Bool {
        try scalar("true or false") { scalar in scalar.style == .plain ? decoder.node.bool : nil }
    }

    func decode(_ type: String.Type) throws -> String {
        try scalar("a text (write it in quotes)") { scalar in
            // A plain 6.0 or yes is a number or a truth to everybody else who reads this file.
            let isOther =
                scalar.style == .plain
                && (decoder.node.null != nil || decoder.node.bool != nil || decoder.node.float != nil)
            return isOther ? nil : scalar.string
        }
    }

    func decode(_ type: Double.Type) throws -> Double {
        try scalar("a number") { scalar in scalar.style == .plain ? decoder.node.float : nil }
    }

    func decode(_ type: Float.Type) throws -> Float { Float(try decode(Double.self)) }
    func decode(_ type: Int.Type) throws -> Int { try integer(type) }
    func decode(_ type: Int8.Type) throws -> Int8 { try integer(type) }
    func decode(_ type: Int16.Type) throws -> Int16 { try integer(type) }
    func decode(_ type: Int32.Type) throws -> Int32 { try integer(type) }
    func decode(_ type: Int64.Type) throws -> Int64 { try integer(type) }
    func decode(_ type: UInt.Type) throws -> UInt { try integer(type) }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try integer(type) }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try integer(type) }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try integer(type) }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try integer(type) }
    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try decoder.value(type) }
}
