extension JSONTree {
    /// Makes a tree of one of our values.
    ///
    /// - Parameters:
    ///   - value: what to encode.
    ///   - absentAsNull: write `null` for properties that are nil, so that ``merge(_:)`` and a merge patch remove them;
    ///     otherwise they are left out.
    /// - Throws: `JSONCodingError` for what JSON can't hold.
    public init(encoding value: some Encodable, absentAsNull: Bool = false) throws(JSONCodingError) {
        do {
            let slot = TreeSlot()
            try TreeEncoder(slot: slot, absentAsNull: absentAsNull, codingPath: []).put(value)
            self = slot.tree
        } catch {
            throw JSONCodingError(error)
        }
    }

    /// Merges a patch in (RFC 7386): objects member by member, `null` removes, anything else replaces.
    ///
    /// What the patch doesn't name stays as it is.
    public mutating func merge(_ patch: JSONTree) {
        guard case .object(let changes) = patch else {
            self = patch
            return
        }
        var members = object ?? [:]
        self = .null
        for (name, change) in changes {
            if change.isNull {
                members[name] = nil
            } else {
                var member = members.removeValue(forKey: name) ?? .null
                member.merge(change)
                members[name] = member
            }
        }
        self = .object(members)
    }
}

/// A place in the tree that is being made; shared by the containers that `Encodable` asks for in any order.
private final class TreeSlot {
    private enum Content {
        case leaf(JSONTree)
        case object([String: TreeSlot])
        case array([TreeSlot])
    }

    private var content = Content.leaf(.object([:]))

    var tree: JSONTree {
        switch content {
        case .leaf(let value): value
        case .object(let members): .object(members.mapValues(\.tree))
        case .array(let elements): .array(elements.map(\.tree))
        }
    }

    var count: Int { if case .array(let elements) = content { elements.count } else { 0 } }

    func set(_ value: JSONTree) { content = .leaf(value) }

    func beginObject() {
        if case .object = content { return }
        content = .object([:])
    }

    func beginArray() {
        if case .array = content { return }
        content = .array([])
    }

    func member(_ name: String) -> TreeSlot {
        guard case .object(var members) = content else { return TreeSlot() }
        content = .leaf(.null)
        let slot = members[name] ?? TreeSlot()
        members[name] = slot
        content = .object(members)
        return slot
    }

    func append() -> TreeSlot {
        guard case .array(var elements) = content else { return TreeSlot() }
        content = .leaf(.null)
        let slot = TreeSlot()
        elements.append(slot)
        content = .array(elements)
        return slot
    }
}

/// Writes into one slot.
private struct TreeEncoder: Encoder, SingleValueEncodingContainer {
    let slot: TreeSlot
    let absentAsNull: Bool
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func put(_ value: some Encodable) throws { try value.encode(to: self) }

    func put(whole value: some BinaryInteger) throws {
        guard let whole = Int64(exactly: value) else {
            throw JSONCodingError(codingPath, "\(value) is out of range")
        }
        slot.set(.integer(whole))
    }

    func put(number value: Double) throws {
        guard value.isFinite else { throw JSONCodingError(codingPath, "\(value) has no form in JSON") }
        slot.set(.number(value))
    }

    func child(_ slot: TreeSlot, _ key: any CodingKey) -> TreeEncoder {
        TreeEncoder(slot: slot, absentAsNull: absentAsNull, codingPath: codingPath + [key])
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        slot.beginObject()
        return KeyedEncodingContainer(TreeKeyedEncoding<Key>(encoder: self))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        slot.beginArray()
        return TreeUnkeyedEncoding(encoder: self)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { self }

    func encodeNil() { slot.set(.null) }
    func encode(_ value: Bool) { slot.set(.bool(value)) }
    func encode(_ value: String) { slot.set(.string(value)) }
    func encode(_ value: Double) throws { try put(number: value) }
    func encode(_ value: Float) throws { try put(number: Double(value)) }
    func encode(_ value: Int) throws { try put(whole: value) }
    func encode(_ value: Int8) throws { try put(whole: value) }
    func encode(_ value: Int16) throws { try put(whole: value) }
    func encode(_ value: Int32) throws { try put(whole: value) }
    func encode(_ value: Int64) throws { try put(whole: value) }
    func encode(_ value: UInt) throws { try put(whole: value) }
    func encode(_ value: UInt8) throws { try put(whole: value) }
    func encode(_ value: UInt16) throws { try put(whole: value) }
    func encode(_ value: UInt32) throws { try put(whole: value) }
    func encode(_ value: UInt64) throws { try put(whole: value) }
    func encode<Value: Encodable>(_ value: Value) throws { try put(value) }
}

/// Writes an object member by member.
private struct TreeKeyedEncoding<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let encoder: TreeEncoder
    var codingPath: [any CodingKey] { encoder.codingPath }

    private func member(_ key: any CodingKey) -> TreeEncoder {
        encoder.child(encoder.slot.member(key.stringValue), key)
    }

    /// Without the slot there is no member, so it is only asked for when something goes into it.
    private func put(ifPresent value: (some Encodable)?, _ key: Key) throws {
        if let value {
            try member(key).put(value)
        } else if encoder.absentAsNull {
            member(key).encodeNil()
        }
    }

