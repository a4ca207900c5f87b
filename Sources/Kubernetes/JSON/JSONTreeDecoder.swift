extension JSONTree {
    /// The tree as one of our types; fields that the type doesn't know are ignored.
    ///
    /// - Throws: `JSONCodingError`, which names the field.
    public func decode<Value: Decodable>(_ type: Value.Type = Value.self) throws(JSONCodingError) -> Value {
        do {
            return try TreeDecoder(tree: self, codingPath: []).value(type)
        } catch {
            throw JSONCodingError(error)
        }
    }
}

/// Reads a tree as `Decodable` asks for it.
private struct TreeDecoder: Decoder, SingleValueDecodingContainer {
    let tree: JSONTree
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func failure(_ expected: String) -> JSONCodingError {
        JSONCodingError(codingPath, "\(expected) was expected, found \(tree.kind)")
    }

    func value<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try Value(from: self)
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard let members = tree.object else { throw failure("an object") }
        return KeyedDecodingContainer(TreeKeyedDecoding(members: members, decoder: self))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard let elements = tree.array else { throw failure("a list") }
        return TreeUnkeyedDecoding(elements: elements, decoder: self)
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer { self }

    func child(_ tree: JSONTree, _ key: any CodingKey) -> TreeDecoder {
        TreeDecoder(tree: tree, codingPath: codingPath + [key])
    }

    func decodeNil() -> Bool { tree.isNull }

    func decode(_ type: Bool.Type) throws -> Bool {
        guard let value = tree.bool else { throw failure("true or false") }
        return value
    }

    func decode(_ type: String.Type) throws -> String {
        guard let value = tree.string else { throw failure("a text") }
        return value
    }

    func decode(_ type: Double.Type) throws -> Double {
        switch tree {
        case .integer(let value): return Double(value)
        case .number(let value): return value
        default: throw failure("a number")
        }
    }

    func decode(_ type: Float.Type) throws -> Float { Float(try decode(Double.self)) }

    private func whole<Value: FixedWidthInteger>() throws -> Value {
        switch tree {
        case .integer(let whole):
            guard let value = Value(exactly: whole) else {
                throw JSONCodingError(codingPath, "\(whole) is out of range")
            }
            return value
        case .number(let number):
            guard let value = Value(exactly: number) else {
                throw JSONCodingError(codingPath, "a whole number was expected, found \(number)")
            }
            return value
        default: throw failure("a whole number")
        }
    }

    func decode(_ type: Int.Type) throws -> Int { try whole() }
    func decode(_ type: Int8.Type) throws -> Int8 { try whole() }
    func decode(_ type: Int16.Type) throws -> Int16 { try whole() }
    func decode(_ type: Int32.Type) throws -> Int32 { try whole() }
    func decode(_ type: Int64.Type) throws -> Int64 { try whole() }
    func decode(_ type: UInt.Type) throws -> UInt { try whole() }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try whole() }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try whole() }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try whole() }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try whole() }
    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try value(type) }
}

