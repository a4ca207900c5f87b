import BackupModel

/// What a Codable type reads: found by letting it decode from a decoder that notes everything it is asked for.
indirect enum Shape: Sendable, Hashable {
    struct Field: Sendable, Hashable {
        var shape: Shape
        var isRequired: Bool
    }

    case text, integer, number, boolean, time, duration, anything
    case choice(Set<String>)
    case list(Shape)
    case map(Shape)
    case object([String: Field])

    /// Finds the shape of a type.
    ///
    /// - Throws: `DecodingError` for a type that does more than read its fields.
    static func of<Value: Decodable>(_ type: Value.Type) throws -> Shape { try probe(type).shape }

    fileprivate static func probe<Value: Decodable>(_ type: Value.Type) throws -> (value: Value, shape: Shape) {
        func known(_ value: Any, _ shape: Shape) throws -> (Value, Shape) {
            guard let value = value as? Value else { throw ShapeDecoder.surprise("\(Value.self)") }
            return (value, shape)
        }
        switch type {
        case is String.Type: return try known("", .text)
        case is Bool.Type: return try known(false, .boolean)
        case is Int.Type: return try known(0, .integer)
        case is Int64.Type: return try known(Int64(0), .integer)
        case is UInt32.Type: return try known(UInt32(0), .integer)
        case is Double.Type: return try known(0.0, .number)
        case is Timestamp.Type: return try known(Timestamp(unixMs: 0), .time)
        case is GoDuration.Type: return try known(GoDuration(seconds: 0), .duration)
        case is OpaqueValue.Type: return try known(OpaqueValue.null, .anything)
        default: break
        }
        if let type = type as? any CaseIterable.Type {
            let cases = cases(of: type)
            if let first = cases.first, !cases.contains(where: { $0.name == nil }) {
                return try known(first.value, .choice(Set(cases.compactMap(\.name))))
            }
        }
        let notes = ShapeNotes()
        let value = try Value(from: ShapeDecoder(notes: notes))
        return (value, notes.shape)
    }

    private static func cases<Choice: CaseIterable>(of type: Choice.Type) -> [(value: Any, name: String?)] {
        Choice.allCases.map { ($0, ($0 as? any RawRepresentable)?.rawValue as? String) }
    }
}

/// What one object or list was asked for.
private final class ShapeNotes {
    var shape = Shape.object([:])
    var optional: Set<String> = []

    func note(_ key: String, _ value: Shape) {
        guard case .object(var fields) = shape else {
            shape = .map(value)
            return
        }
        fields[key] = Shape.Field(shape: value, isRequired: !optional.contains(key))
        shape = .object(fields)
    }
}

private struct ShapeDecoder: Decoder {
    let notes: ShapeNotes
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(Keyed(notes: notes))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer { Unkeyed(notes: notes) }

    func singleValueContainer() throws -> any SingleValueDecodingContainer {
        throw Self.surprise("a value of its own")
    }

    static func surprise(_ what: String) -> DecodingError {
        .dataCorrupted(.init(codingPath: [], debugDescription: "the shape of \(what) is not known"))
    }

    private struct Keyed<Key: CodingKey>: KeyedDecodingContainerProtocol {
        let notes: ShapeNotes
        var codingPath: [any CodingKey] { [] }

        /// Only a dictionary asks: it gets one entry.
        var allKeys: [Key] {
            notes.shape = .map(.anything)
            return [Key(stringValue: "*")].compactMap { $0 }
        }

        /// Only what may be absent is asked for before it is read.
        func contains(_ key: Key) -> Bool {
            notes.optional.insert(key.stringValue)
            return true
        }

        func decodeNil(forKey key: Key) throws -> Bool { false }

        func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
            let (value, shape) = try Shape.probe(type)
            notes.note(key.stringValue, shape)
            return value
        }

        func nestedContainer<Nested: CodingKey>(
            keyedBy type: Nested.Type,
            forKey key: Key
        ) throws -> KeyedDecodingContainer<Nested> {
            throw ShapeDecoder.surprise(key.stringValue)
        }

        func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
            throw ShapeDecoder.surprise(key.stringValue)
        }

        func superDecoder() throws -> any Decoder { throw ShapeDecoder.surprise("super") }
        func superDecoder(forKey key: Key) throws -> any Decoder { throw ShapeDecoder.surprise("super") }
    }

    private struct Unkeyed: UnkeyedDecodingContainer {
        let notes: ShapeNotes
        var codingPath: [any CodingKey] { [] }
        var count: Int? { 1 }
        var isAtEnd: Bool { currentIndex == 1 }
        var currentIndex = 0

        init(notes: ShapeNotes) { self.notes = notes }

        mutating func decodeNil() throws -> Bool { false }

        mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
            let (value, shape) = try Shape.probe(type)
            notes.shape = .list(shape)
            currentIndex = 1
            return value
        }

        mutating func nestedContainer<Nested: CodingKey>(
            keyedBy type: Nested.Type
        ) throws -> KeyedDecodingContainer<Nested> { throw ShapeDecoder.surprise("a list") }

        mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
            throw ShapeDecoder.surprise("a list")
        }

        mutating func superDecoder() throws -> any Decoder { throw ShapeDecoder.surprise("super") }
    }
}