    func encodeNil(forKey key: Key) { member(key).encodeNil() }
    func encode(_ value: Bool, forKey key: Key) { member(key).encode(value) }
    func encode(_ value: String, forKey key: Key) { member(key).encode(value) }
    func encode(_ value: Double, forKey key: Key) throws { try member(key).encode(value) }
    func encode(_ value: Float, forKey key: Key) throws { try member(key).encode(value) }
    func encode(_ value: Int, forKey key: Key) throws { try member(key).put(whole: value) }
    func encode(_ value: Int8, forKey key: Key) throws { try member(key).put(whole: value) }
    func encode(_ value: Int16, forKey key: Key) throws { try member(key).put(whole: value) }
    func encode(_ value: Int32, forKey key: Key) throws { try member(key).put(whole: value) }
    func encode(_ value: Int64, forKey key: Key) throws { try member(key).put(whole: value) }
    func encode(_ value: UInt, forKey key: Key) throws { try member(key).put(whole: value) }
    func encode(_ value: UInt8, forKey key: Key) throws { try member(key).put(whole: value) }
    func encode(_ value: UInt16, forKey key: Key) throws { try member(key).put(whole: value) }
    func encode(_ value: UInt32, forKey key: Key) throws { try member(key).put(whole: value) }
    func encode(_ value: UInt64, forKey key: Key) throws { try member(key).put(whole: value) }
    func encode<Value: Encodable>(_ value: Value, forKey key: Key) throws { try member(key).put(value) }

    func encodeIfPresent(_ value: Bool?, forKey key: Key) throws { try put(ifPresent: value, key) }
    func encodeIfPresent(_ value: String?, forKey key: Key) throws { try put(ifPresent: value, key) }
    func encodeIfPresent(_ value: Double?, forKey key: Key) throws { try put(ifPresent: value, key) }
    func encodeIfPresent(_ value: Float?, forKey key: Key) throws { try put(ifPresent: value, key) }
    func encodeIfPresent(_ value: Int?, forKey key: Key) throws { try put(ifPresent: value, key) }
    func encodeIfPresent(_ value: Int8?, forKey key: Key) throws { try put(ifPresent: value, key) }
    func encodeIfPresent(_ value: Int16?, forKey key: Key) throws { try put(ifPresent: value, key) }
    func encodeIfPresent(_ value: Int32?, forKey key: Key) throws { try put(ifPresent: value, key) }
    func encodeIfPresent(_ value: Int64?, forKey key: Key) throws { try put(ifPresent: value, key) }
    func encodeIfPresent(_ value: UInt?, forKey key: Key) throws { try put(ifPresent: value, key) }
    func encodeIfPresent(_ value: UInt8?, forKey key: Key) throws { try put(ifPresent: value, key) }
    func encodeIfPresent(_ value: UInt16?, forKey key: Key) throws { try put(ifPresent: value, key) }
    func encodeIfPresent(_ value: UInt32?, forKey key: Key) throws { try put(ifPresent: value, key) }
    func encodeIfPresent(_ value: UInt64?, forKey key: Key) throws { try put(ifPresent: value, key) }
    func encodeIfPresent<Value: Encodable>(_ value: Value?, forKey key: Key) throws { try put(ifPresent: value, key) }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type,
        forKey key: Key
    ) -> KeyedEncodingContainer<Nested> { member(key).container(keyedBy: type) }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { member(key).unkeyedContainer() }
    func superEncoder() -> any Encoder { member(TreeKey(stringValue: "super")) }
    func superEncoder(forKey key: Key) -> any Encoder { member(key) }
}

/// Writes a list element by element.
private struct TreeUnkeyedEncoding: UnkeyedEncodingContainer {
    let encoder: TreeEncoder
    var codingPath: [any CodingKey] { encoder.codingPath }
    var count: Int { encoder.slot.count }

    /// A list is replaced as a whole, so nothing in it has to be removed: `null` would stay in it.
    private func next() -> TreeEncoder {
        let path = codingPath + [TreeKey(intValue: count)]
        return TreeEncoder(slot: encoder.slot.append(), absentAsNull: false, codingPath: path)
    }

    func encodeNil() { next().encodeNil() }
    func encode(_ value: Bool) { next().encode(value) }
    func encode(_ value: String) { next().encode(value) }
    func encode(_ value: Double) throws { try next().encode(value) }
    func encode(_ value: Float) throws { try next().encode(value) }
    func encode(_ value: Int) throws { try next().put(whole: value) }
    func encode(_ value: Int8) throws { try next().put(whole: value) }
    func encode(_ value: Int16) throws { try next().put(whole: value) }
    func encode(_ value: Int32) throws { try next().put(whole: value) }
    func encode(_ value: Int64) throws { try next().put(whole: value) }
    func encode(_ value: UInt) throws { try next().put(whole: value) }
    func encode(_ value: UInt8) throws { try next().put(whole: value) }
    func encode(_ value: UInt16) throws { try next().put(whole: value) }
    func encode(_ value: UInt32) throws { try next().put(whole: value) }
    func encode(_ value: UInt64) throws { try next().put(whole: value) }
    func encode<Value: Encodable>(_ value: Value) throws { try next().put(value) }

    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        next().container(keyedBy: type)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { next().unkeyedContainer() }
    func superEncoder() -> any Encoder { next() }
}