/// Reads an object member by member.
private struct TreeKeyedDecoding<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let members: [String: JSONTree]
    let decoder: TreeDecoder
    var codingPath: [any CodingKey] { decoder.codingPath }
    var allKeys: [Key] { members.keys.sorted().compactMap { Key(stringValue: $0) } }

    private func member(_ key: any CodingKey) throws -> TreeDecoder {
        guard let tree = members[key.stringValue] else { throw JSONCodingError(codingPath + [key], "is missing") }
        return decoder.child(tree, key)
    }

    func contains(_ key: Key) -> Bool { members[key.stringValue] != nil }
    func decodeNil(forKey key: Key) throws -> Bool { try member(key).decodeNil() }
    func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool { try member(key).decode(type) }
    func decode(_ type: String.Type, forKey key: Key) throws -> String { try member(key).decode(type) }
    func decode(_ type: Double.Type, forKey key: Key) throws -> Double { try member(key).decode(type) }
    func decode(_ type: Float.Type, forKey key: Key) throws -> Float { try member(key).decode(type) }
    func decode(_ type: Int.Type, forKey key: Key) throws -> Int { try member(key).decode(type) }
    func decode(_ type: Int8.Type, forKey key: Key) throws -> Int8 { try member(key).decode(type) }
    func decode(_ type: Int16.Type, forKey key: Key) throws -> Int16 { try member(key).decode(type) }
    func decode(_ type: Int32.Type, forKey key: Key) throws -> Int32 { try member(key).decode(type) }
    func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 { try member(key).decode(type) }
    func decode(_ type: UInt.Type, forKey key: Key) throws -> UInt { try member(key).decode(type) }
    func decode(_ type: UInt8.Type, forKey key: Key) throws -> UInt8 { try member(key).decode(type) }
    func decode(_ type: UInt16.Type, forKey key: Key) throws -> UInt16 { try member(key).decode(type) }
    func decode(_ type: UInt32.Type, forKey key: Key) throws -> UInt32 { try member(key).decode(type) }
    func decode(_ type: UInt64.Type, forKey key: Key) throws -> UInt64 { try member(key).decode(type) }
    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value { try member(key).value(type) }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type,
        forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> { try member(key).container(keyedBy: type) }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try member(key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { try member(TreeKey(stringValue: "super")) }
    func superDecoder(forKey key: Key) throws -> any Decoder { try member(key) }
}

/// Reads a list element by element.
private struct TreeUnkeyedDecoding: UnkeyedDecodingContainer {
    let elements: [JSONTree]
    let decoder: TreeDecoder
    private(set) var currentIndex = 0
    var codingPath: [any CodingKey] { decoder.codingPath }
    var count: Int? { elements.count }
    var isAtEnd: Bool { currentIndex >= elements.count }

    init(elements: [JSONTree], decoder: TreeDecoder) {
        self.elements = elements
        self.decoder = decoder
    }

    private func current() throws -> TreeDecoder {
        let key = TreeKey(intValue: currentIndex)
        guard !isAtEnd else { throw JSONCodingError(codingPath + [key], "is missing") }
        return decoder.child(elements[currentIndex], key)
    }

    private mutating func step<Value>(_ read: (TreeDecoder) throws -> Value) throws -> Value {
        let value = try read(try current())
        currentIndex += 1
        return value
    }

    mutating func decodeNil() throws -> Bool {
        guard try current().decodeNil() else { return false }
        currentIndex += 1
        return true
    }

    mutating func decode(_ type: Bool.Type) throws -> Bool { try step { try $0.decode(type) } }
    mutating func decode(_ type: String.Type) throws -> String { try step { try $0.decode(type) } }
    mutating func decode(_ type: Double.Type) throws -> Double { try step { try $0.decode(type) } }
    mutating func decode(_ type: Float.Type) throws -> Float { try step { try $0.decode(type) } }
    mutating func decode(_ type: Int.Type) throws -> Int { try step { try $0.decode(type) } }
    mutating func decode(_ type: Int8.Type) throws -> Int8 { try step { try $0.decode(type) } }
    mutating func decode(_ type: Int16.Type) throws -> Int16 { try step { try $0.decode(type) } }
    mutating func decode(_ type: Int32.Type) throws -> Int32 { try step { try $0.decode(type) } }
    mutating func decode(_ type: Int64.Type) throws -> Int64 { try step { try $0.decode(type) } }
    mutating func decode(_ type: UInt.Type) throws -> UInt { try step { try $0.decode(type) } }
    mutating func decode(_ type: UInt8.Type) throws -> UInt8 { try step { try $0.decode(type) } }
    mutating func decode(_ type: UInt16.Type) throws -> UInt16 { try step { try $0.decode(type) } }
    mutating func decode(_ type: UInt32.Type) throws -> UInt32 { try step { try $0.decode(type) } }
    mutating func decode(_ type: UInt64.Type) throws -> UInt64 { try step { try $0.decode(type) } }
    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try step { try $0.value(type) } }

    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type
    ) throws -> KeyedDecodingContainer<Nested> { try step { try $0.container(keyedBy: type) } }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try step { try $0.unkeyedContainer() }
    }

    mutating func superDecoder() throws -> any Decoder { try step { $0 } }
}
